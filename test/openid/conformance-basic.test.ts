import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import type { Test } from 'tap'
import t from 'tap'
import type { Answer } from '../support/login-flow.ts'
import { basic, get, post, text } from '../support/login-flow.ts'
import { registerSite, startTestService } from '../support/service.ts'
import type { Fields } from './standard-client.ts'
import {
  answered,
  authorizationRequest,
  authorize,
  codeFor,
  loginUntilReturn,
  paths,
  pkce,
  requestTokens,
  verifier,
} from './standard-client.ts'

// The modules of the OpenID Foundation's `oidcc-basic-certification-test-plan`, by their names and in its order, each doing
// what the module does (https://gitlab.com/openid/conformance-suite). Where a module cannot pass here, the test says why and
// holds what the service does instead.
const service = await startTestService(t)
const { site } = service
const secretBasic = { ...basic(site) }

const metadata = async () => (await get(service, '/.well-known/openid-configuration')).json
const claimsOf = (tokens: Answer) => decodeJwt(text(tokens, 'id_token'))
const userinfo = (tokens: Answer) =>
  get(service, paths.userinfo, { authorization: `Bearer ${text(tokens, 'access_token')}` })

/** The login that most modules do: client_secret_basic, then every check of the suite on answer and ID token. */
async function logIn(t: Test, fields: Fields = {}, scope = 'openid'): Promise<Answer> {
  const nonce = `nonce-${performance.now()}`
  const request: Fields = { scope, nonce, ...fields }
  const back = answered(await loginUntilReturn(service, site, request))
  t.equal(back.state, request.state ?? 'state-of-the-client')
  t.equal(back.iss, service.config.publicUrl)
  const code = back.code ?? ''
  const tokens = await requestTokens(service, site, { code, client_id: '', client_secret: '' }, secretBasic)
  t.equal(tokens.status, 200, tokens.text)
  t.equal(tokens.json.token_type, 'Bearer')
  t.ok(Number(tokens.json.expires_in) > 0)
  t.match(tokens.headers.get('cache-control'), /no-store/)
  t.equal(tokens.headers.get('pragma'), 'no-cache')
  const keys = createRemoteJWKSet(new URL(`${service.url}/.well-known/jwks.json`))
  const { payload } = await jwtVerify(text(tokens, 'id_token'), keys, {
    issuer: service.config.publicUrl,
    audience: site.id,
  })
  t.equal(payload.nonce, request.nonce === '' ? undefined : request.nonce)
  t.match(payload.sub, /^[\x21-\x7e]{1,255}$/)
  return tokens
}

t.test('oidcc-server', async (t) => {
  const one = await logIn(t)
  const other = await logIn(t)
  t.not(text(one, 'access_token'), text(other, 'access_token'))
  t.equal(claimsOf(one).sub, claimsOf(other).sub)
})

t.test('oidcc-response-type-missing', async (t) => {
  const back = answered(await authorize(service, site, { response_type: '' }))
  t.match(back, { error: /^(unsupported_response_type|invalid_request)$/, state: 'state-of-the-client' })
})

t.test('oidcc-idtoken-signature', async (t) => {
  const header = decodeProtectedHeader(text(await logIn(t), 'id_token'))
  t.match(header, { alg: 'RS256', kid: String })
})

t.test('oidcc-idtoken-unsigned: skipped by the suite, as alg none is not offered', async (t) => {
  t.notOk([(await metadata()).id_token_signing_alg_values_supported].flat().includes('none'))
})

t.test('oidcc-userinfo-get', async (t) => {
  const tokens = await logIn(t)
  const answer = await userinfo(tokens)
  t.equal(answer.status, 200)
  t.match(answer.headers.get('content-type'), /^application\/json\b/)
  t.equal(answer.json.sub, claimsOf(tokens).sub)
})

t.test('oidcc-userinfo-post-header', async (t) => {
  const authorization = `Bearer ${text(await logIn(t), 'access_token')}`
  t.equal((await post(service, paths.userinfo, {}, { headers: { authorization } })).status, 200)
})

t.test('oidcc-userinfo-post-body', async (t) => {
  const access_token = text(await logIn(t), 'access_token')
  t.equal((await post(service, paths.userinfo, { access_token })).status, 200)
})

t.test('oidcc-ensure-request-without-nonce-succeeds-for-code-flow', async (t) => {
  t.equal(claimsOf(await logIn(t, { nonce: '' })).nonce, undefined)
})

t.test('oidcc-scope-profile', async (t) => {
  t.match((await userinfo(await logIn(t, {}, 'openid profile'))).json, {
    name: String,
    preferred_username: String,
  })
})

t.test('oidcc-scope-email', async (t) => {
  const tokens = await logIn(t, { provider: 'google' }, 'openid email')
  t.match((await userinfo(tokens)).json, { email: /@/, email_verified: Boolean })
})

for (const scope of ['address', 'phone'])
  t.test(`oidcc-scope-${scope}: skipped by the suite, as the scope is not offered`, async (t) => {
    t.notOk([(await metadata()).scopes_supported].flat().includes(scope))
    const tokens = await logIn(t, {}, `openid ${scope}`)
    t.equal(tokens.json.scope, 'openid', 'what is unknown is ignored, and the answer says so')
  })

t.test('oidcc-scope-all: of those that are offered', async (t) => {
  const scope = [(await metadata()).scopes_supported].flat().join(' ')
  const tokens = await logIn(t, { provider: 'google' }, scope)
  t.match((await userinfo(tokens)).json, { sub: String, name: String, email: String })
})

t.test('oidcc-ensure-other-scope-order-succeeds', async (t) => {
  t.equal((await logIn(t, {}, 'email openid')).json.scope, 'openid email')
})

for (const display of ['page', 'popup'])
  t.test(`oidcc-display-${display}`, async (t) => {
    await logIn(t, { display })
  })

t.test('oidcc-prompt-login', async (t) => {
  const first = claimsOf(await logIn(t))
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  const second = claimsOf(await logIn(t, { prompt: 'login' }))
  t.ok(Number(second.auth_time) > Number(first.auth_time))
  t.equal(first.sub, second.sub)
})

t.test('oidcc-prompt-none-not-logged-in', async (t) => {
  const back = answered(await authorize(service, site, { prompt: 'none' }))
  t.match(back, { error: 'login_required', state: 'state-of-the-client' })
})

t.test(
  'oidcc-prompt-none-logged-in: cannot pass, as there is no session of ours in the browser',
  async (t) => {
    await logIn(t)
    t.match(answered(await authorize(service, site, { prompt: 'none' })), { error: 'login_required' })
  },
)

t.test('oidcc-max-age-1', async (t) => {
  const first = claimsOf(await logIn(t))
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  const second = claimsOf(await logIn(t, { max_age: '1' }))
  t.ok(Number(second.auth_time) > Number(first.auth_time))
  t.ok(Number(second.iat) - Number(second.auth_time) <= 1)
})

t.test(
  'oidcc-max-age-10000: each login authenticates anew at the provider, so auth_time moves',
  async (t) => {
    const first = claimsOf(await logIn(t))
    const second = claimsOf(await logIn(t, { max_age: '10000' }))
    t.equal(first.sub, second.sub)
    t.ok(Number(second.auth_time) >= Number(first.auth_time))
    t.ok(Number(second.iat) - Number(second.auth_time) < 10_000)
  },
)

t.test('oidcc-ensure-request-with-unknown-parameter-succeeds', async (t) => {
  await logIn(t, { extra: 'foobar' })
})

t.test(
  'oidcc-id-token-hint: cannot pass, as it comes with prompt=none; without, it is ignored',
  async (t) => {
    const id_token_hint = text(await logIn(t), 'id_token')
    const silent = await authorize(service, site, { prompt: 'none', id_token_hint })
    t.match(answered(silent), { error: 'login_required' })
    await logIn(t, { id_token_hint })
  },
)

t.test('oidcc-login-hint', async (t) => {
  await logIn(t, { login_hint: 'buffy@auth-movies.example' })
})

t.test('oidcc-ui-locales', async (t) => {
  await logIn(t, { ui_locales: 'se' })
})

t.test('oidcc-claims-locales', async (t) => {
  await logIn(t, { claims_locales: 'se' })
})

t.test('oidcc-ensure-request-with-acr-values-succeeds', async (t) => {
  await logIn(t, { acr_values: '1 2' })
})

/** Uses a code, waits, and uses it again. @returns the second answer */
async function reused(t: Test, wait: number): Promise<{ second: Answer; first: Answer }> {
  const code = await codeFor(service, site)
  const first = await requestTokens(service, site, { code })
  t.equal(first.status, 200)
  await new Promise((resolve) => setTimeout(resolve, wait))
  return { first, second: await requestTokens(service, site, { code }) }
}

t.test('oidcc-codereuse', async (t) => {
  const { second } = await reused(t, 0)
  t.match([second.status, second.json.error], [400, 'invalid_grant'])
})

t.test(
  'oidcc-codereuse-30seconds: refused; the tokens of the first use stay good, a warning there',
  async (t) => {
    // The suite waits half a minute; the claim of a login is the same in its second as in its thirtieth second.
    const { first, second } = await reused(t, 1_000)
    t.match([second.status, second.json.error], [400, 'invalid_grant'])
    t.equal((await userinfo(first)).status, 200)
  },
)

t.test('oidcc-ensure-registered-redirect-uri', async (t) => {
  const page = await authorize(service, site, { redirect_uri: 'https://client.example/oauth/return/x' })
  t.match([page.status, page.headers.get('location')], [400, null])
  t.match(page.headers.get('content-type'), /^text\/html/)
})

t.test('oidcc-ensure-post-request-succeeds', async (t) => {
  const on = await post(service, paths.authorization, authorizationRequest(site))
  t.equal(on.status, 303)
  t.ok(on.headers.get('location')?.startsWith(service.doubles.yandex.origin))
})

t.test('oidcc-server-client-secret-post', async (t) => {
  t.equal((await requestTokens(service, site, { code: await codeFor(service, site) })).status, 200)
  t.ok([(await metadata()).token_endpoint_auth_methods_supported].flat().includes('client_secret_post'))
})

t.test('oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported', async (t) => {
  t.equal((await metadata()).request_uri_parameter_supported, false)
  const request_uri = 'https://client.example/request.jwt'
  t.match(answered(await authorize(service, site, { request_uri })), { error: 'request_uri_not_supported' })
})

/** An unsigned request object. */
const requestObject = (claims: object) =>
  `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`

t.test('oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported', async (t) => {
  const request = requestObject({ ...authorizationRequest(site), state: 'another' })
  t.match(answered(await authorize(service, site, { request })), {
    error: 'request_not_supported',
    state: 'state-of-the-client',
  })
})

t.test('oidcc-claims-essential: the claims parameter is not offered, and ignored', async (t) => {
  t.equal((await metadata()).claims_parameter_supported, false)
  await logIn(t, { claims: '{"userinfo":{"name":{"essential":true}}}' })
})

t.test(
  'oidcc-ensure-request-object-with-redirect-uri: skipped by the suite, as request objects are not offered',
  async (t) => {
    const request = requestObject({ redirect_uri: 'https://evil.test/return' })
    const back = await authorize(service, site, { request })
    t.notMatch(back.headers.get('location'), /evil\.test/)
    t.match(answered(back), { error: 'request_not_supported' })
  },
)

t.test('oidcc-refresh-token', async (t) => {
  const first = await logIn(t)
  const refresh = {
    grant_type: 'refresh_token',
    redirect_uri: '',
    refresh_token: text(first, 'refresh_token'),
  }
  const next = await requestTokens(service, site, refresh)
  t.equal(next.status, 200)
  t.not(text(next, 'access_token'), text(first, 'access_token'))
  t.equal((await userinfo(next)).json.sub, claimsOf(first).sub)
  const second = await registerSite(service.database, 'https://second.example/return')
  const stolen = await requestTokens(service, second, {
    ...refresh,
    refresh_token: text(next, 'refresh_token'),
  })
  t.match([stolen.status, stolen.json.error], [400, 'invalid_grant'], "another client's token")
})

t.test('oidcc-ensure-request-with-valid-pkce-succeeds', async (t) => {
  const code = await codeFor(service, site, pkce)
  t.equal((await requestTokens(service, site, { code, code_verifier: verifier })).status, 200)
})
