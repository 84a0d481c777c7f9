import type { RequestListener } from 'node:http'
import { createServer as createHttpServer } from 'node:http'
import type { Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer as createTlsServer } from 'node:tls'
import type { Test } from 'tap'
import t from 'tap'
import type { HttpClientOptions, HttpObservation, HttpRequest } from '../../src/providers/http-client.ts'
import { createHttpClient } from '../../src/providers/http-client.ts'
import { listenOnLoopback } from '../support/process.ts'
import { startConnectProxy } from './connect-proxy.ts'
import { failureOf } from './provider-setup.ts'
import { selfSigned } from './self-signed.ts'

const limit = 256 * 1024

/** Listens on a free port until the test ends. */
async function listen(t: Test, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return await listenOnLoopback(server)
}

async function serve(t: Test, listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(t, createHttpServer(listener))}/`
}

function client(t: Test, options: Partial<HttpClientOptions> = {}) {
  const observations: HttpObservation[] = []
  const http = createHttpClient({
    provider: 'one',
    timeouts: { connect: 300, response: 2_000 },
    connections: 10,
    onHttpRequest: (observation) => observations.push(observation),
    ...options,
  })
  t.teardown(() => http.close())
  const send = (url: string, request: Partial<HttpRequest> = {}) =>
    http.send(
      { endpoint: 'token', method: 'POST', url: new URL(url), ...request },
      AbortSignal.timeout(5_000),
    )
  return { http, send, observations }
}

await t.test('a response with any status is returned', async (t) => {
  const url = await serve(t, (request, response) => {
    response.writeHead(418, { 'x-method': request.method }).end('short and stout')
  })
  const { send, observations } = client(t)
  const answer = await send(`${url}path?query=1`)
  t.match(answer, { status: 418, headers: { 'x-method': 'POST' } })
  t.equal(Buffer.from(answer.body).toString(), 'short and stout')
  t.match(observations, [{ provider: 'one', endpoint: 'token', result: 418 }])
  t.ok((observations[0]?.seconds ?? -1) >= 0 && (observations[0]?.seconds ?? 9) < 1)
})

await t.test('interim responses (1xx) are skipped', async (t) => {
  const url = await serve(t, (_request, response) => {
    response.writeProcessing()
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    response.end('{}')
  })
  t.equal((await client(t).send(url)).status, 200)
})

await t.test('bodies up to 256 kB are read, in any number of pieces; larger ones fail', async (t) => {
  const url = await serve(t, (request, response) => {
    const size = Number(request.url?.slice(1))
    for (let sent = 0; sent < size; sent += 1000) response.write('x'.repeat(Math.min(1000, size - sent)))
    response.end()
  })
  const { send } = client(t)
  t.equal((await send(url + limit)).body.length, limit)
  const failure = await failureOf(send(url + (limit + 1)))
  t.match(failure, { kind: 'invalid_response', codeUnspent: false })
  t.equal((await send(`${url}7`)).body.length, 7, 'the next one is not disturbed')
})

await t.test('an encoded body is rejected unread', async (t) => {
  const url = await serve(t, (_request, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip, gzip' }).end('whatever')
  })
  const failure = await failureOf(client(t).send(url))
  t.equal(failure.kind, 'invalid_response')
  t.match(failure.message, /encoded/)
})

await t.test('a response that is not HTTP fails without its bytes in the error', async (t) => {
  const server = createServer((socket) => {
    socket.end('HTTP/1.1 200 OK\r\nbroken header\u0000 y0_secret-token\r\n\r\n')
  })
  const failure = await failureOf(client(t).send(`http://127.0.0.1:${await listen(t, server)}/`))
  t.match(failure, { kind: 'unavailable', codeUnspent: false })
  t.match(failure.message, /HTTPParserError/)
  t.equal(failure.cause, undefined, 'the parser’s error contains the response')
})

await t.test('a token request that cannot connect leaves the code unspent', async (t) => {
  const silent = await listen(t, createServer())
  const secure = await listen(
    t,
    createTlsServer(selfSigned, (socket) => socket.destroy()),
  )
  const { send } = client(t)
  for (const [url, words] of [
    [`https://127.0.0.1:${silent}/`, /no connection in time/],
    [`https://127.0.0.1:${secure}/`, /SELF_SIGNED/],
    ['http://127.0.0.1:1/', /ECONNREFUSED/],
  ] as const) {
    const started = performance.now()
    const failure = await failureOf(send(url))
    t.match(failure, { kind: 'unavailable', codeUnspent: true })
    t.match(failure.message, words)
    t.ok(performance.now() - started < 900)
    const profile = await failureOf(send(url, { endpoint: 'userinfo', method: 'GET' }))
    t.match(
      profile,
      { kind: 'unavailable', codeUnspent: false },
      'a profile request comes after the code was spent',
    )
  }
})

await t.test('a request that is aborted before it was sent is never sent', async (t) => {
  let requests = 0
  const url = await serve(t, (_request, response) => {
    requests += 1
    setTimeout(() => response.end(), 500)
  })
  const { send, observations } = client(t, { connections: 1, timeouts: { connect: 200, response: 2_000 } })
  const first = send(url)
  const second = await failureOf(send(url))
  t.match(second, { kind: 'unavailable', codeUnspent: true })
  t.equal((await first).status, 200)
  await sleep(50)
  t.equal(requests, 1)
  t.strictSame(new Set(observations.map(({ result }) => result)), new Set(['unavailable', 200]))
})

await t.test('the time limit of the response starts when the connection is made', async (t) => {
  const url = await serve(t, (_request, response) => setTimeout(() => response.end('late'), 400))
  const { send } = client(t, { timeouts: { connect: 200, response: 2_000 } })
  t.equal((await send(url)).status, 200)
})

await t.test('a connection that died while idle does not fail a login', async (t) => {
  // The server has gone without closing the connection: the next byte on it is answered by a reset.
  const dead = new Set<Socket>()
  const open = new Set<Socket>()
  let requests = 0
  const server = createHttpServer(({ socket }, response) => {
    if (dead.has(socket)) return socket.resetAndDestroy()
    open.add(socket)
    requests += 1
    response.setHeader('x-port', String(socket.remotePort))
    return setTimeout(() => response.end(), 20)
  })
  const url = `http://127.0.0.1:${await listen(t, server)}/`
  const { send } = client(t)
  const profile = { endpoint: 'userinfo', method: 'GET' } as const
  await Promise.all([send(url, profile), send(url, profile), send(url, profile), send(url)])
  t.equal(open.size, 4)
  await sleep(20)
  for (const socket of open) dead.add(socket)
  requests = 0
  const answers = await Promise.all([send(url), send(url), send(url)])
  t.equal(new Set(answers.map(({ headers }) => headers['x-port'])).size, 3, 'each on a connection of its own')
  t.equal(requests, 3, 'and none was sent twice')
  const lost = await failureOf(send(url, profile))
  t.match(lost, { kind: 'unavailable', codeUnspent: false }, 'a kept connection is dead indeed')
  t.match(lost.message, /connection was lost/)
  t.equal(
    (await send(url, { ...profile, fresh: true })).status,
    200,
    'a second attempt is not tried on another one',
  )
})

await t.test('idle connections are closed before the provider closes them', async (t) => {
  const sockets = new Set<Socket>()
  const server = createHttpServer((_request, response) => response.end())
  server.keepAliveTimeout = 60_000
  server.on('connection', (socket) => sockets.add(socket))
  const url = `http://127.0.0.1:${await listen(t, server)}/`
  const { send } = client(t)
  const profile = { endpoint: 'userinfo', method: 'GET' } as const
  await send(url, profile)
  await sleep(10)
  await send(url, profile)
  t.equal(sockets.size, 1, 'kept between two requests')
  await sleep(4_000)
  t.ok(
    [...sockets].every((socket) => socket.destroyed),
    'gone after four seconds at most',
  )
})

await t.test('requests go through a proxy', async (t) => {
  const secure = await listen(
    t,
    createTlsServer(selfSigned, (socket) => socket.destroy()),
  )
  const plain = await serve(t, (_request, response) => response.end())
  const { port, targets } = await startConnectProxy(t, secure)
  const https = `http://127.0.0.1:${port}`

  const { send } = client(t, { proxy: { https } })
  const failure = await failureOf(send('https://provider.example/token'))
  t.strictSame(targets, ['provider.example:443'])
  t.match(failure, { kind: 'unavailable', codeUnspent: true }, 'certificates are checked through it too')
  t.match(failure.message, /SELF_SIGNED/)
  t.equal((await send(plain)).status, 200, 'plain http, to loopback in development, goes without it')

  const excepted = client(t, { proxy: { https, none: 'provider.invalid' } })
  t.match(await failureOf(excepted.send('https://provider.invalid/')), {
    kind: 'unavailable',
    codeUnspent: true,
  })
  t.equal(targets.length, 1)

  const dead = client(t, { proxy: { https: 'http://127.0.0.1:1' } })
  t.match(await failureOf(dead.send('https://provider.example/')), { kind: 'unavailable', codeUnspent: true })
  const silent = client(t, { proxy: { https: `http://127.0.0.1:${await listen(t, createServer())}` } })
  t.match(await failureOf(silent.send('https://provider.example/')), {
    kind: 'unavailable',
    codeUnspent: true,
  })
})
