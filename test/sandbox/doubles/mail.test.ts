import t from 'tap'
import { startMailDouble } from '../../../sandbox/doubles/mail.ts'
import { authorizeUrl, challenge, exchange, logIn, received, redirectUri, setting } from './plain-client.ts'

const start = async () => {
  const double = await startMailDouble({ redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  return double
}
const tokenNotFound = { error: 'token not found', error_code: 6, error_description: 'token not found' }

t.test('a token response has no token_type, and after a refresh no refresh token', async (t) => {
  const double = await start()
  const { tokens } = await logIn(double)
  t.strictSame(Object.keys(tokens.body).sort(), ['access_token', 'expires_in', 'refresh_token'])
  t.equal(tokens.body['expires_in'], 3600)
  const refresh_token = String(tokens.body['refresh_token'])
  const again = await exchange(double, null, { grant_type: 'refresh_token', refresh_token })
  t.strictSame(Object.keys(again.body).sort(), ['access_token', 'expires_in'])
})

t.test('error responses have status 200 unless switched', async (t) => {
  const double = await start()
  t.match(await exchange(double, 'nope'), { status: 200, body: tokenNotFound })
  t.match(await exchange(double, 'nope', { client_secret: 'x' }), { status: 200, body: { error_code: 1 } })
  t.match(await exchange(double, null), { body: { error: 'invalid request', error_code: 2 } })
  double.switches.errorStatus = 401
  t.match(await exchange(double, 'nope'), { status: 401, body: tokenNotFound })
})

t.test('the token request must repeat the redirect URI', async (t) => {
  const double = await start()
  await double.consent(authorizeUrl(double), { code: 'c' })
  t.match((await exchange(double, 'c', { redirect_uri: `${redirectUri}/` })).body, tokenNotFound)
  t.match((await exchange(double, 'c', { redirect_uri: undefined })).body, { error_code: 2 })
  t.equal('access_token' in (await exchange(double, 'c')).body, true)
})

t.test('credentials are accepted by Basic, and in the body unless switched', async (t) => {
  const double = await start()
  double.switches.bodyCredentials = 'refused'
  await double.consent(authorizeUrl(double), { code: 'c' })
  t.match((await exchange(double, 'c')).body, tokenNotFound)
  const pair = `${setting(double, 'CLIENT_ID')}:${setting(double, 'CLIENT_SECRET')}`
  const authorization = `Basic ${Buffer.from(pair).toString('base64')}`
  const inHeader = await exchange(
    double,
    'c',
    { client_id: undefined, client_secret: undefined },
    { authorization },
  )
  t.type(inHeader.body['access_token'], 'string')
})

t.test('userinfo reads the access token from the query only', async (t) => {
  const double = await start()
  const { tokens, profile } = await logIn(double)
  const url = setting(double, 'USERINFO_URL')
  const authorization = `Bearer ${String(tokens.body['access_token'])}`
  t.match(await received(await fetch(url, { headers: { authorization } })), {
    status: 200,
    body: { error: 'invalid request', error_code: 2 },
  })
  t.match(await received(await fetch(`${url}?access_token=unknown`)), { status: 200, body: tokenNotFound })
  t.match(profile.body, {
    id: '1130000012345678',
    client_id: setting(double, 'CLIENT_ID'),
    gender: 'f',
    locale: 'ru_RU',
    birthday: '22.04.1990',
    nickname: 'anna.demidova',
  })
})

t.test('what the documents do not say can be switched', async (t) => {
  const double = await start()
  double.switches.userinfoShape = 'openid'
  const { profile } = await logIn(double)
  t.match(profile.body, { sub: '1130000012345678', picture: String })
  t.notOk('id' in profile.body || 'image' in profile.body)

  double.switches.stateRequired = true
  await t.rejects(double.consent(authorizeUrl(double, { state: undefined })), /state is missing/)

  double.switches.pkce = 'ignored'
  await double.consent(authorizeUrl(double, { code_challenge: challenge, code_challenge_method: 'S256' }), {
    code: 'c',
  })
  t.type((await exchange(double, 'c', { code_verifier: 'wrong' })).body['access_token'], 'string')

  double.switches.userAgentRequired = true
  t.equal((await exchange(double, 'c')).status, 403, 'Node’s own user agent')
  t.equal((await exchange(double, 'c', {}, { 'user-agent': 'auth-movies' })).status, 200)
})
