import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t from 'tap'
import { end, eventually, freePort } from './process.ts'

type Test = Pick<typeof t, 'teardown'>

/**
 * For `t.test(name, { skip: withoutRedis }, …)`: false where there is a Redis to test with, else the reason.
 * `npm test` installs it or says how; with CI set a test that is left out is a failure there.
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

/** An address and a prefix that no other test uses; what is under the prefix is removed when `test` ends. */
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

/** A redis-server of one's own, to be stopped, halted and filled. */
export interface RedisServer {
  readonly url: string
  readonly port: number
  /** Ends it by this signal and waits (SIGKILL is a crash). */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again on the same port, empty unless `args` make it keep data. */
  start(): Promise<void>
  /** Halts it (SIGSTOP), so that connections open and nothing answers; or lets it go on. */
  pause(): void
  resume(): void
}

/**
 * Starts a redis-server from the PATH on a free port of loopback; stopped when `test` ends.
 * @param args further command line, such as `['--maxmemory', '1mb']`
 */
export async function startRedis(test: Test, args: readonly string[] = []): Promise<RedisServer> {
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'auth-movies-redis-'))
  const command = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory, ...args]
  let child: ChildProcess | undefined
  const kill = (signal: NodeJS.Signals) => child?.kill(signal)
  const launch = async () => {
    child = spawn('redis-server', command, { stdio: 'ignore' })
    await eventually(() => serves(port))
  }
  const stop = async (signal: NodeJS.Signals) => child && (await end(child, signal))
  const atExit = () => kill('SIGKILL')
  process.once('exit', atExit)
  test.teardown(async () => {
    process.removeListener('exit', atExit)
    await stop('SIGKILL')
    await rm(directory, { recursive: true, force: true })
  })
  await launch()
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    stop: async (signal = 'SIGTERM') => void (await stop(signal)),
    start: launch,
    pause: () => kill('SIGSTOP'),
    resume: () => kill('SIGCONT'),
  }
}

/** Any answer counts: the server may demand a password. */
async function serves(port: number) {
  const socket = connect({ port, host: '127.0.0.1', timeout: 1_000 })
  try {
    socket.write('PING\r\n')
    await once(socket, 'data')
  } finally {
    socket.destroy()
  }
}
