import { decodeJwt } from 'jose'
import t from 'tap'
import { rotateKey } from '../../src/keys/commands.ts'
import { updateSite } from '../../src/sites/store.ts'
import { siteRules } from '../../src/sites/validate.ts'
import { me } from '../sessions/http/session-requests.ts'
import type { Answer } from '../support/login-flow.ts'
import { get, post, text } from '../support/login-flow.ts'
import { registerSite, sharedSecretKeys, startTestService } from '../support/service.ts'
import type { Fields } from './standard-client.ts'
import { logInByOpenid, paths } from './standard-client.ts'

let ahead = 0
const service = await startTestService(t, { now: () => performance.now() + ahead })
const { site } = service
const rules = siteRules('strict', [{ name: 'yandex' }, { name: 'google' }, { name: 'mail' }])
const bye = 'https://client.example/goodbye?from=login'
await updateSite(service.database, site.id, { postLogoutRedirectUrls: [bye] }, rules)

const logOut = (fields: Fields, headers: Fields = { accept: 'text/html' }) =>
  get(service, `${paths.logout}?${new URLSearchParams(fields)}`, headers)
const lives = async (tokens: Answer) => (await me(service, text(tokens, 'access_token'))).status === 200

t.test('the hint ends its session and the browser goes to a registered URL with the state', async (t) => {
  for (const send of [logOut, (fields: Fields) => post(service, paths.logout, fields)]) {
    const tokens = await logInByOpenid(service, site)
    const others = await logInByOpenid(service, site)
    const answer = await send({
      id_token_hint: text(tokens, 'id_token'),
      post_logout_redirect_uri: bye,
      state: 'a&b',
      client_id: site.id,
    })
    t.match([answer.status, answer.headers.get('location')], [303, `${bye}&state=a%26b`])
    t.notOk(await lives(tokens))
    t.ok(await lives(others), 'other sessions of the same person go on')
    t.equal((await send({ id_token_hint: text(tokens, 'id_token') })).status, 200, 'again')
  }
})

t.test('without a URL there is a page', async (t) => {
  const tokens = await logInByOpenid(service, site)
  const page = await logOut({ id_token_hint: text(tokens, 'id_token') })
  t.equal(page.status, 200)
  t.match(page.text, /You are logged out/)
  t.notOk(await lives(tokens))
})

t.test('never to a URL that is not on the list', async (t) => {
  const other = await registerSite(service.database, 'https://other.example/return')
  await updateSite(
    service.database,
    other.id,
    { postLogoutRedirectUrls: ['https://other.example/bye'] },
    rules,
  )
  for (const url of [
    'https://evil.test/',
    `${bye}/`,
    'https://client.example/goodbye',
    'https://client.example/oauth/return',
    'https://other.example/bye',
    'javascript:alert(1)',
    '//evil.test',
  ]) {
    const tokens = await logInByOpenid(service, site)
    const answer = await logOut({ id_token_hint: text(tokens, 'id_token'), post_logout_redirect_uri: url })
    t.match([answer.status, answer.headers.get('location')], [400, null], url)
    t.match(answer.text, /<h1>You are logged out<\/h1>.*the way back to the site could not be found/s)
    t.notMatch(answer.text, /evil\.test/)
    t.notOk(await lives(tokens), 'the person wanted to log out')
  }
})

t.test('the pages of a failed logout speak the language of the browser', async (t) => {
  const russian = { accept: 'text/html', 'accept-language': 'ru' }
  const tokens = await logInByOpenid(service, site)
  const hint = { id_token_hint: text(tokens, 'id_token') }
  const unknown = await logOut({ ...hint, post_logout_redirect_uri: 'https://evil.test/' }, russian)
  t.match(unknown.text, /<title>Вы вышли[^]*<h1>Вы вышли<\/h1>/)
  const forged = await logOut({ id_token_hint: 'junk' }, russian)
  t.match(forged.text, /<title>Выйти не получилось[^]*<h1>Выйти не получилось<\/h1>/)
})

t.test('a forged hint, another token and none redirect nowhere and end nothing', async (t) => {
  const tokens = await logInByOpenid(service, site)
  const hint = text(tokens, 'id_token')
  const [head = '', claims = '', signature = ''] = hint.split('.')
  const unsigned = Buffer.from('{"alg":"none"}').toString('base64url')
  const kid = service.keys.activeId('ES256').kid
  const otherKey = Buffer.from(JSON.stringify({ alg: 'RS256', typ: 'JWT', kid })).toString('base64url')
  const changed = Buffer.from(JSON.stringify({ ...decodeJwt(hint), aud: 'x' })).toString('base64url')
  for (const [name, token] of Object.entries({
    none: '',
    junk: 'junk',
    'no signature': `${head}.${claims}.`,
    'alg none': `${unsigned}.${claims}.`,
    "another key's kid": `${otherKey}.${claims}.${signature}`,
    'changed claims': `${head}.${changed}.${signature}`,
    'an access token': text(tokens, 'access_token'),
    'a refresh token': text(tokens, 'refresh_token'),
  })) {
    const answer = await logOut({ id_token_hint: token, post_logout_redirect_uri: bye })
    t.match([answer.status, answer.headers.get('location')], [400, null], name)
    t.match(answer.text, /<h1>The logout did not succeed<\/h1>/, name)
    t.ok(await lives(tokens), name)
  }
  const wrongClient = await logOut({ id_token_hint: hint, client_id: 'other', post_logout_redirect_uri: bye })
  t.match([wrongClient.status, wrongClient.headers.get('location')], [400, null])
  const twice = await get(service, `${paths.logout}?id_token_hint=${hint}&id_token_hint=${hint}`)
  t.equal(twice.status, 400)
  t.ok(await lives(tokens))
  t.equal((await me(service, hint)).status, 401, 'an ID token is no access token')
})

t.test('an expired hint counts, also after its key was replaced', async (t) => {
  const tokens = await logInByOpenid(service, site)
  await rotateKey('id', { ...service.config, database: service.database, secretKeys: sharedSecretKeys })
  await service.keys.reload()
  const kid = service.keys.activeId('RS256').kid
  ahead = 86_400_000
  t.not(service.keys.activeId('RS256').kid, kid, 'the next key signs')
  const answer = await logOut({ id_token_hint: text(tokens, 'id_token'), post_logout_redirect_uri: bye })
  ahead = 0
  t.equal(answer.headers.get('location'), bye)
  const rows = await service.database.pool.query(
    'SELECT FROM sessions WHERE id = $1 AND revoked_at IS NOT NULL',
    [decodeJwt(text(tokens, 'id_token')).sid],
  )
  t.equal(rows.rowCount, 1)
})

t.test('a state that is no Unicode does not break the way back', async (t) => {
  const tokens = await logInByOpenid(service, site)
  const fields = { id_token_hint: text(tokens, 'id_token'), post_logout_redirect_uri: bye }
  const response = await fetch(service.url + paths.logout, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/html' },
    body: JSON.stringify({ ...fields, state: `a${String.fromCharCode(0xd8_00)}` }),
    redirect: 'manual',
  })
  t.equal(response.status, 303)
  t.ok(response.headers.get('location')?.startsWith(`${bye}&state=a`))
})

t.test('hints are counted as tokens are: forged ones by network, genuine ones by session', async (t) => {
  const { database, doubles } = service
  const limited = await startTestService(t, { database, doubles, site })
  const hintOf = async () => text(await logInByOpenid(limited, site), 'id_token')
  const statusOf = async (hint: string) =>
    (await get(limited, `${paths.logout}?${new URLSearchParams({ id_token_hint: hint })}`)).status
  const often = async (hint: string) => {
    for (let round = 0; round < 7; round++)
      await Promise.all(Array.from({ length: 100 }, () => statusOf(hint)))
    return await statusOf(hint)
  }
  const [hint, other] = [await hintOf(), await hintOf()]
  t.equal(await often(`${hint.slice(0, hint.lastIndexOf('.'))}.${'A'.repeat(342)}`), 429, 'forged')
  t.equal(await often(hint), 429, 'the same again and again')
  t.equal(await statusOf(other), 200, 'another session is not touched')
  t.equal(await often('junk'), 400, 'what costs no check of a signature is not counted')
})
