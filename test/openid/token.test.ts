import { createHash } from 'node:crypto'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import t from 'tap'
import { basic, get, text } from '../support/login-flow.ts'
import { startTestService } from '../support/service.ts'
import { codeFor, logInByOpenid, paths, pkce, requestTokens, verifier } from './standard-client.ts'

const service = await startTestService(t)
const { site } = service

t.test('a login gives an access token, a refresh token and an ID token', async (t) => {
  const answer = await logInByOpenid(service, site)
  t.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8')
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.match(answer.json, { token_type: 'Bearer', expires_in: 900, scope: 'openid profile email' })
  const { payload, protectedHeader } = await jwtVerify(
    text(answer, 'id_token'),
    createRemoteJWKSet(new URL(`${service.url}/.well-known/jwks.json`)),
    { issuer: service.config.publicUrl, audience: site.id },
  )
  t.match(protectedHeader, { alg: 'RS256', typ: 'JWT' })
  const access = decodeJwt(text(answer, 'access_token'))
  t.match(payload, {
    sub: access.sub,
    sid: access.sid,
    nonce: 'nonce-of-the-client',
    name: 'Анна Демидова',
    preferred_username: String,
    email: String,
  })
  t.equal(payload.email_verified, undefined, 'Yandex does not say')
  t.equal(payload.amr, undefined)
  const half = createHash('sha256').update(text(answer, 'access_token')).digest().subarray(0, 16)
  t.equal(payload.at_hash, half.toString('base64url'))
  t.ok(Math.abs(Number(payload.auth_time) - Number(payload.iat)) < 60)
  t.equal(access.scope, 'openid profile email')
  const me = await get(service, paths.userinfo, { authorization: `Bearer ${text(answer, 'access_token')}` })
  t.strictSame(me.json, {
    sub: access.sub,
    name: payload.name,
    preferred_username: payload.preferred_username,
    email: payload.email,
  })
})

t.test('the code is good once, for everybody, and a failed check does not use it', async (t) => {
  const code = await codeFor(service, site, pkce)
  const right = { code, code_verifier: verifier }
  const fails = async (fields: Record<string, string>, status: number, error: string, type: string) => {
    const answer = await requestTokens(service, site, fields)
    t.match(answer.json, { status, error, type: `urn:auth-movies:problem:${type}` }, type)
    t.equal(answer.status, status, type)
    t.match(answer.headers.get('content-type'), /^application\/json\b/, type)
  }
  await fails({ code }, 400, 'invalid_grant', 'verifier-missing')
  await fails({ code, code_verifier: `${verifier}x` }, 400, 'invalid_grant', 'verifier-mismatch')
  await fails({ ...right, client_secret: 'wrong' }, 401, 'invalid_client', 'wrong-credentials')
  await fails(
    { ...right, redirect_uri: 'https://client.example/other' },
    400,
    'invalid_grant',
    'redirect-url-mismatch',
  )
  await fails({ ...right, redirect_uri: '' }, 400, 'invalid_request', 'missing-parameter')
  await fails({ ...right, client_id: '', client_secret: '' }, 400, 'invalid_request', 'missing-parameter')
  await fails({ ...right, client_id: 'other', client_secret: '' }, 400, 'invalid_grant', 'site-mismatch')
  await fails({ ...right, code: `${code}A` }, 400, 'invalid_grant', 'code-mismatch')
  await fails({ ...right, code: 'junk' }, 400, 'invalid_grant', 'unknown-login')
  await fails({ ...right, grant_type: 'password' }, 400, 'unsupported_grant_type', 'unsupported-grant-type')
  await fails({ ...right, grant_type: '' }, 400, 'invalid_request', 'invalid-parameter')
  t.equal((await requestTokens(service, site, right)).status, 200)
  await fails(right, 400, 'invalid_grant', 'code-used')
  await fails({ ...right, client_secret: '' }, 400, 'invalid_grant', 'code-used')
})

t.test('without a challenge only the secret finishes the login, and the code stays good', async (t) => {
  const code = await codeFor(service, site)
  const refused = await requestTokens(service, site, { code, client_secret: '' })
  t.match([refused.status, refused.json.error], [401, 'invalid_client'])
  const finished = await requestTokens(service, site, { code, client_secret: '', client_id: '' }, basic(site))
  t.equal(finished.status, 200, finished.text)
})

t.test('PKCE alone finishes the login of a public client', async (t) => {
  const code = await codeFor(service, site, pkce)
  const answer = await requestTokens(service, site, { code, code_verifier: verifier, client_secret: '' })
  t.equal(answer.status, 200, answer.text)
  const refresh = { grant_type: 'refresh_token', client_secret: '', redirect_uri: '' }
  const next = await requestTokens(service, site, {
    ...refresh,
    refresh_token: text(answer, 'refresh_token'),
  })
  t.match(next.json, { scope: 'openid profile email', token_type: 'Bearer' })
  t.notOk('id_token' in next.json)
  const other = await requestTokens(service, site, {
    ...refresh,
    refresh_token: text(next, 'refresh_token'),
    client_id: 'another',
  })
  t.match(other.json, { error: 'invalid_grant' })
})
