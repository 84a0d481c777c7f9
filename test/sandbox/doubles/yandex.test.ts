import t from 'tap'
import { startYandexDouble } from '../../../sandbox/doubles/yandex.ts'
import { authorizeUrl, exchange, logIn, received, redirectUri, setting, userinfo } from './plain-client.ts'

const double = await startYandexDouble({ redirectUris: [redirectUri] })
t.teardown(() => double.close())
const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`
const pair = `${setting(double, 'CLIENT_ID')}:${setting(double, 'CLIENT_SECRET')}`

t.test('with an Authorization header the credentials in the body are ignored', async (t) => {
  const wrong = { client_id: 'wrong', client_secret: 'wrong' }
  await double.consent(authorizeUrl(double), { code: 'c1' })
  t.match(await exchange(double, 'c1', {}, { authorization: basic('wrong:wrong') }), {
    status: 400,
    body: { error: 'invalid_client', error_description: 'Client not found' },
  })
  t.match(await exchange(double, 'c1', {}, { authorization: basic(`${pair}x`) }), {
    status: 400,
    body: { error: 'invalid_client', error_description: 'Wrong client secret' },
  })
  t.equal((await exchange(double, 'c1', wrong, { authorization: basic(pair) })).status, 200)
})

t.test("an unreadable Authorization header gets 401 and Yandex's own error", async (t) => {
  t.strictSame((await exchange(double, 'c', {}, { authorization: 'Basic !!!' })).body, {
    error: 'Malformed Authorization header',
  })
  const { status, body } = await exchange(double, 'c', {}, { authorization: 'Bearer x' })
  t.equal(status, 401)
  t.strictSame(body, { error: 'Basic auth required' })
})

t.test('a body that is not a form has no grant_type', async (t) => {
  for (const [type, body] of [
    ['application/json', '{"grant_type":"authorization_code"}'],
    ['application/x-www-form-urlencoded', ''],
  ] as const) {
    const headers = { 'content-type': type }
    const answer = await received(
      await fetch(setting(double, 'TOKEN_URL'), { method: 'POST', headers, body }),
    )
    t.match(answer, {
      status: 400,
      body: { error: 'invalid_request', error_description: 'grant_type not in POST' },
    })
  }
  t.match((await exchange(double, 'c', { grant_type: 'password' })).body, { error: 'unsupported_grant_type' })
})

t.test("an unknown code gets either of Yandex's two errors", async (t) => {
  t.match((await exchange(double, 'nope')).body, { error: 'bad_verification_code' })
  double.switches.unknownCode = 'invalid_grant'
  t.match((await exchange(double, 'nope')).body, { error: 'invalid_grant' })
  double.switches.invalidClientStatus = 401
  t.equal((await exchange(double, 'nope', { client_secret: 'x' })).status, 401)
})

t.test(
  'answers with a lower-case token type, a year, and no ID token; cid comes with the code',
  async (t) => {
    t.match(new URL(await double.consent(authorizeUrl(double))).searchParams.get('cid'), /./)
    const { tokens } = await logIn(double)
    t.match(tokens.body, { token_type: 'bearer', expires_in: 31_536_000, refresh_token: String })
    t.notOk('id_token' in tokens.body)
    double.switches.cid = false
    t.notOk(new URL(await double.consent(authorizeUrl(double))).searchParams.has('cid'))
  },
)

t.test('the redirect URI may be left out of both requests', async (t) => {
  const callback = await double.consent(authorizeUrl(double, { redirect_uri: undefined }), { code: 'c2' })
  t.ok(callback.startsWith(redirectUri))
  t.equal((await exchange(double, 'c2', { redirect_uri: undefined })).status, 200)
})

t.test('userinfo accepts the access token in three places', async (t) => {
  const { tokens } = await logIn(double)
  const token = String(tokens.body['access_token'])
  const url = setting(double, 'USERINFO_URL')
  for (const authorization of [`OAuth ${token}`, `Bearer ${token}`])
    t.equal((await fetch(url, { headers: { authorization } })).status, 200)
  t.equal((await fetch(`${url}?format=json&oauth_token=${token}`)).status, 200)
  const refused = await fetch(url)
  t.equal(refused.status, 401)
  t.equal(await refused.text(), '')
})

t.test('userinfo returns what the scopes allow', async (t) => {
  const { profile } = await logIn(double, {}, { scope: 'login:info' })
  t.match(profile.body, { client_id: setting(double, 'CLIENT_ID'), psuid: /^1\.AA/, sex: 'female' })
  t.notOk('default_email' in profile.body)
  const all = await logIn(double, { person: { email: null, sex: null } }, { scope: undefined })
  t.match(all.profile.body, { default_email: '', emails: [], sex: null, is_avatar_empty: true })
})

t.test('unknown scopes and device ids are errors', async (t) => {
  const error = async (changes: Record<string, string>) => {
    const response = await fetch(authorizeUrl(double, changes), { redirect: 'manual' })
    return new URL(response.headers.get('location') ?? 'about:blank').searchParams.get('error')
  }
  t.equal(await error({ scope: 'login:email cloud:read' }), 'invalid_scope')
  t.equal(await error({ device_id: 'short' }), 'invalid_request')
  t.equal(await error({ response_type: 'token' }), 'unsupported_response_type')
  await t.rejects(double.consent(authorizeUrl(double, { scope: 'cloud:read' })), /invalid_scope/)
})

t.test('only an access token that was issued for a device can be revoked', async (t) => {
  const revoke = async (access_token: unknown) => {
    const body = new URLSearchParams({ access_token: String(access_token) })
    const headers = { authorization: basic(pair) }
    return received(await fetch(`${double.origin}/revoke_token`, { method: 'POST', headers, body }))
  }
  const { tokens } = await logIn(double)
  t.match(await revoke(tokens.body['access_token']), {
    status: 400,
    body: { error: 'unsupported_token_type' },
  })
  const bound = (await logIn(double, {}, { device_id: 'device-1' })).tokens.body['access_token']
  t.match(await revoke(bound), { status: 200, body: { status: 'ok' } })
  t.equal((await userinfo(double, bound)).status, 401)
})
