import { createServer } from 'node:http'
import type { Test } from 'tap'
import t from 'tap'
import type { Address } from '../../src/providers/happy-eyeballs.ts'
import type { HttpClientOptions } from '../../src/providers/http-client.ts'
import { createHttpClient } from '../../src/providers/http-client.ts'
import { listenOnLoopback } from '../support/process.ts'
import { startBlackHole } from './black-hole.ts'
import { startConnectProxy } from './connect-proxy.ts'
import { failureOf } from './provider-setup.ts'

// A name with several addresses, as 127.0.0.1 and its neighbours: all of 127.0.0.0/8 is this machine on Linux.
const good = '127.0.0.1'
const dead = '127.0.0.2'
const alsoDead = '127.0.0.3'
const refusing = '127.0.0.4'

/** Starts a server that answers everything. @returns its port */
async function serve(t: Test): Promise<number> {
  const server = createServer((_request, response) => response.end())
  t.teardown(() => server.close())
  return await listenOnLoopback(server)
}

/** Sends requests to a host with these IP addresses, and measures how long they take in milliseconds. */
function requester(
  t: Test,
  addresses: readonly string[],
  port: number,
  options: Partial<HttpClientOptions> = {},
) {
  const http = createHttpClient({
    provider: 'one',
    timeouts: { connect: 2_000, response: 2_000 },
    connections: 10,
    lookUp: async () => addresses.map((address): Address => ({ address, family: 4 })),
    ...options,
  })
  t.teardown(() => http.close())
  return async () => {
    const started = performance.now()
    const url = new URL(`http://provider.example:${port}/token`)
    const answer = await http.send(
      { endpoint: 'token', method: 'POST', url, body: 'a=1' },
      AbortSignal.timeout(5_000),
    )
    return { status: answer.status, took: performance.now() - started }
  }
}

await t.test('an unreachable address does not prevent the connection to one that works', async (t) => {
  const port = await serve(t)
  for (const hole of [dead, alsoDead]) await startBlackHole(t, hole, port)
  for (const addresses of [
    [good, dead],
    [dead, good],
    [dead, alsoDead, good],
    [refusing, dead, refusing, good],
  ]) {
    const { status, took } = await requester(t, addresses, port)()
    t.equal(status, 200, addresses.join())
    t.ok(took < 1_500, `${addresses.join()} took ${took} ms`)
  }
})

await t.test('an address that responds late is not given up for the next one', async (t) => {
  // The system repeats a lost packet after a second, which is longer than any delay between two attempts.
  for (const order of ['first', 'second'] as const) {
    const slow = await startBlackHole(t, good)
    await startBlackHole(t, dead, slow.port)
    const addresses = order === 'first' ? [good, dead] : [dead, good]
    const timeouts = { connect: 2_000, response: 300 }
    const failure = failureOf(requester(t, addresses, slow.port, { timeouts })())
    setTimeout(() => slow.open(), 500)
    // It accepts and never answers: what matters is that the request got there.
    t.match(await failure, { kind: 'timeout', codeUnspent: false }, `the good one is the ${order}`)
  }
})

await t.test('the time limit applies to all addresses together', async (t) => {
  const { port } = await startBlackHole(t, dead)
  await startBlackHole(t, alsoDead, port)
  const started = performance.now()
  const send = requester(t, [dead, alsoDead], port, { timeouts: { connect: 700, response: 2_000 } })
  const failure = await failureOf(send())
  t.match(failure, { kind: 'unavailable', codeUnspent: true })
  t.ok(performance.now() - started < 1_300)
})

await t.test('if all addresses refuse, the error says so', async (t) => {
  const failure = await failureOf(requester(t, [refusing, '127.0.0.5'], 1)())
  t.match(failure, { kind: 'unavailable', codeUnspent: true })
  t.match(failure.message, /ECONNREFUSED/)
  const unknown = requester(t, [], 1, {
    lookUp: async () => {
      throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
    },
  })
  t.match((await failureOf(unknown())).message, /ENOTFOUND/)
})

await t.test('addresses are resolved once for many connections, and again after a failure', async (t) => {
  const port = await serve(t)
  let asked = 0
  const send = requester(t, [], port, {
    lookUp: async () => {
      asked += 1
      if (asked === 1) throw Object.assign(new Error('not now'), { code: 'EAI_AGAIN' })
      return [{ address: good, family: 4 }]
    },
  })
  t.match((await failureOf(send())).message, /EAI_AGAIN/)
  for (let time = 0; time < 3; time++) {
    const answers = await Promise.all([send(), send(), send()])
    for (const { status } of answers) t.equal(status, 200)
  }
  t.equal(asked, 2)
})

await t.test('the addresses of a proxy are tried in parallel, too', async (t) => {
  const { port, targets } = await startConnectProxy(t, 1)
  await startBlackHole(t, dead, port)
  const http = createHttpClient({
    provider: 'one',
    timeouts: { connect: 2_000, response: 2_000 },
    connections: 10,
    proxy: { https: `http://proxy.example:${port}` },
    lookUp: async (name) => {
      t.equal(name, 'proxy.example')
      return [good, dead].map((address) => ({ address, family: 4 }))
    },
  })
  t.teardown(() => http.close())
  const url = new URL('https://provider.example/token')
  const failure = await failureOf(
    http.send({ endpoint: 'token', method: 'POST', url }, AbortSignal.timeout(5_000)),
  )
  t.match(failure, { kind: 'unavailable', codeUnspent: true })
  t.strictSame(targets, ['provider.example:443'], 'the proxy was reached')
})
