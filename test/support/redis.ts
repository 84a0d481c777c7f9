import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import t from 'tap'
import type { RedisServer } from './redis-server.ts'
import { startRedisServer, startSentinelServer } from './redis-server.ts'

type Test = Pick<typeof t, 'teardown'>

/**
 * For `t.test(name, { skip: withoutRedis }, …)`: false if there is a Redis to test with, otherwise the reason. `npm test`
 * installs it or says how; if CI is set, a skipped test is a failure.
 */
export const withoutRedis: string | false =
  process.env.TEST_REDIS_URL !== undefined || hasRedisServer() ? false : 'redis-server is not installed'

function hasRedisServer(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** A URL, and a prefix that no other test uses; its keys are removed when `test` ends. */
export async function testRedis(test: Test): Promise<{ readonly url: string; readonly prefix: string }> {
  const url = await serverUrl()
  const prefix = `test-${randomUUID()}:`
  test.teardown(async () => {
    const client = new Redis(url)
    const keys = await client.keys(`${prefix}*`)
    if (keys.length > 0) await client.del(keys)
    client.disconnect()
  })
  return { url, prefix }
}

let server: Promise<string> | undefined

function serverUrl(): Promise<string> {
  server ??=
    process.env.TEST_REDIS_URL === undefined
      ? startRedis(t).then(({ url }) => url)
      : Promise.resolve(process.env.TEST_REDIS_URL)
  return server
}

/** Starts a redis-server for one test; removed when `test` ends. */
export async function startRedis(test: Test, args: readonly string[] = []): Promise<RedisServer> {
  const server = await startRedisServer(args)
  test.teardown(() => server.remove())
  return server
}

/** Starts a sentinel for one test; removed when `test` ends. @param name the sentinels' name of the master */
export async function startSentinel(test: Test, masterPort: number, name: string): Promise<RedisServer> {
  const sentinel = await startSentinelServer(masterPort, name)
  test.teardown(() => sentinel.remove())
  return sentinel
}
