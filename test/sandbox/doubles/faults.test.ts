import { request } from 'node:http'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { Fault } from '../../../sandbox/doubles/faults.ts'
import { faults } from '../../../sandbox/doubles/faults.ts'
import { startMailDouble } from '../../../sandbox/doubles/mail.ts'
import { authorizeUrl, exchange, logIn, redirectUri, setting } from './plain-client.ts'

interface Seen {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: Buffer
  /** How the connection ended: with the whole response, by a reset, or at the test's own time limit. */
  readonly end: 'response' | 'reset' | 'timeout'
}

/** Sends a request with node:http, because other clients do not return half a response. @param limit milliseconds */
function look(url: string, limit = 10_000): Promise<Seen> {
  return new Promise((resolve) => {
    let status = 0
    let headers = {}
    const chunks: Buffer[] = []
    const done = (end: Seen['end']) => {
      clearTimeout(timer)
      resolve({ status, headers, body: Buffer.concat(chunks), end })
      sent.destroy()
    }
    const sent = request(url, { agent: false }, (response) => {
      status = response.statusCode ?? 0
      headers = response.headers
      response
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .on('end', () => done('response'))
        .on('error', () => done('reset'))
    })
    sent.on('error', () => done('reset')).end()
    const timer = setTimeout(() => done('timeout'), limit)
  })
}

const text = (seen: Seen) => seen.body.toString()
const parses = (seen: Seen) => {
  try {
    JSON.parse(text(seen))
    return true
  } catch {
    return false
  }
}

const expectations: Record<Fault, (seen: Seen) => unknown> = {
  '500-json': (seen) => seen.status === 500 && parses(seen),
  '502-html': ({ status, headers }) => status === 502 && headers['content-type'] === 'text/html',
  '503-html': ({ status, headers }) => status === 503 && headers['content-type'] === 'text/html',
  '200-html': (seen) => seen.status === 200 && text(seen).startsWith('<!doctype html>'),
  '200-empty': (seen) => seen.status === 200 && seen.body.length === 0,
  'json-array': (seen) => Array.isArray(JSON.parse(text(seen))),
  'json-null': (seen) => JSON.parse(text(seen)) === null,
  'json-string': (seen) => typeof JSON.parse(text(seen)) === 'string',
  '429': ({ status, headers }) => status === 429 && headers['retry-after'] === '7',
  'login-redirect': ({ status, headers }) => status === 302 && headers['location'] !== undefined,
  'truncated-json': (seen) => seen.status === 200 && text(seen).startsWith('{') && !parses(seen),
  'text-plain': (seen) => seen.headers['content-type'] === 'text/plain' && parses(seen),
  'text-javascript': (seen) =>
    String(seen.headers['content-type']).startsWith('text/javascript') && parses(seen),
  'huge-body': (seen) => seen.body.length > 16_000_000 && parses(seen),
  'gzip-bomb': ({ body, headers }) =>
    headers['content-encoding'] === 'gzip' && body.length < 100_000 && gunzipSync(body).length > 16_000_000,
  'slow-headers': ({ status, end }) => end === 'timeout' && status === 0,
  'slow-body': ({ status, body, end }) => end === 'timeout' && status === 200 && body.length < 20,
  reset: ({ status, end }) => end === 'reset' && status === 0,
  'reset-midway': ({ status, body, end }) => end === 'reset' && status === 200 && body.length > 10,
  hang: ({ status, end }) => end === 'timeout' && status === 0,
}

/** The faults whose response does not end in time: the test waits for them no longer than needed. */
const endless: ReadonlySet<Fault> = new Set(['slow-headers', 'slow-body', 'hang'])

t.test('each fault does what its name says, and ends', async (t) => {
  const double = await startMailDouble({ redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  const { tokens } = await logIn(double)
  const url = `${setting(double, 'USERINFO_URL')}?access_token=${String(tokens.body['access_token'])}`
  for (const fault of faults) {
    double.fault('userinfo', fault, 1)
    t.ok(expectations[fault](await look(url, endless.has(fault) ? 1_000 : 10_000)), fault)
    t.equal((await look(url)).status, 200, 'the next request is answered')
  }
})

t.test('a fault lasts until it is cleared and affects only its endpoint', async (t) => {
  const double = await startMailDouble({ redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  double.fault('token', '503-html')
  await double.consent(authorizeUrl(double), { code: 'kept' })
  for (let i = 0; i < 3; i += 1) t.equal((await exchange(double, 'kept')).status, 503)
  double.fault('token', undefined)
  t.equal((await exchange(double, 'kept')).status, 200, 'the code was not used up')
})

t.test('a fixed response takes precedence over a fault', async (t) => {
  const double = await startMailDouble({ redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  double.fault('token', '503-html')
  double.answer(
    'token',
    { status: 418, headers: { 'x-own': 'yes', 'content-type': 'a/b' }, body: '{"own":1}' },
    1,
  )
  t.match(await exchange(double, 'x'), { status: 418, type: 'a/b', body: { own: 1 } })
  t.equal((await exchange(double, 'x')).status, 503)
})

t.test('closing does not wait for hanging requests', async (t) => {
  const double = await startMailDouble({ redirectUris: [redirectUri] })
  const url = `${setting(double, 'USERINFO_URL')}?access_token=x`
  const ends = []
  for (const fault of ['hang', 'slow-headers', 'slow-body', 'huge-body'] as const) {
    double.fault('userinfo', fault, 1)
    ends.push(look(url))
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const before = Date.now()
  await double.close()
  t.ok(Date.now() - before < 500)
  await Promise.all(ends)
  t.equal((await look(url)).end, 'reset', 'and then refuses connections')
})
