import { Redis } from 'ioredis'
import type { Test } from 'tap'
import t from 'tap'
import { tryRedis } from '../../src/redis-start-check.ts'
import { connectRedis } from '../../src/storage/redis.ts'
import { codeBlocks, readText } from '../docs/markdown.ts'
import { freePort } from '../support/process.ts'
import { startRedis, startSentinel, withoutRedis } from '../support/redis.ts'

// At its start the service does with Redis everything that it will need, and reports in one sentence what fails.

async function connect(t: Test, url: string, prefix = 'auth-movies:') {
  const client = await connectRedis({ url, prefix, tryOut: tryRedis, onWarning: () => {} })
  t.teardown(() => client.disconnect())
  return client
}

/** Checks that the start fails with this message, and gives how long it took. */
async function refused(t: Test, url: string, message: RegExp): Promise<number> {
  const from = performance.now()
  await t.rejects(connect(t, url), { name: 'RedisConnectError', message }, String(message))
  return performance.now() - from
}

t.test('a user without a permission is told which one is missing', { skip: withoutRedis }, async (t) => {
  const server = await startRedis(t)
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  const url = server.url.replace('//', '//limited:pass@')
  const line = codeBlocks(await readText('docs/en/operators.md')).find(({ text }) =>
    text.startsWith('ACL SETUSER '),
  )
  const commands = line?.text.match(/\+\S+/g) ?? []
  t.ok(commands.length > 10)
  const user = async (...rules: string[]) => {
    await admin.call('ACL', 'SETUSER', 'limited', 'reset', 'on', '>pass', ...rules)
  }

  await user('~auth-movies:*', ...commands)
  await connect(t, url)
  for (const missing of commands) {
    await user('~auth-movies:*', ...commands.filter((command) => command !== missing))
    const took = await refused(t, url, new RegExp(`may not run ${missing.slice(1).toUpperCase()} \\(`))
    t.ok(took < 2_000, `${missing}: at once`)
  }
  await user('~*', '+@read')
  await refused(
    t,
    url,
    /^Redis at 127\.0\.0\.1:\d+ cannot be used: its user may not run EVAL \(ACL SETUSER … \+eval\)\. Check REDIS_URL\.$/,
  )
  for (const pattern of ['~elsewhere:*', '~auth-movies:login:*', '%R~auth-movies:*']) {
    await user(pattern, ...commands)
    await refused(
      t,
      url,
      /may not read and write keys that begin with "auth-movies:" \(ACL SETUSER … ~auth-movies:\*\)/,
    )
  }
  await user('~auth-movies:*', ...commands)
  await refused(t, `${url}/1`, /may not run SELECT/)
})

t.test('a server of another kind than REDIS_URL says is reported', { skip: withoutRedis }, async (t) => {
  const server = await startRedis(t)
  const replica = await startRedis(t, ['--replicaof', '127.0.0.1', String(server.port)])
  const sentinel = await startSentinel(t, server.port, 'main')
  const bySentinels = `redis+sentinel://127.0.0.1:${sentinel.port}`
  await Promise.all([
    refused(t, replica.url, /it is a replica, which takes no writes/),
    refused(t, sentinel.url, /it is a sentinel: write redis\+sentinel:/),
    refused(t, `${server.url}/16`, /no database of that number/),
    refused(t, `${server.url},${server.url}`, /several addresses are for Redis Cluster/),
    refused(
      t,
      `${bySentinels}/other`,
      /\(sentinels of other\) cannot be used: no sentinel knows a master called "other"/,
    ),
    refused(t, `${bySentinels}/main/16`, /no database of that number/),
    refused(
      t,
      `redis+sentinel://127.0.0.1:${await freePort()}/main`,
      /no sentinel answers: failed to connect to sentinel 127/,
    ),
  ])
  await connect(t, `${server.url}/15`)
  await connect(t, `redis+sentinel://127.0.0.1:1,127.0.0.1:${sentinel.port}/main/15`)
})

t.test('the keys of trying Redis out expire within a second', { skip: withoutRedis }, async (t) => {
  const server = await startRedis(t)
  const client = await connect(t, server.url)
  for (const key of await client.keys('*')) t.ok((await client.pttl(key)) <= 1_000, key)
})
