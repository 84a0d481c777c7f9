import { createHash } from 'node:crypto'
import { decodeJwt } from 'jose'
import * as oidc from 'openid-client'
import t from 'tap'
import { startGoogleDouble } from '../../../sandbox/doubles/google.ts'
import type { IdTokenSpoiling } from '../../../sandbox/doubles/id-token.ts'
import {
  authorizeUrl,
  challenge,
  exchange,
  logIn,
  received,
  redirectUri,
  setting,
  userinfo,
  verifier,
} from './plain-client.ts'

// The judge takes the redirect URI from the callback without its query.
const judgedUri = 'https://auth.example/callback'
const double = await startGoogleDouble({ redirectUris: [redirectUri, judgedUri] })
t.teardown(() => double.close())

/** A client that somebody else wrote is the judge of what a correct login is. */
const judge = () =>
  oidc.discovery(
    new URL(setting(double, 'ISSUER')),
    setting(double, 'CLIENT_ID'),
    setting(double, 'CLIENT_SECRET'),
    undefined,
    { execute: [oidc.allowInsecureRequests] },
  )

async function judgedLogin(config: oidc.Configuration, changes: Record<string, string> = {}) {
  const nonce = oidc.randomNonce()
  const state = oidc.randomState()
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: judgedUri,
    scope: 'openid email profile',
    state,
    nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...changes,
  })
  const callback = new URL(await double.consent(url.href))
  const tokens = await oidc.authorizationCodeGrant(config, callback, {
    pkceCodeVerifier,
    expectedNonce: nonce,
    expectedState: state,
    idTokenExpected: true,
  })
  return {
    tokens,
    profile: await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims()?.sub ?? ''),
  }
}

t.test('openid-client accepts every response', async (t) => {
  const config = await judge()
  oidc.enableNonRepudiationChecks(config) // the signature too
  const { tokens, profile } = await judgedLogin(config)
  t.match(tokens.claims(), {
    iss: double.origin,
    aud: setting(double, 'CLIENT_ID'),
    azp: setting(double, 'CLIENT_ID'),
    sub: '1130000012345678',
    email: 'anna@mail.example',
    email_verified: true,
    at_hash: /^[\w-]{22}$/,
  })
  t.match(profile, { name: 'Анна Демидова', given_name: 'Анна', family_name: 'Демидова' })
  t.equal(tokens.expires_in, 3599)
  t.equal(tokens.refresh_token, undefined)

  const offline = await judgedLogin(config, { access_type: 'offline' })
  const refreshed = await oidc.refreshTokenGrant(config, offline.tokens.refresh_token ?? '')
  t.equal(refreshed.refresh_token, undefined)
  double.switches.keys.rotate()
  await t.rejects(judgedLogin(config), 'keys that the judge does not know yet')
  const fresh = await judge()
  oidc.enableNonRepudiationChecks(fresh)
  await t.resolves(judgedLogin(fresh))
})

t.test('openid-client rejects invalid ID tokens', async (t) => {
  const spoilings: Partial<Record<IdTokenSpoiling, RegExp>> = {
    absent: /id_token/,
    garbage: /JWT|JWS/,
    'wrong-aud': /"aud"/,
    'wrong-iss': /"iss"/,
    'wrong-nonce': /"nonce"/,
    'no-nonce': /"nonce"/,
    'two-aud-no-azp': /audiences/,
    expired: /"exp"/,
    'no-exp': /"exp"/,
    'no-sub': /"sub"/,
    'other-sub': /subject|"sub"/,
    'unknown-kid': /JWKS|key/i,
    'bad-signature': /signature/,
    'alg-none': /"alg"/,
    'alg-hs256': /"alg"/,
  }
  t.teardown(() => Object.assign(double.switches, { idToken: undefined }))
  for (const [spoiling, complaint] of Object.entries(spoilings) as [IdTokenSpoiling, RegExp][]) {
    double.switches.idToken = spoiling
    const config = await judge()
    oidc.enableNonRepudiationChecks(config)
    t.match(await judgedLogin(config).then(() => 'accepted', reasons), complaint, spoiling)
  }
})

/** An error's message and those of its causes. */
function reasons(error: unknown): string {
  return error instanceof Error ? `${error.message}. ${reasons(error.cause)}` : (JSON.stringify(error) ?? '')
}

t.test('faults of ID tokens that openid-client does not check are there, too', async (t) => {
  t.teardown(() => Object.assign(double.switches, { idToken: undefined, idTokenClaims: {} }))
  const claims = async (spoiling?: IdTokenSpoiling) => {
    double.switches.idToken = spoiling
    return decodeJwt(String((await logIn(double)).tokens.body['id_token']))
  }
  const right = await claims()
  t.not((await claims('wrong-azp'))['azp'], right['azp'])
  t.ok(Number((await claims('issued-in-future')).iat) > Date.now() / 1000 + 3600)
  double.switches.idToken = 'wrong-at-hash'
  const { tokens } = await logIn(double)
  const hash = createHash('sha256').update(String(tokens.body['access_token'])).digest()
  const atHash = hash.subarray(0, 16).toString('base64url')
  t.not(decodeJwt(String(tokens.body['id_token']))['at_hash'], atHash)
  double.switches.idTokenClaims = { email_verified: 'true', exp: undefined }
  const own = await claims()
  t.equal(own['email_verified'], 'true')
  t.notOk('exp' in own)
})

t.test('the callback has iss (RFC 9207) as switched', async (t) => {
  const issuers = async () => new URL(await double.consent(authorizeUrl(double))).searchParams.getAll('iss')
  t.strictSame(await issuers(), [double.origin])
  t.teardown(() => Object.assign(double.switches, { iss: 'sent' }))
  double.switches.iss = 'absent'
  t.strictSame(await issuers(), [])
  double.switches.iss = 'repeated'
  t.strictSame(await issuers(), [double.origin, double.origin])
  double.switches.iss = 'wrong'
  t.match(await judgedLogin(await judge()).then(() => 'accepted', reasons), /"iss"/)
})

t.test("codes look like Google's, and an undecoded one is malformed", async (t) => {
  const code = new URL(await double.consent(authorizeUrl(double))).searchParams.get('code') ?? ''
  t.match(code, /^4\/0A/)
  const malformed = {
    status: 400,
    body: { error: 'invalid_grant', error_description: 'Malformed auth code.' },
  }
  t.match(await exchange(double, encodeURIComponent(code)), malformed)
  t.match(await exchange(double, '4/0Aforeign'), { body: { error_description: 'Bad Request' } })
  t.equal((await exchange(double, code)).status, 200)
})

t.test("the token endpoint sends Google's error responses", async (t) => {
  await double.consent(authorizeUrl(double), { code: 'plain' })
  const pkce = { code_challenge: challenge, code_challenge_method: 'S256' }
  await double.consent(authorizeUrl(double, pkce), { code: 'pkce' })
  const rows = [
    ['plain', { redirect_uri: 'https://auth.example/' }, 400, 'redirect_uri_mismatch', 'Bad Request'],
    ['plain', { code_verifier: verifier }, 400, 'invalid_grant', 'code_verifier or verifier is not needed.'],
    ['pkce', {}, 400, 'invalid_grant', 'Missing code verifier.'],
    ['pkce', { code_verifier: 'b'.repeat(43) }, 400, 'invalid_grant', 'Invalid code verifier.'],
    ['plain', { client_secret: 'x' }, 401, 'invalid_client', 'Unauthorized'],
    ['plain', { client_id: 'x' }, 401, 'invalid_client', 'The OAuth client was not found.'],
    ['plain', { client_id: undefined }, 400, 'invalid_request', /client ID/],
    ['plain', { grant_type: undefined }, 400, 'invalid_request', /grant_type/],
    ['plain', { grant_type: 'password' }, 400, 'unsupported_grant_type', /password/],
    [null, {}, 400, 'invalid_request', /code/],
  ] as const
  for (const [code, changes, status, error, error_description] of rows)
    t.match(await exchange(double, code, changes), { status, body: { error, error_description } })

  const broken = await fetch(setting(double, 'TOKEN_URL'), { method: 'POST', body: 'grant_type=%zz' })
  t.equal(broken.status, 400)
  t.match(broken.headers.get('content-type'), 'text/html')
  t.equal((await exchange(double, 'plain')).status, 200, 'and the code is still good')
})

t.test('invalid authorization requests get an error page', async (t) => {
  for (const changes of [
    { scope: undefined },
    { response_type: undefined },
    { response_type: 'token' },
    { redirect_uri: undefined },
    { code_challenge: challenge, code_challenge_method: 's256' },
  ])
    t.equal((await fetch(authorizeUrl(double, changes), { redirect: 'manual' })).status, 400)
  t.match(await double.refuse(authorizeUrl(double, { prompt: 'none' })), /error=access_denied/)
  await t.rejects(double.consent(authorizeUrl(double, { prompt: 'none' })), /access_denied/)
})

t.test('userinfo has the claims of the scopes, and an error response of its own', async (t) => {
  const narrow = await logIn(double, {}, { scope: 'openid' })
  t.strictSame(Object.keys(narrow.profile.body), ['sub'])
  const plain = await logIn(double, {}, { scope: 'email' })
  t.notOk('id_token' in plain.tokens.body)
  const workspace = await logIn(double, { person: { name: 'Mononym', workspace: 'company.example' } })
  t.match(workspace.profile.body, { hd: 'company.example', given_name: 'Mononym' })
  t.notOk('family_name' in workspace.profile.body)
  t.match(await userinfo(double, 'x'), {
    status: 401,
    body: { error: 'invalid_request', error_description: 'Invalid Credentials' },
  })
})

t.test('a revoked access token is no longer accepted', async (t) => {
  const { tokens } = await logIn(double)
  const revoke = async () => {
    const body = new URLSearchParams({ token: String(tokens.body['access_token']) })
    return received(await fetch(`${double.origin}/revoke`, { method: 'POST', body }))
  }
  t.equal((await revoke()).status, 200)
  t.match(await revoke(), { status: 400, body: { error: 'invalid_token' } })
  t.equal((await userinfo(double, tokens.body['access_token'])).status, 401)
})

t.test('faults can be set for the JWKS endpoint', async (t) => {
  double.fault('jwks', '503-html', 1)
  t.equal((await fetch(setting(double, 'JWKS_URL'))).status, 503)
  t.equal((await fetch(setting(double, 'JWKS_URL'))).status, 200)
})
