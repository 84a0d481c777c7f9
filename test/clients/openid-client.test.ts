import { decodeJwt } from 'jose'
import * as client from 'openid-client'
import t from 'tap'
import { returnOf } from '../openid/standard-client.ts'
import { anotherSite, logInAt, me, rowOf } from '../sessions/http/session-requests.ts'
import { redirectUrl, startTestService } from '../support/service.ts'

// What a site gets that uses openid-client as its documentation shows it: no option beyond plain http to loopback.
const service = await startTestService(t, { reachable: true })
const issuer = new URL(service.config.publicUrl)
const strict = await anotherSite(service, 'strict', true)
const insecure = { execute: [client.allowInsecureRequests] }

const authentications = {
  'the secret as it comes (in the body)': (secret: string) => [secret] as const,
  ClientSecretPost: (secret: string) => [undefined, client.ClientSecretPost(secret)] as const,
  'ClientSecretBasic (percent-encoded)': (secret: string) =>
    [undefined, client.ClientSecretBasic(secret)] as const,
}

for (const algorithm of ['oauth2', 'oidc'] as const)
  for (const [name, authenticate] of Object.entries(authentications))
    t.test(`${algorithm} discovery, ${name}: refresh, introspect, revoke`, async (t) => {
      const [metadata, authentication] = authenticate(strict.secret)
      const config = await client.discovery(issuer, strict.id, metadata, authentication, {
        ...insecure,
        algorithm,
      })
      t.equal(config.serverMetadata().issuer, service.config.publicUrl)
      const pair = await logInAt(service, strict.url, strict)
      const tokens = await client.refreshTokenGrant(config, pair.refreshToken)
      t.match(tokens, { token_type: 'bearer', expires_in: 900 })
      t.ok((tokens.expiresIn() ?? 0) > 890)
      t.equal((await me(service, tokens.access_token)).status, 200)
      t.match(await client.tokenIntrospection(config, tokens.access_token), {
        active: true,
        client_id: strict.id,
        sub: decodeJwt(pair.accessToken).sub,
      })
      t.strictSame(await client.tokenIntrospection(config, pair.refreshToken), { active: false })
      await client.tokenRevocation(config, tokens.refresh_token ?? '')
      t.not((await rowOf(service, pair)).revokedAt, null)
      t.strictSame(await client.tokenIntrospection(config, tokens.access_token), { active: false })
    })

t.test('refresh and revoke work without a secret, with only the id in the body', async (t) => {
  const config = await client.discovery(issuer, service.site.id, undefined, client.None(), insecure)
  const pair = await logInAt(service)
  const tokens = await client.refreshTokenGrant(config, pair.refreshToken)
  await client.tokenRevocation(config, tokens.access_token)
  t.not((await rowOf(service, pair)).revokedAt, null)
})

/** What a call was refused with. */
async function refusal(call: Promise<unknown>): Promise<unknown> {
  const outcome = await call.then(
    () => undefined,
    (error: unknown) => ({ error }),
  )
  if (outcome === undefined) throw new Error('It was not refused.')
  return outcome.error
}

t.test("error responses reach the client's caller with their error", async (t) => {
  const config = await client.discovery(issuer, service.site.id, service.site.secret, undefined, insecure)
  t.match(await refusal(client.refreshTokenGrant(config, 'junk')), {
    name: 'ResponseBodyError',
    error: 'invalid_grant',
    status: 400,
    error_description: /not issued by this service/,
  })
  const pair = await logInAt(service)
  await client.refreshTokenGrant(config, pair.refreshToken)
  await client.tokenRevocation(config, pair.refreshToken)
  t.match(await refusal(client.refreshTokenGrant(config, pair.refreshToken)), { error: 'invalid_grant' })
  t.match(await refusal(client.genericGrantRequest(config, 'client_credentials', { refresh_token: 'x' })), {
    error: 'unsupported_grant_type',
  })

  const wrong = await client.discovery(issuer, service.site.id, 'wrong', undefined, insecure)
  for (const call of [
    client.refreshTokenGrant(wrong, (await logInAt(service)).refreshToken),
    client.tokenIntrospection(wrong, pair.accessToken),
    client.tokenRevocation(wrong, pair.accessToken),
  ])
    t.match(await refusal(call), {
      name: 'WWWAuthenticateChallengeError',
      status: 401,
      cause: [{ scheme: 'basic', parameters: { realm: 'auth-movies' } }],
    })
})

t.test('the metadata list only existing endpoints and methods', async (t) => {
  const config = await client.discovery(issuer, service.site.id, undefined, client.None(), insecure)
  const metadata = config.serverMetadata()
  t.strictSame(metadata.grant_types_supported, ['authorization_code', 'refresh_token'])
  for (const endpoint of ['token_endpoint', 'revocation_endpoint', 'introspection_endpoint'] as const)
    t.equal((await fetch(String(metadata[endpoint]), { method: 'POST' })).status, 400, endpoint)
  t.equal((await fetch(String(metadata.userinfo_endpoint))).status, 401)
  for (const endpoint of ['authorization_endpoint', 'end_session_endpoint'] as const)
    t.equal((await fetch(String(metadata[endpoint]))).status, 400, endpoint)
  for (const page of ['jwks_uri', 'service_documentation'] as const)
    t.equal((await fetch(String(metadata[page]))).status, 200, page)
})

for (const [name, authenticate] of Object.entries(authentications))
  t.test(`a whole login, ${name}: PKCE, state, nonce, UserInfo, logout`, async (t) => {
    const [metadata, authentication] = authenticate(service.site.secret)
    const config = await client.discovery(issuer, service.site.id, metadata, authentication, insecure)
    const verifier = client.randomPKCECodeVerifier()
    const [state, nonce] = [client.randomState(), client.randomNonce()]
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: redirectUrl,
      scope: 'openid profile email',
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
      provider: 'google',
    })
    const tokens = await client.authorizationCodeGrant(config, await returnOf(service, url.href), {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: true,
    })
    const claims = tokens.claims()
    t.match(claims, { email_verified: true, aud: service.site.id })
    t.match(await client.fetchUserInfo(config, tokens.access_token, claims?.sub ?? ''), { email: String })
    const next = await client.refreshTokenGrant(config, tokens.refresh_token ?? '')
    t.equal(next.scope, 'openid profile email')
    const logout = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token ?? '' })
    t.equal((await fetch(logout)).status, 200)
    t.match(await refusal(client.refreshTokenGrant(config, next.refresh_token ?? '')), {
      error: 'invalid_grant',
    })
  })
