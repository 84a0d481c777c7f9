import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { get, post, readResponse, start } from '../support/login-flow.ts'
import { eventually } from '../support/process.ts'
import { sendBytes } from '../support/send-bytes.ts'
import { redirectUrl, startTestService } from '../support/service.ts'

const service = await startTestService(t)
const path = '/api/v1/oauth/authorize-url/'
const good = { provider: 'yandex', client_redirect_url: redirectUrl }

/** A multipart body as a client library would write it, part by part. */
function multipart(parts: readonly { name: string; value: string; file?: string }[]) {
  const body = parts.map(({ name, value, file }) => {
    const head = `Content-Disposition: form-data; name="${name}"${file === undefined ? '' : `; filename="${file}"\r\nContent-Type: image/png`}`
    return `--b\r\n${head}\r\n\r\n${value}\r\n`
  })
  return { body: `${body.join('')}--b--\r\n`, type: 'multipart/form-data; boundary=b' }
}

const send = async (body: string, type: string, headers: Record<string, string> = {}) =>
  readResponse(
    await fetch(service.url + path, { method: 'POST', headers: { 'content-type': type, ...headers }, body }),
  )

const parts = Object.entries(good).map(([name, value]) => ({ name, value }))

t.test('file parts are ignored like unknown parameters', async (t) => {
  const { body, type } = multipart([...parts, { name: 'avatar', value: 'x'.repeat(3000), file: 'a.png' }])
  t.equal((await send(body, type)).status, 200)
})

t.test('a body that ends inside a file part gets 400, and the process survives', async (t) => {
  const cut = '--b\r\nContent-Disposition: form-data; name="a"; filename="x"\r\n\r\nabc'
  for (const route of [path, '/api/v1/oauth/authorize/', '/api/v1/oauth/refresh/', '/api/v1/oauth/revoke/']) {
    const headers = { 'content-type': 'multipart/form-data; boundary=b' }
    const answer = await readResponse(
      await fetch(service.url + route, { method: 'POST', headers, body: cut }),
    )
    t.match(answer.json, { status: 400, type: 'urn:auth-movies:problem:malformed-request' }, route)
  }
})

t.test('multipart bodies damaged at random never end the process', async (t) => {
  const whole = multipart([
    ...parts,
    { name: 'a', value: 'x'.repeat(50), file: 'a.png' },
    { name: 'b', value: 'y' },
  ]).body
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.length),
      fc.nat(20),
      fc.string({ maxLength: 5 }),
      async (at, length, inserted) => {
        const body = whole.slice(0, at) + inserted + whole.slice(at + length)
        const { status } = await send(body, 'multipart/form-data; boundary=b')
        return status === 200 || (status >= 400 && status < 500)
      },
    ),
    { numRuns: 500 },
  )
  t.ok((await start(service)).state)
})

t.test('an Authorization header of any length is read quickly', async (t) => {
  for (const value of [
    `Basic${' '.repeat(16_000)}!`,
    `Basic ${'='.repeat(16_000)}`,
    `Basic ${'a'.repeat(16_000)}!`,
  ]) {
    // Take the fastest of several: other work on the machine slows some of them, slow parsing slows all.
    const times: number[] = []
    for (let n = 0; n < 10; n++) {
      const before = performance.now()
      t.equal((await get(service, '/api/v1/site/', { authorization: value })).status, 401)
      times.push(performance.now() - before)
    }
    t.ok(Math.min(...times) < 60, `${Math.min(...times)} ms`)
  }
})

t.test('a request without Host gets problem+json too', async (t) => {
  const answer = await sendBytes(service, ['GET /api/v1/me/ HTTP/1.1\r\nConnection: close\r\n\r\n'])
  t.match(answer, /^HTTP\/1\.1 400 /)
  t.match(answer, /content-type: application\/problem\+json/i)
})

/** Resolves with the server's side of the request with this X-Request-Id, once Node has passed it to the service. */
function requestNamed(test: Pick<typeof t, 'teardown'>, id: string) {
  const channel = 'http.server.request.start'
  return new Promise<{ readonly request: IncomingMessage; readonly response: ServerResponse }>((resolve) => {
    const look = (message: unknown) => {
      if (typeof message !== 'object' || message === null) return
      if (!('request' in message && message.request instanceof IncomingMessage)) return
      if (!('response' in message && message.response instanceof ServerResponse)) return
      const { request, response } = message
      if (request.headers['x-request-id'] === id) resolve({ request, response })
    }
    subscribe(channel, look)
    test.teardown(() => unsubscribe(channel, look))
  })
}

t.test('an upload that its sender aborts is not logged as a failure', async (t) => {
  const { hostname, port } = new URL(service.url)
  const arrived = requestNamed(t, 'broken-off')
  const socket = connect(Number(port), hostname)
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: broken-off\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"prov`,
  )
  const { request, response } = await arrived
  const closed = new Promise((resolve) => request.once('close', resolve))
  socket.resetAndDestroy()
  await closed
  await eventually(() => {
    if (!response.writableEnded) throw new Error('not answered yet')
  })
  t.equal(response.statusCode, 400, 'the fault is the sender’s')
  t.notOk(service.log.find((line) => /dependency-unavailable|internal-error/.test(line)))
})

t.test('an unknown parameter may repeat, a known one may not, in both encodings', async (t) => {
  const unknown = [
    { name: 'utm', value: '1' },
    { name: 'utm', value: '2' },
    { name: 'utm', value: '3' },
  ]
  const known = [{ name: 'provider', value: 'google' }]
  for (const [extra, status] of [
    [unknown, 200],
    [known, 400],
  ] as const) {
    const form = multipart([...parts, ...extra])
    t.equal((await send(form.body, form.type)).status, status, 'multipart')
    const fields = [...parts, ...extra].map(({ name, value }) => [name, value] as const)
    const answer = await post(service, path, fields)
    t.equal(answer.status, status, 'urlencoded')
    if (status === 400)
      t.match(answer.json, { type: 'urn:auth-movies:problem:repeated-parameter', detail: /provider/ })
  }
})

t.test('a body may have 16 kB in every encoding, and no byte more', async (t) => {
  const fill = (size: number) => 'x'.repeat(size)
  const urlencoded = (size: number) => {
    const known = new URLSearchParams(good).toString()
    return { body: `${known}&x=${fill(size - known.length - 3)}`, type: 'application/x-www-form-urlencoded' }
  }
  const json = (size: number) => {
    const empty = JSON.stringify({ ...good, x: '' })
    return { body: JSON.stringify({ ...good, x: fill(size - empty.length) }), type: 'application/json' }
  }
  const form = (size: number) => {
    const empty = multipart([...parts, { name: 'x', value: '' }]).body.length
    return multipart([...parts, { name: 'x', value: fill(size - empty) }])
  }
  for (const make of [urlencoded, json, form]) {
    const [fits, exceeds] = [make(16_384), make(16_385)]
    t.equal(fits.body.length, 16_384)
    t.equal((await send(fits.body, fits.type)).status, 200, fits.type)
    t.match(
      (await send(exceeds.body, exceeds.type)).json,
      { status: 413, type: /body-too-large/ },
      exceeds.type,
    )
  }
})

t.test('a body of another type, or compressed, gets 415 with the accepted types', async (t) => {
  for (const type of ['text/plain', 'application/xml', 'application/json; charset=utf-8, text/html'])
    t.ok([400, 415].includes((await send('provider=yandex', type)).status), type)
  const answer = await send('x', 'text/plain')
  t.match(answer.json, { status: 415, detail: /application\/x-www-form-urlencoded, multipart\/form-data/ })
  t.match(await send('x', 'application/json', { 'content-encoding': 'gzip' }), { status: 415 })
})

t.test('a POST with its parameters in the URL is told to put them into the body', async (t) => {
  const answer = await readResponse(await fetch(`${service.url}${path}?provider=yandex`, { method: 'POST' }))
  t.match(answer.json, { status: 400, type: 'urn:auth-movies:problem:missing-parameter', detail: /address/ })
})

t.test('a request with a confused parameter name is told the right name', async (t) => {
  for (const name of ['client_redirect_uri', 'redirect_uri', 'redirect_url']) {
    const answer = await post(service, path, { provider: 'yandex', [name]: redirectUrl })
    t.match(answer.json, {
      type: 'urn:auth-movies:problem:misnamed-parameter',
      detail: /client_redirect_url/,
    })
  }
})

t.test('the root redirects to the reference', async (t) => {
  const answer = await get(service, '/')
  t.match([answer.status, answer.headers.get('location')], [302, '/docs/'])
})

t.test('a known path with another method gets 405 with Allow and an explanation', async (t) => {
  for (const [method, url, allow] of [
    ['GET', path, 'POST'],
    ['GET', '/api/v1/oauth/authorize', 'POST'],
    ['PUT', '/api/v1/me/', 'GET, HEAD'],
    ['POST', '/api/v1/me/sessions/abc', 'DELETE'],
    ['POST', '/api/v1/oauth/callback/yandex', 'GET'],
    ['QUERY', '/api/v1/me/', 'GET, HEAD'],
    ['QUERY', '/api/v1/oauth/refresh/', 'POST'],
  ] as const) {
    const answer = await readResponse(await fetch(service.url + url, { method }))
    t.equal(answer.status, 405, `${method} ${url}`)
    t.strictSame(answer.headers.get('allow')?.split(', ').toSorted(), allow.split(', ').toSorted())
    t.match(answer.json.detail, /redirect/, 'a redirect may have turned POST into GET')
  }
  const address = await readResponse(await fetch(`${service.url}/api/v1/oauth/authorize-url?state=x`))
  t.match(address.json.detail, `send it to ${service.config.publicUrl}/api/v1/oauth/authorize-url itself`)
  t.equal((await get(service, '/api/v1/nothing')).status, 404)
  t.equal((await get(service, '/API/v1/me')).status, 404, 'paths are told apart by case')
  t.equal((await get(service, '/docs/static/nothing.js')).status, 404, 'a file that is not there')
  t.equal((await get(service, '/problems/%ff')).status, 404, 'percent signs that mean nothing')
})

t.test('every response has a request id, a new one where the given one is unsafe', async (t) => {
  const given = await get(service, '/api/v1/oauth/providers/', { 'x-request-id': 'abc-123_X' })
  t.equal(given.headers.get('x-request-id'), 'abc-123_X')
  for (const odd of ['a b', 'x'.repeat(65), 'é', '"; drop']) {
    const answer = await get(service, '/nowhere', {
      'x-request-id': encodeURIComponent(odd) === odd ? odd : encodeURI(odd),
    })
    t.match(answer.headers.get('x-request-id'), /^[0-9a-f-]{36}$/)
    t.equal(answer.json.request_id, answer.headers.get('x-request-id'))
  }
})

t.test('responses have no CORS headers, nosniff, and no-store by default', async (t) => {
  const answer = await post(service, path, good, { headers: { origin: 'https://evil.example' } })
  t.equal(answer.headers.get('access-control-allow-origin'), null)
  t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.match((await get(service, '/.well-known/jwks.json')).headers.get('cache-control'), /max-age=300/)
})

t.test('titles and details by Accept-Language; headers and error_description stay English', async (t) => {
  const headers = { 'accept-language': 'ru-RU,ru;q=0.9,en;q=0.8' }
  const answer = await post(service, path, { provider: 'yandex' }, { headers })
  t.match(answer.json, { title: /[а-я]/i, detail: /[а-я]/i, error_description: /^[\x20-\x7e]+$/ })
  const english = await post(
    service,
    path,
    { provider: 'yandex' },
    { headers: { 'accept-language': 'de, fr' } },
  )
  t.match(english.json, { title: /^[\x20-\x7e]+$/ })
})

t.test('headers may have 32 kB in all, however they are divided', async (t) => {
  const many = Object.fromEntries(Array.from({ length: 3 }, (_, index) => [`x-${index}`, 'h'.repeat(9_000)]))
  t.equal((await get(service, '/api/v1/oauth/providers/', many)).status, 200)
  t.equal((await get(service, '/api/v1/oauth/providers/', { 'x-one': 'h'.repeat(32_000) })).status, 200)
  t.equal((await get(service, '/api/v1/oauth/providers/', { 'x-one': 'h'.repeat(33_000) })).status, 431)
  t.equal(
    (await get(service, '/api/v1/oauth/providers/', { ...many, 'x-more': 'h'.repeat(9_000) })).status,
    431,
  )
})

t.test("errors that Node's HTTP parser finds get problem+json too", async (t) => {
  for (const [bytes, status] of [
    ['NONSENSE\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n', 400],
    [`GET /?${'q'.repeat(33_000)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, 431],
    [`GET /?${'q'.repeat(140_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 431],
    ['POST / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\nContent-Length: 0\r\nConnection: close\r\n\r\n', 417],
    ['GET /%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 404],
  ] as const) {
    const answer = await sendBytes(service, [bytes])
    t.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), bytes.slice(0, 30))
    t.match(answer, /content-type: application\/problem\+json/i)
    t.match(JSON.parse(answer.slice(answer.indexOf('{'))), { status, type: /^urn:auth-movies:problem:/ })
  }
})

t.test('after all these requests a login can still be started', async (t) => {
  t.ok((await start(service)).state)
})

t.test('connections that never sent anything do not delay a stop', async (t) => {
  const other = await startTestService(t, {
    database: service.database,
    doubles: service.doubles,
    site: service.site,
  })
  const { hostname, port } = new URL(other.url)
  const silent = connect(Number(port), hostname)
  const halfway = connect(Number(port), hostname)
  halfway.write('GET / HTTP/1.1\r\nHost: a\r\n')
  for (const socket of [silent, halfway]) socket.on('error', () => {})
  await new Promise((resolve) => setTimeout(resolve, 50))
  const before = performance.now()
  await other.close()
  t.ok(performance.now() - before < 2_000, `${performance.now() - before} ms`)
})
