import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisOptions } from 'ioredis'
import { Cluster, Redis } from 'ioredis'
import { deadlines } from '../config.ts'
import type { RedisAddress } from './redis-address.ts'
import { parseRedisUrl } from './redis-address.ts'

/** How Redis is reached. */
export interface RedisConnectOptions {
  /** One address, several comma-separated for Redis Cluster, or redis+sentinel://HOST:PORT,HOST:PORT/NAME. */
  readonly url: string
  /** Before every key; the stores put it there, as the client's own way of doing so knows no Lua scripts. */
  readonly prefix: string
  /** Hears, once, of a setting of the server by which logins would get lost. */
  readonly onWarning: (text: string) => void
}

/** Redis did not become usable; the message is a sentence for an operator, without a password. */
export class RedisConnectError extends Error {
  override readonly name = 'RedisConnectError'
}

const readyWithin = 5_000

/**
 * Connects and waits until Redis answers. Afterwards no command waits longer than `deadlines.redisCommand`,
 * and while Redis is away commands fail at once: what has been reported as failed is never sent later, so that
 * a login is not claimed behind its caller's back. It reconnects by itself.
 * @throws {RedisConnectError} after five seconds, or at once where the password is wrong
 */
export async function connectRedis({
  url,
  prefix,
  onWarning,
}: RedisConnectOptions): Promise<Redis | Cluster> {
  const address = parseRedisUrl(url)
  if (address === undefined) throw new RedisConnectError('REDIS_URL is not an address of Redis.')
  const client = open(address)
  let last: unknown
  client.on('error', (error: unknown) => (last = error))
  const until = performance.now() + readyWithin
  for (;;) {
    try {
      await client.hget(`${prefix}ready`, 'none')
      break
    } catch (error) {
      // Redis answers, and whether this user may do what the stores do they will see themselves.
      if (/^NOPERM.*run the/.test(messageOf(error))) break
      // "Not connected yet" says less than what the connection itself reported.
      const reason = messageOf(isOwnMessage(error) ? (last ?? error) : error)
      if (performance.now() < until && !/WRONGPASS|NOAUTH|NOPERM/.test(reason)) {
        await sleep(50)
        continue
      }
      client.disconnect()
      throw new RedisConnectError(
        `Redis at ${address.shown} cannot be used: ${reason.replace(/\.+$/, '')}. Check REDIS_URL.`,
        {
          cause: error,
        },
      )
    }
  }
  await warnOfEviction(client, onWarning)
  return client
}

/**
 * The server's `maxmemory-policy`: anything but `noeviction` may drop a login that is under way.
 * undefined where this user may ask by neither CONFIG nor INFO.
 */
export async function evictionPolicy(client: Redis | Cluster): Promise<string | undefined> {
  const node = client instanceof Cluster ? client.nodes('master')[0] : client
  if (node === undefined) return undefined
  try {
    const answer: unknown = await node.config('GET', 'maxmemory-policy')
    if (Array.isArray(answer) && typeof answer[1] === 'string') return answer[1]
  } catch {
    // Managed Redis forbids CONFIG.
  }
  return node
    .info('memory')
    .then((text) => /^maxmemory_policy:(\S+)/m.exec(text)?.[1])
    .catch(() => undefined)
}

async function warnOfEviction(client: Redis | Cluster, onWarning: (text: string) => void) {
  const policy = await evictionPolicy(client)
  if (policy !== undefined && policy !== 'noeviction')
    onWarning(
      `Redis has maxmemory-policy ${policy}: it may drop logins that are under way. Set it to noeviction.`,
    )
}

function open(address: RedisAddress): Redis | Cluster {
  if (address.kind === 'cluster')
    return new Cluster([...address.nodes], {
      redisOptions: { ...common, ...address.options },
      enableAutoPipelining: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: backOff,
      slotsRefreshTimeout: 2_000,
    })
  const options: Omit<RedisOptions, 'replyMapping'> = {
    ...common,
    ...address.options,
    retryStrategy: backOff,
    enableOfflineQueue: false,
  }
  return new Redis(options)
}

/** Grows to two seconds; jittered, so that a fleet does not come back in step. */
function backOff(times: number): number {
  return Math.min(2_000, 50 * 2 ** Math.min(times, 6)) * (0.5 + Math.random() / 2)
}

const common = {
  // RESP2 and no ready check: HELLO, INFO and CLIENT are commands that a restricted user may lack.
  protocol: 2,
  enableReadyCheck: false,
  disableClientInfo: true,
  enableAutoPipelining: true,
  commandTimeout: deadlines.redisCommand,
  connectTimeout: 2_000,
  // A server that is halted or cut off answers nothing and closes nothing.
  socketTimeout: 2_000,
  keepAlive: 10_000,
  // A claim that was sent again would lose against itself.
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  // After a failover this connection leads to a replica: without a new one it would do so for ever.
  reconnectOnError: (error) => error.message.startsWith('READONLY'),
} as const satisfies RedisOptions

function isOwnMessage(error: unknown): boolean {
  return /enableOfflineQueue|max retries|Connection is closed|timed out/i.test(messageOf(error))
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return error.errors[0].message
  return error instanceof Error ? error.message : String(error)
}
