import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { end, eventually, freePort } from './process.ts'

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
  /** Ends it for good and removes its folder. */
  remove(): Promise<void>
}

/**
 * Starts a redis-server from the PATH on a free port of loopback.
 * @param args further command line, such as `['--maxmemory', '1mb']`
 */
export function startRedisServer(args: readonly string[] = []): Promise<RedisServer> {
  return startServer(async (port, directory) => [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--dir',
    directory,
    ...args,
  ])
}

/**
 * Starts a sentinel, which is a redis-server in another mode, on a free port of loopback. Two sentinels must agree
 * that the master is down, which they see after half a second.
 * @param name what the sentinels call the master
 */
export function startSentinelServer(masterPort: number, name: string): Promise<RedisServer> {
  return startServer(async (port, directory) => {
    // A sentinel writes what it learns into its own configuration file, and refuses to start without one.
    const file = join(directory, 'sentinel.conf')
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${directory}`,
      `sentinel monitor ${name} 127.0.0.1 ${masterPort} 2`,
      `sentinel down-after-milliseconds ${name} 500`,
      `sentinel failover-timeout ${name} 4000`,
    ]
    await writeFile(file, `${lines.join('\n')}\n`)
    return [file, '--sentinel']
  })
}

/** @param commandOf gives the command line for a port and an empty folder */
async function startServer(
  commandOf: (port: number, directory: string) => Promise<readonly string[]>,
): Promise<RedisServer> {
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'auth-movies-redis-'))
  const command = await commandOf(port, directory)
  let child: ChildProcess | undefined
  const kill = (signal: NodeJS.Signals) => child?.kill(signal)
  const launch = async () => {
    child = spawn('redis-server', command, { stdio: 'ignore' })
    await eventually(() => serves(port))
  }
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (child !== undefined) await end(child, signal)
  }
  const atExit = () => {
    kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
  process.once('exit', atExit)
  const remove = async () => {
    process.removeListener('exit', atExit)
    await stop('SIGKILL')
    await rm(directory, { recursive: true, force: true })
  }
  await launch().catch(async (error: unknown) => {
    await remove()
    throw error
  })
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    stop,
    start: launch,
    pause: () => kill('SIGSTOP'),
    resume: () => kill('SIGCONT'),
    remove,
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
