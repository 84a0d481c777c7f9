import { connect } from 'node:net'
import t from 'tap'
import { maxWrongTokens } from '../../src/admin/authorize.ts'
import { deadlines } from '../../src/deadlines.ts'
import type { Answer } from '../support/login-flow.ts'
import { basic, get, logIn, readResponse } from '../support/login-flow.ts'
import { adminToken, startTestManagement } from '../support/management.ts'

const unlimited = { RATE_LIMIT: 'off' }
const requestId = { 'x-request-id': 'the-same-one' }

/** All of an answer but what the clock writes into it. */
function whole({ status, headers, text }: Answer) {
  const fixed = [...headers].filter(([name]) => name !== 'date')
  return { status, headers: fixed, text }
}

t.test('without a valid token every URL gives the same response', async (t) => {
  const { admin, url, service } = await startTestManagement(t, { env: unlimited })
  const { accessToken } = await logIn(service)
  const before = service.database.prisma.site.count()
  const bearers = {
    wrong: `Bearer ${adminToken('stranger').token}`,
    empty: 'Bearer ',
    digest: `Bearer ${[...service.config.adminTokens.keys()][1]}`,
    name: 'Bearer tester',
    "a user's": `Bearer ${accessToken}`,
    "a site's own": basic(service.site).authorization ?? '',
    "a site's secret as a token": `Bearer ${service.site.secret}`,
    'another scheme': 'Digest username="tester"',
    twice: 'Bearer a, Bearer b',
  }
  const asked = await admin('GET', 'sites/', { token: null, headers: requestId })
  t.equal(asked.status, 401)
  t.match(asked.json, { type: 'urn:auth-movies:problem:admin-token-required', status: 401 })
  t.equal(asked.headers.get('www-authenticate'), 'Bearer realm="auth-movies-admin"')
  t.equal(asked.headers.get('allow'), null)
  t.equal(asked.headers.get('cache-control'), 'no-store')
  for (const [name, authorization] of Object.entries(bearers))
    t.strictSame(
      whole(await admin('GET', 'sites/', { token: null, headers: { ...requestId, authorization } })),
      whole(asked),
      name,
    )
  const addresses = [
    'unknown/',
    'sites',
    `sites/${service.site.id}/`,
    `sites/${'x'.repeat(300)}/`,
    'sites/..%2f../',
    'users/search/',
    '?token=x',
  ]
  for (const address of addresses)
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
      for (const body of method === 'POST' ? [undefined, '{"broken'] : [undefined])
        t.strictSame(
          whole(await admin(method, address, { token: null, headers: requestId, body })),
          whole(asked),
          `${method} ${address}`,
        )
  // Spelled otherwise, and without the last slash.
  for (const path of ['/api/v1/admin', '/api/v1/%61dmin/sites/', '/api/v1/%61dmin/unknown/'])
    t.strictSame(whole(await get({ url }, path, requestId)), whole(asked), path)
  t.strictSame(await service.database.prisma.site.count(), await before)
})

t.test('rare methods reveal nothing about which URLs exist', async (t) => {
  const { url } = await startTestManagement(t, { env: unlimited })
  const raw = async (line: string) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.end(`${line} HTTP/1.1\r\nhost: x\r\nx-request-id: same\r\nconnection: close\r\n\r\n`)
    const chunks = await socket.toArray()
    return Buffer.concat(chunks)
      .toString()
      .replace(/\r\ndate: [^\r]+/i, '')
  }
  for (const method of ['TRACE', 'PROPFIND', 'QUERY', 'HEAD'])
    t.equal(
      await raw(`${method} /api/v1/admin/sites/`),
      await raw(`${method} /api/v1/admin/unknown/`),
      method,
    )
})

t.test('with a valid token an unknown URL gives 404, a known one with another method 405', async (t) => {
  const { admin } = await startTestManagement(t)
  const unknown = await admin('GET', 'unknown/')
  t.equal(unknown.status, 404)
  t.match(unknown.json, { type: 'urn:auth-movies:problem:not-found' })
  const put = await admin('PUT', 'sites/')
  t.equal(put.status, 405)
  t.match(put.headers.get('allow'), /GET.*POST/)
  const apply = await admin('PUT', 'sites/apply/')
  t.strictSame([apply.status, apply.headers.get('allow')], [405, 'POST'], 'no site is called "apply"')
})

t.test('where no tokens are configured every request is refused, even with an empty token', async (t) => {
  const { admin, token } = await startTestManagement(t, { env: { ADMIN_TOKENS: undefined } })
  for (const own of [token, '', null]) t.equal((await admin('GET', 'sites/', { token: own })).status, 401)
})

t.test('wrong tokens are limited per IP; a request with a valid token is never refused', async (t) => {
  const { admin } = await startTestManagement(t)
  const wrong = () => admin('GET', 'sites/', { token: 'wrong' })
  for (let count = 0; count < maxWrongTokens; count++) t.equal((await wrong()).status, 401)
  const limited = await wrong()
  t.equal(limited.status, 429)
  t.match(limited.json, { type: 'urn:auth-movies:problem:rate-limited', detail: /valid admin token/ })
  t.match(limited.headers.get('retry-after'), /^([1-9]|[1-5]\d|60)$/)
  t.equal((await admin('GET', 'unknown/', { token: null })).status, 429)
  for (let count = 0; count < 3; count++) t.equal((await admin('GET', 'sites/')).status, 200)
})

t.test('a body that is not JSON, too long or not valid is refused, and nothing is changed', async (t) => {
  const { admin, service } = await startTestManagement(t)
  const body = { name: 'New', redirect_urls: ['https://new.example/'] }
  const cases: [unknown, Record<string, string>, number, string][] = [
    ['{"name": ', {}, 400, 'malformed-request'],
    ['', {}, 400, 'missing-parameter'],
    ['{"__proto__": {"name": "x"}}', {}, 400, 'malformed-request'],
    [`{"name": "${'x'.repeat(17_000)}"}`, {}, 413, 'body-too-large'],
    [JSON.stringify(body), { 'content-type': 'text/plain' }, 415, 'unsupported-media-type'],
    ['name=New', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported-media-type'],
    [{ redirect_urls: [] }, {}, 400, 'missing-parameter'],
    [{ ...body, redirect_uls: [] }, {}, 400, 'invalid-parameter'],
    [{ ...body, disabled: 'false' }, {}, 400, 'invalid-parameter'],
    [{ ...body, redirect_urls: 'https://new.example/' }, {}, 400, 'invalid-parameter'],
    [[body], {}, 400, 'malformed-request'],
    ['null', {}, 400, 'malformed-request'],
  ]
  for (const [given, headers, status, type] of cases) {
    const answer = await admin('POST', 'sites/', { body: given, headers })
    t.equal(answer.status, status, `${JSON.stringify(given).slice(0, 60)} ${answer.text}`)
    t.match(answer.json, { type: `urn:auth-movies:problem:${type}` })
    t.match(answer.headers.get('content-type'), /^application\/problem\+json/)
  }
  const misspelt = await admin('POST', 'sites/', { body: { ...body, redirect_uls: [] } })
  t.match(misspelt.json, { detail: /redirect_uls.*there is no parameter of this name/ })
  t.equal(await service.database.prisma.site.count(), 1)
})

t.test('health and metrics need no token; a database that does not respond gives 503', async (t) => {
  const { admin, url, service } = await startTestManagement(t, { deadlines })
  t.equal((await readResponse(await fetch(`${url}/health/live`))).status, 200)
  t.equal((await readResponse(await fetch(`${url}/metrics`))).status, 200)
  t.equal((await get(service, '/api/v1/admin/sites/')).status, 404, 'the public port knows nothing of it')
  const holder = await service.database.pool.connect()
  await holder.query('BEGIN; LOCK TABLE sites IN ACCESS EXCLUSIVE MODE')
  const away = await admin('GET', 'sites/')
  await holder.query('ROLLBACK')
  holder.release()
  t.equal(away.status, 503)
  t.match(away.headers.get('retry-after'), '1')
})
