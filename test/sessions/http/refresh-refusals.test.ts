import { generateKeyPair, SignJWT } from 'jose'
import t from 'tap'
import { basic, post } from '../../support/login-flow.ts'
import { startTestService } from '../../support/service.ts'
import { anotherSite, logInAt, me, pairOf, problemOf, refresh, rowOf } from './session-requests.ts'

const service = await startTestService(t)
const path = '/api/v1/oauth/refresh/'

t.test('anything but a refresh token of this service is 400 invalid_grant', async (t) => {
  const pair = await logInAt(service)
  const [header = '', claims = '', signature = ''] = pair.refreshToken.split('.')
  const { privateKey } = await generateKeyPair('RS256')
  const googles = new SignJWT({ email: 'anna@gmail.test', azp: 'our-client' })
    .setProtectedHeader({ alg: 'RS256', kid: 'a1b2c3', typ: 'JWT' })
    .setIssuer('https://accounts.google.com')
    .setAudience('our-client')
    .setSubject('110169484474386276334')
    .setIssuedAt()
    .setExpirationTime('1h')
  const tokens = {
    'an access token': pair.accessToken,
    "Google's ID token": await googles.sign(privateKey),
    'a token cut short': pair.refreshToken.slice(0, -1),
    'no signature': `${header}.${claims}.`,
    'claims changed': `${header}.${Buffer.from('{"gen":0}').toString('base64url')}.${signature}`,
    junk: 'junk',
    'a zero byte': 'a\0b.c.d',
    'dots alone': '..',
    'what is not ASCII': 'жетон.жетон.жетон',
    '11 kB of junk': 'x'.repeat(11_000),
    '11 kB of header': `${'e'.repeat(10_900)}.e.e`,
  }
  for (const [name, token] of Object.entries(tokens))
    for (const encoding of ['urlencoded', 'json'] as const) {
      const answer = await refresh(service, token, { encoding })
      t.equal(answer.status, 400, `${name}: ${answer.text}`)
      t.match([problemOf(answer), answer.json.error], ['refresh-token-invalid', 'invalid_grant'], name)
      t.equal(answer.headers.get('cache-control'), 'no-store')
    }
  t.equal((await refresh(service, pair.refreshToken)).status, 200, 'the token itself is still good')
})

t.test('a missing, repeated or malformed token is 400, never 5xx', async (t) => {
  const bodies: readonly [body: string, problem: string][] = [
    ['{}', 'missing-parameter'],
    ['{"refresh_token": {}}', 'invalid-parameter'],
    ['{"refresh_token": null}', 'invalid-parameter'],
    ['{"refresh_token": 7}', 'invalid-parameter'],
    ['{"refresh_token": ""}', 'invalid-parameter'],
    ['{"refresh_token": ["a", "b"]}', 'repeated-parameter'],
    [JSON.stringify({ refresh_token: 'x'.repeat(12_001) }), 'invalid-parameter'],
    ['[]', 'malformed-request'],
    ['null', 'malformed-request'],
    ['{"refresh_token": "a"', 'malformed-request'],
    ['', 'missing-parameter'],
  ]
  for (const [body, problem] of bodies) {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(service.url + path, { method: 'POST', headers, body })
    const json = await response.json()
    t.equal(response.status, 400, body.slice(0, 60))
    t.match(json, { type: `urn:auth-movies:problem:${problem}`, error: 'invalid_request' }, body.slice(0, 60))
  }
  const twice = await post(service, path, [
    ['refresh_token', 'a'],
    ['refresh_token', 'a'],
  ])
  t.match([twice.status, problemOf(twice)], [400, 'repeated-parameter'])
  const empty = await post(service, path, { refresh_token: '' })
  t.match([empty.status, problemOf(empty)], [400, 'invalid-parameter'])
  const large = await refresh(service, 'x'.repeat(17_000))
  t.match([large.status, problemOf(large)], [413, 'body-too-large'])
})

t.test('another grant_type is refused as unsupported, and the token stays good', async (t) => {
  const pair = await logInAt(service)
  for (const grant_type of ['authorization_code', 'password', 'REFRESH_TOKEN']) {
    const answer = await refresh(service, pair.refreshToken, { fields: { grant_type } })
    t.match(
      [answer.status, problemOf(answer), answer.json.error],
      [400, 'unsupported-grant-type', 'unsupported_grant_type'],
      grant_type,
    )
  }
  t.match(await rowOf(service, pair), { generation: 0, revokedAt: null })
  const empty = await refresh(service, pair.refreshToken, { fields: { grant_type: '' } })
  t.equal(empty.status, 200, 'one without a value counts as omitted (RFC 6749 §3.1)')
})

t.test('a refresh token sent as an access token is 401 invalid_token with its challenge', async (t) => {
  const pair = await logInAt(service)
  for (const token of [pair.refreshToken, `${pair.accessToken}x`, 'junk', 'x'.repeat(9_000)]) {
    const answer = await me(service, token)
    t.match([answer.status, problemOf(answer)], [401, 'token-invalid'])
    t.equal(
      answer.headers.get('www-authenticate'),
      'Bearer realm="auth-movies", error="invalid_token"',
      'RFC 6750 §3.1',
    )
  }
})

t.test(
  'a refresh without the secret that the site requires is refused before anything is changed',
  async (t) => {
    const site = await anotherSite(service, 'strict', true)
    const other = await anotherSite(service, 'other')
    const pair = await logInAt(service, site.url, site)
    const before = await rowOf(service, pair)
    const refused = async (headers: Readonly<Record<string, string>>, fields: Record<string, string>) => {
      const answer = await refresh(service, pair.refreshToken, { headers, fields })
      t.match([answer.status, answer.json.error], [401, 'invalid_client'], answer.text)
      t.match(answer.headers.get('www-authenticate'), /^Basic realm=/)
      return problemOf(answer)
    }
    t.equal(await refused({}, {}), 'secret-required')
    t.equal(await refused({}, { client_id: site.id }), 'secret-required')
    t.equal(await refused({}, { client_id: site.id, client_secret: '' }), 'secret-required')
    t.equal(await refused(basic({ id: site.id, secret: '' }), {}), 'secret-required')
    t.equal(await refused(basic({ id: site.id, secret: 'wrong' }), {}), 'wrong-credentials')
    t.equal(await refused({}, { client_id: site.id, client_secret: 'wrong' }), 'wrong-credentials')
    t.equal(await refused(basic({ id: 'nobody', secret: site.secret }), {}), 'wrong-credentials')
    t.equal(await refused({ authorization: 'Basic %%%' }, {}), 'wrong-credentials')

    const foreign = await refresh(service, pair.refreshToken, { headers: basic(other) })
    t.match(
      [foreign.status, problemOf(foreign)],
      [400, 'refresh-token-invalid'],
      "another site's credentials",
    )
    t.same(await rowOf(service, pair), before, 'nothing of the session has moved')

    const next = pairOf(await refresh(service, pair.refreshToken, { headers: basic(site) }))
    const fields = { client_id: site.id, client_secret: site.secret }
    const last = pairOf(await refresh(service, next.refreshToken, { fields }))
    t.equal(
      problemOf(await refresh(service, pair.refreshToken)),
      'secret-required',
      'a stolen old one as well',
    )
    t.equal((await refresh(service, last.refreshToken, { headers: basic(site) })).status, 200)
  },
)

t.test('credentials that the site need not send are checked all the same', async (t) => {
  const pair = await logInAt(service)
  const { id, secret } = service.site
  const wrong = await refresh(service, pair.refreshToken, { headers: basic({ id, secret: `${secret}x` }) })
  t.match([wrong.status, problemOf(wrong)], [401, 'wrong-credentials'])
  const other = await anotherSite(service, 'unneeded')
  const foreign = await refresh(service, pair.refreshToken, { headers: basic(other) })
  t.match([foreign.status, problemOf(foreign)], [400, 'refresh-token-invalid'])
  t.match(await rowOf(service, pair), { generation: 0, revokedAt: null })
  const encoded = Buffer.from(
    [id, secret]
      .map((part) => part.replace(/[-_]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`))
      .join(':'),
  )
  const headers = { authorization: `Basic ${encoded.toString('base64')}` }
  t.equal(
    (await refresh(service, pair.refreshToken, { headers })).status,
    200,
    'percent-encoded inside Basic',
  )
})

t.test('OAuth clients that accept only JSON get it, and all others get problem+json', async (t) => {
  for (const [accept, type] of [
    ['application/json', 'application/json'],
    ['application/json, text/plain, */*', 'application/problem+json'],
    ['*/*', 'application/problem+json'],
    ['application/problem+json, application/json', 'application/problem+json'],
    ['text/html', 'application/problem+json'],
  ] as const) {
    const answer = await refresh(service, 'junk', { headers: { accept } })
    t.equal(answer.headers.get('content-type')?.split(';')[0], type, accept)
    t.match(answer.json, { error: 'invalid_grant', status: 400 })
  }
})
