import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { ServerProcess } from './process.ts'
import { eventually, freePort, startServerProcess } from './process.ts'

/** A redis-server for one test. It starts again empty unless its arguments make it keep data. */
export interface RedisServer extends ServerProcess {
  readonly url: string
  readonly port: number
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
 * Starts a sentinel (a redis-server in another mode) on a free port of loopback. Two sentinels must agree that the master is
 * down, which they notice after half a second.
 * @param name the sentinels' name of the master
 */
export function startSentinelServer(masterPort: number, name: string): Promise<RedisServer> {
  return startServer(async (port, directory) => {
    // A sentinel stores its state in its own configuration file and does not start without one.
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

/** @param commandOf makes the command line for a port and an empty folder */
async function startServer(
  commandOf: (port: number, directory: string) => Promise<readonly string[]>,
): Promise<RedisServer> {
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'auth-movies-redis-'))
  const command = await commandOf(port, directory)
  const server = await startServerProcess({
    launch: () => spawn('redis-server', command, { stdio: 'ignore' }),
    ready: () => eventually(() => serves(port)),
    folders: [directory],
    stopSignal: 'SIGTERM',
    removeSignal: 'SIGKILL',
  })
  return { url: `redis://127.0.0.1:${port}`, port, ...server }
}

/** Throws unless the server responds. Any response counts, because the server may require a password. */
async function serves(port: number) {
  const socket = connect({ port, host: '127.0.0.1', timeout: 1_000 })
  try {
    socket.write('PING\r\n')
    await once(socket, 'data')
  } finally {
    socket.destroy()
  }
}

/** Sends commands to one server over a connection of their own. */
export async function askServer<T>(port: number, question: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(port, '127.0.0.1', { retryStrategy: () => null, commandTimeout: 1_000 })
  client.on('error', () => {})
  try {
    return await question(client)
  } finally {
    client.disconnect()
  }
}
