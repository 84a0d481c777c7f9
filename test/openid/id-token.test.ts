import { createHash } from 'node:crypto'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import t from 'tap'
import { revokeKey, rotateKey } from '../../src/keys/commands.ts'
import type { IdTokenAlg } from '../../src/keys/material.ts'
import { updateSite } from '../../src/sites/store.ts'
import { siteRules } from '../../src/sites/validate.ts'
import { get, logIn, post, text } from '../support/login-flow.ts'
import { registerSite, sharedSecretKeys, startTestService } from '../support/service.ts'
import { codeFor, logInByOpenid, paths, requestTokens } from './standard-client.ts'

const service = await startTestService(t)
const { site, database } = service
const rules = siteRules('strict', [{ name: 'yandex' }, { name: 'google' }, { name: 'mail' }])
const keySet = () => createRemoteJWKSet(new URL(`${service.url}/.well-known/jwks.json`))
const keyOptions = { ...service.config, database, secretKeys: sharedSecretKeys }

for (const [alg, hash] of [
  ['RS256', 'sha256'],
  ['ES256', 'sha256'],
  ['EdDSA', 'sha512'],
] as const satisfies [IdTokenAlg, string][])
  t.test(`${alg} by the setting of the site`, async (t) => {
    const redirectUri = `https://${alg.toLowerCase()}.example/return`
    const client = { ...(await registerSite(database, redirectUri)), redirectUri }
    await updateSite(database, client.id, { idTokenAlg: alg }, rules)
    const answer = await logInByOpenid(service, client)
    const idToken = text(answer, 'id_token')
    const { protectedHeader, payload } = await jwtVerify(idToken, keySet(), { audience: client.id })
    t.strictSame(protectedHeader, { alg, typ: 'JWT', kid: service.keys.activeId(alg).kid })
    const digest = createHash(hash).update(text(answer, 'access_token')).digest()
    t.equal(payload.at_hash, digest.subarray(0, digest.length / 2).toString('base64url'))
    t.equal(Number(payload.exp) - Number(payload.iat), answer.json.expires_in)
    t.equal(decodeProtectedHeader(text(answer, 'access_token')).alg, 'EdDSA', 'TOKEN_ALG, as ever')
  })

t.test('claims follow the scope and what the provider tells', async (t) => {
  const claims = async (scope: string, provider = 'google') => {
    const answer = await logInByOpenid(service, site, { scope, provider })
    const userinfo = await get(service, paths.userinfo, {
      authorization: `Bearer ${text(answer, 'access_token')}`,
    })
    const me = await get(service, '/api/v1/me/', { authorization: `Bearer ${text(answer, 'access_token')}` })
    const { iss, aud, exp, iat, auth_time, nonce, at_hash, sid, ...person } = decodeJwt(
      text(answer, 'id_token'),
    )
    t.ok([iss, aud, exp, iat, auth_time, nonce, at_hash, sid].every((one) => one !== undefined))
    t.strictSame(userinfo.json, person, `UserInfo says the same: ${scope}`)
    const { name, login, email, email_verified } = me.json
    return [Object.keys(person).toSorted(), { name, login, email, email_verified }]
  }
  const nobody = { name: null, login: null, email: null, email_verified: null }
  t.strictSame(await claims('openid'), [['sub'], nobody])
  t.match(await claims('openid email'), [['email', 'email_verified', 'sub'], { name: null, email: String }])
  t.match(await claims('openid profile'), [['name', 'sub'], { name: String, email: null }])
  t.match(await claims('openid profile email'), [['email', 'email_verified', 'name', 'sub']])
  t.match(await claims('openid profile email', 'yandex'), [['email', 'name', 'preferred_username', 'sub']])
})

t.test('what a provider tells only once stays in the ID tokens of later logins', async (t) => {
  const person = async () =>
    decodeJwt(text(await logInByOpenid(service, site, { provider: 'apple' }), 'id_token'))
  const first = await person()
  t.match(first, { name: String, email: String })
  const { name, email, sub } = first
  t.match(await person(), { name, email, sub })
})

t.test("UserInfo of a session of the guide's door tells everything", async (t) => {
  const { accessToken } = await logIn(service)
  const { json } = await get(service, paths.userinfo, { authorization: `Bearer ${accessToken}` })
  t.match(json, { sub: String, name: String, preferred_username: String, email: String })
  t.equal(decodeJwt(accessToken).scope, undefined)
})

t.test('UserInfo by POST takes the token in header or body, and refuses both, none and junk', async (t) => {
  const token = text(await logInByOpenid(service, site), 'access_token')
  const authorization = `Bearer ${token}`
  t.equal((await post(service, paths.userinfo, {}, { headers: { authorization } })).status, 200)
  t.equal(
    (await fetch(service.url + paths.userinfo, { method: 'POST', headers: { authorization } })).status,
    200,
  )
  t.equal((await post(service, paths.userinfo, { access_token: token })).status, 200)
  const both = await post(service, paths.userinfo, { access_token: token }, { headers: { authorization } })
  t.match(both.json, { status: 400, error: 'invalid_request' })
  const none = await post(service, paths.userinfo, {})
  t.match([none.status, none.headers.get('www-authenticate')], [401, 'Bearer realm="auth-movies"'])
  const junk = await get(service, paths.userinfo, { authorization: `${authorization}x` })
  t.match(junk.headers.get('www-authenticate'), /error="invalid_token"/)
  t.match(junk.headers.get('content-type'), /^application\/json\b/)
  t.equal((await get(service, `${paths.userinfo}?access_token=${token}`)).status, 401, 'never in the query')
})

t.test('the scope stays with the session over refreshes, and introspection knows it', async (t) => {
  const first = await logInByOpenid(service, site, { scope: 'openid email' })
  const next = await requestTokens(service, site, {
    grant_type: 'refresh_token',
    refresh_token: text(first, 'refresh_token'),
    redirect_uri: '',
  })
  t.equal(next.json.scope, 'openid email')
  t.equal(decodeJwt(text(next, 'access_token')).scope, 'openid email')
  const again = await post(service, '/api/v1/oauth/refresh/', { refresh_token: text(next, 'refresh_token') })
  t.equal(again.json.scope, 'openid email', 'the old address serves it as well')
  const asked = await post(service, '/api/v1/oauth/introspect/', {
    token: text(again, 'access_token'),
    client_id: site.id,
    client_secret: site.secret,
  })
  t.match(asked.json, { active: true, scope: 'openid email' })
})

t.test('keys of ID tokens rotate and are revoked as the others, an algorithm at a time', async (t) => {
  const before = service.keys.activeId('RS256').kid
  const next = await rotateKey('id', keyOptions)
  t.match(next, { kind: 'id', alg: 'RS256' })
  await t.rejects(rotateKey('id', keyOptions), { message: new RegExp(`${next.kid} waits already`) })
  t.match(await rotateKey('id', keyOptions, 'EdDSA'), { kind: 'id', alg: 'EdDSA' })
  await service.keys.reload()
  t.equal(service.keys.activeId('RS256').kid, before, 'published before it signs')
  const published = await (await fetch(`${service.url}/.well-known/jwks.json`)).text()
  t.match(published, next.kid)
  const revoked = await revokeKey(before, { ...keyOptions, endSessions: async () => 0 })
  t.match(revoked, { kind: 'id', successor: next.kid })
  await service.keys.reload()
  const { kid } = decodeProtectedHeader(text(await logInByOpenid(service, site), 'id_token'))
  t.equal(kid, next.kid)
  t.notMatch(await (await fetch(`${service.url}/.well-known/jwks.json`)).text(), before)
})

t.test('the event loop goes on while an RSA signature is made', async (t) => {
  const key = service.keys.activeId('RS256')
  let turns = 0
  const timer = setInterval(() => turns++, 0)
  await Promise.all(Array.from({ length: 64 }, () => key.sign({ sub: 'x' })))
  clearInterval(timer)
  t.ok(turns > 1)
})

t.test('a code may hold any text that a provider sends', async (t) => {
  for (const code of [`4/0A+x=y&z%2F@<;"'$HOME \\b`, 'x'.repeat(4_000)]) {
    const on = await codeFor(service, site, {}, { code: `${code}${performance.now()}` })
    t.match(on, /^[\w-]+$/)
    t.equal((await requestTokens(service, site, { code: on })).status, 200)
  }
})
