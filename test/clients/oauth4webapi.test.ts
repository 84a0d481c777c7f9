import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import t from 'tap'
import { returnOf } from '../openid/standard-client.ts'
import type { SiteCredentials } from '../sessions/http/session-requests.ts'
import { anotherSite, logInAt, refresh, rowOf } from '../sessions/http/session-requests.ts'
import { redirectUrl, startTestService } from '../support/service.ts'

const service = await startTestService(t, { reachable: true })
const issuer = new URL(service.config.publicUrl)
const strict = await anotherSite(service, 'strict', true)
/** The test's service speaks plain http, which this client refuses by itself. */
const insecure = { [oauth.allowInsecureRequests]: true }

async function discover(algorithm: 'oauth2' | 'oidc' = 'oauth2'): Promise<oauth.AuthorizationServer> {
  const response = await oauth.discoveryRequest(issuer, { algorithm, ...insecure })
  return await oauth.processDiscoveryResponse(issuer, response)
}

const server = await discover()

t.test('both URLs of the metadata return the same', async (t) => {
  t.strictSame(await discover('oidc'), server)
})

const proofs: readonly [name: string, site: SiteCredentials & { url?: string }, proof: oauth.ClientAuth][] = [
  ['ClientSecretBasic', strict, oauth.ClientSecretBasic(strict.secret)],
  ['ClientSecretPost', strict, oauth.ClientSecretPost(strict.secret)],
  ['None', service.site, oauth.None()],
]

for (const [name, site, proof] of proofs)
  t.test(`${name}: refresh and revoke`, async (t) => {
    const client = { client_id: site.id }
    const pair = await (site === strict ? logInAt(service, strict.url, strict) : logInAt(service))
    const response = await oauth.refreshTokenGrantRequest(server, client, proof, pair.refreshToken, insecure)
    const tokens = await oauth.processRefreshTokenResponse(server, client, response)
    t.match(tokens, { token_type: 'bearer', expires_in: 900 })
    t.match(decodeJwt(tokens.refresh_token ?? ''), { gen: 1 })
    for (const token of [tokens.access_token, tokens.refresh_token ?? '', 'junk']) {
      const revoked = await oauth.revocationRequest(server, client, proof, token, insecure)
      t.equal(await oauth.processRevocationResponse(revoked), undefined)
    }
    t.not((await rowOf(service, pair)).revokedAt, null)
  })

for (const [name, site, proof] of proofs.slice(0, 2))
  t.test(`${name}: introspect`, async (t) => {
    const client = { client_id: site.id }
    const pair = await logInAt(service, strict.url, strict)
    const ask = async (token: string) => {
      const response = await oauth.introspectionRequest(server, client, proof, token, insecure)
      return await oauth.processIntrospectionResponse(server, client, response)
    }
    t.match(await ask(pair.accessToken), { active: true, client_id: site.id, token_type: 'Bearer' })
    t.match(await ask(pair.refreshToken), { active: true, sid: decodeJwt(pair.accessToken).sid })
    t.strictSame(await ask((await logInAt(service)).accessToken), { active: false })
  })

for (const [name, site, proof] of proofs)
  t.test(`${name}: a whole login by code, with RFC 9207, PKCE, nonce and UserInfo`, async (t) => {
    const client = { client_id: site.id }
    const redirectUri = site === strict ? strict.url : redirectUrl
    const verifier = oauth.generateRandomCodeVerifier()
    const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
    const url = new URL(server.authorization_endpoint ?? '')
    const request = {
      client_id: site.id,
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: 'openid email',
      state,
      nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      provider: 'google',
    }
    for (const [key, value] of Object.entries(request)) url.searchParams.set(key, value)
    const back = oauth.validateAuthResponse(server, client, await returnOf(service, url.href), state)
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      proof,
      back,
      redirectUri,
      verifier,
      insecure,
    )
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
      expectedNonce: nonce,
      requireIdToken: true,
      maxAge: 60,
    })
    await oauth.validateApplicationLevelSignature(server, response, insecure)
    const { sub } = oauth.getValidatedIdTokenClaims(tokens) ?? { sub: '' }
    const userinfo = await oauth.userInfoRequest(server, client, tokens.access_token, insecure)
    t.match(await oauth.processUserInfoResponse(server, client, sub, userinfo), { email: String })
  })

t.test('error responses have an OAuth error, and a challenge if the secret is missing', async (t) => {
  const client = { client_id: strict.id }
  const proof = oauth.ClientSecretBasic(strict.secret)
  const junk = await oauth.refreshTokenGrantRequest(server, client, proof, 'junk', insecure)
  await t.rejects(oauth.processRefreshTokenResponse(server, client, junk), {
    name: 'ResponseBodyError',
    error: 'invalid_grant',
  })
  const pair = await logInAt(service, strict.url, strict)
  const unproved = await oauth.refreshTokenGrantRequest(
    server,
    client,
    oauth.None(),
    pair.refreshToken,
    insecure,
  )
  await t.rejects(oauth.processRefreshTokenResponse(server, client, unproved), {
    name: 'WWWAuthenticateChallengeError',
    cause: [{ scheme: 'basic', parameters: { realm: 'auth-movies', charset: 'UTF-8' } }],
  })
  t.equal((await rowOf(service, pair)).generation, 0)
})

t.test(
  "a resource server that validates by RFC 9068 accepts the service's access tokens and no others",
  async (t) => {
    const pair = await logInAt(service)
    const validate = (token: string, audience = service.site.id) =>
      oauth.validateJwtAccessToken(
        server,
        new Request('https://api.client.example/films', { headers: { authorization: `Bearer ${token}` } }),
        audience,
        insecure,
      )
    t.match(await validate(pair.accessToken), {
      iss: service.config.publicUrl,
      aud: [service.site.id, service.config.publicUrl],
      client_id: service.site.id,
      sub: String,
      jti: String,
    })
    await t.rejects(validate(pair.accessToken, strict.id), /aud/)
    await t.rejects(validate(pair.refreshToken))
    const next = await refresh(service, pair.refreshToken)
    t.ok(await validate(String(next.json.access_token)))
  },
)
