import { execFile, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { Cluster, Redis } from 'ioredis'
import t from 'tap'
import { connectRedis, evictionPolicy } from '../../src/storage/redis.ts'
import { eventually, freePort, listenOnLoopback } from '../support/process.ts'
import { startRedis, testRedis, withoutRedis } from '../support/redis.ts'

type Test = Pick<typeof t, 'teardown' | 'rejects' | 'ok' | 'testdir'>

async function connect(test: Test, url: string, prefix = 'p:') {
  const warnings: string[] = []
  const client = await connectRedis({
    url,
    prefix,
    tryOut: async (redis) => void (await redis.hget(`${prefix}tried`, 'none')),
    onWarning: (text) => warnings.push(text),
  })
  test.teardown(() => client.disconnect())
  return { client, warnings }
}

/** Gives the error, and checks that it came within a second. */
async function failsFast(test: Test, command: () => Promise<unknown>) {
  const from = performance.now()
  await test.rejects(command())
  test.ok(performance.now() - from < 1_000, 'within a second')
}

t.test('with Redis', { skip: withoutRedis }, async (t) => {
  t.test('answers that came while this process stood still are taken', async (t) => {
    const { url, prefix } = await testRedis(t)
    const { client } = await connect(t, url, prefix)
    const answers = Promise.all([client.ping(), client.eval('return 1', 1, `${prefix}a`)])
    // The commands are sent in the next turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve))
    const until = performance.now() + 700
    while (performance.now() < until) Math.sqrt(until)
    t.same(await answers, ['PONG', 1])
  })

  t.test('serves commands and scripts, without a warning', async (t) => {
    const { url, prefix } = await testRedis(t)
    const { client, warnings } = await connect(t, url, prefix)
    await client.hset(`${prefix}a`, 'field', '1')
    t.equal(await client.eval('return redis.call("HGET", KEYS[1], "field")', 1, `${prefix}a`), '1')
    t.same(warnings, [])
  })

  t.test('fails fast while the server is down, and recovers by itself', async (t) => {
    const server = await startRedis(t)
    const { client } = await connect(t, server.url)
    await server.stop('SIGKILL')
    for (let round = 0; round < 5; round++) await failsFast(t, () => client.get('a'))
    await server.start()
    await eventually(() => client.set('a', '1'), 5_000)
  })

  t.test('fails fast while the server hangs, and recovers by itself', async (t) => {
    const server = await startRedis(t)
    const { client } = await connect(t, server.url)
    server.pause()
    await failsFast(t, () => client.get('a'))
    await failsFast(t, () => Promise.all(Array.from({ length: 50 }, () => client.get('a'))))
    server.resume()
    await eventually(() => client.set('a', '1'), 5_000)
  })

  t.test('does not send a command that was reported as failed later', async (t) => {
    const server = await startRedis(t)
    const { client } = await connect(t, server.url)
    await server.stop()
    await t.rejects(client.incr('counter'))
    await server.start()
    await eventually(() => client.ping(), 5_000)
    t.equal(await client.get('counter'), null)
  })

  t.test('leaves a demoted master', async (t) => {
    const [master, replica] = [await startRedis(t), await startRedis(t)]
    const admin = new Redis(replica.url)
    t.teardown(() => admin.disconnect())
    const { client } = await connect(t, replica.url)
    await admin.replicaof('127.0.0.1', master.port)
    await t.rejects(client.set('a', '1'), /READONLY/)
    await admin.replicaof('NO', 'ONE')
    await eventually(() => client.set('a', '1'), 5_000)
  })

  t.test('warns of a server that evicts, by CONFIG or by INFO, and does without both', async (t) => {
    const server = await startRedis(t, ['--maxmemory-policy', 'allkeys-lru'])
    const admin = new Redis(server.url)
    t.teardown(() => admin.disconnect())
    t.match((await connect(t, server.url)).warnings, [/maxmemory-policy allkeys-lru/])

    await admin.acl('SETUSER', 'noconfig', 'on', '>pass', '~p:*', '+@all', '-config')
    const viaInfo = server.url.replace('//', '//noconfig:pass@')
    t.match((await connect(t, viaInfo)).warnings, [/allkeys-lru/])

    await admin.acl('SETUSER', 'small', 'on', '>pass', '~p:*', '+hget', '+hset', '+eval')
    const { client, warnings } = await connect(t, server.url.replace('//', '//small:pass@'))
    t.same(warnings, [])
    t.equal(await evictionPolicy(client), undefined)
    t.equal(await client.hset('p:a', 'field', '1'), 1)
  })

  t.test('reports wrong credentials without the password', async (t) => {
    const server = await startRedis(t, ['--requirepass', 'right-w0rd'])
    const admin = new Redis(server.url.replace('//', '//:right-w0rd@'))
    t.teardown(() => admin.disconnect())
    await admin.acl('SETUSER', 'other', 'on', '>other-w0rd', '~elsewhere:*', '+@all')
    await connect(t, server.url.replace('//', '//:right-w0rd@'))
    for (const [user, expected] of [
      [':wrong-w0rd', /WRONGPASS/],
      ['', /NOAUTH/],
      ['other:other-w0rd', /may not read and write keys that begin with "p:" \(ACL SETUSER … ~p:\*\)/],
    ] as const) {
      const failure = connect(t, server.url.replace('//', user === '' ? '//' : `//${user}@`))
      await t.rejects(failure, { name: 'RedisConnectError', message: expected })
      await failure.catch((error: unknown) => t.notMatch(String(error), /w0rd/))
    }
  })

  t.test('finds the master through sentinels', async (t) => {
    const master = await startRedis(t)
    const sentinel = await startSentinel(t, master.port)
    const { client } = await connect(t, `redis+sentinel://127.0.0.1:1,127.0.0.1:${sentinel}/main`)
    t.equal(await client.set('a', '1'), 'OK')
  })

  t.test('is a client of a Cluster where several addresses are given, or one of its own', async (t) => {
    const nodes = await Promise.all([0, 1, 2].map(() => startRedis(t, ['--cluster-enabled', 'yes'])))
    const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`)
    await promisify(execFile)('redis-cli', ['--cluster', 'create', ...hosts, '--cluster-yes'])
    const { client } = await connect(t, nodes.map(({ url }) => url).join(','))
    t.ok(client instanceof Cluster)
    const keys = Array.from({ length: 30 }, (_, index) => `p:${index}`)
    // A new cluster is down for a moment.
    await eventually(() => Promise.all(keys.map((key) => client.hset(key, 'field', key))), 5_000)
    t.same(await Promise.all(keys.map((key) => client.hget(key, 'field'))), keys)
    t.equal(await evictionPolicy(client), 'noeviction')

    for (const { url } of nodes) {
      const { client: byOne } = await connect(t, url)
      t.ok(byOne instanceof Cluster, 'one address of it is enough')
      t.same(await Promise.all(keys.map((key) => byOne.hget(key, 'field'))), keys)
    }
    await t.rejects(connect(t, `${nodes[0]?.url}/1`), { message: /Redis Cluster has database 0 alone/ })
  })
})

async function startSentinel(test: Test, masterPort: number): Promise<number> {
  const file = test.testdir({ 'sentinel.conf': `sentinel monitor main 127.0.0.1 ${masterPort} 1\n` })
  // A sentinel rewrites its configuration file, so it needs one.
  const port = await freePort()
  const child = spawn('redis-server', [`${file}/sentinel.conf`, '--sentinel', '--port', String(port)], {
    stdio: 'ignore',
  })
  test.teardown(() => child.kill('SIGKILL'))
  const admin = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null })
  admin.on('error', () => {})
  await admin.ping()
  admin.disconnect()
  return port
}

t.test('gives up on a server that is down or silent, and names it', async (t) => {
  const sockets: Socket[] = []
  const server = createServer((socket) => sockets.push(socket))
  const silent = await listenOnLoopback(server)
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const absent = await freePort()
  const from = performance.now()
  await Promise.all([
    t.rejects(connect(t, `redis://127.0.0.1:${silent}`), {
      name: 'RedisConnectError',
      message: new RegExp(`^Redis at 127.0.0.1:${silent} cannot be used: `),
    }),
    t.rejects(connect(t, `redis://user:secret@127.0.0.1:${absent}`), {
      name: 'RedisConnectError',
      message: new RegExp(`^Redis at 127.0.0.1:${absent} cannot be used: connect ECONNREFUSED`),
    }),
  ])
  t.ok(performance.now() - from < 7_000)
})

t.test('refuses a URL that is not of Redis', async (t) => {
  await t.rejects(connect(t, 'redis://a:99999'), {
    name: 'RedisConnectError',
    message: /^REDIS_URL has a port/,
  })
})
