import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster, Redis } from 'ioredis'
import type { Deadlines } from '../deadlines.ts'
import { deadlines as ownDeadlines } from '../deadlines.ts'
import { OperatorError } from '../operator-error.ts'
import type { RedisAddress } from './redis-address.ts'
import { parseRedisUrl, RedisUrlError } from './redis-address.ts'
import type { RedisConnection, RedisDeadlines } from './redis-client.ts'
import { openRedis } from './redis-client.ts'
import { explained, isFinal, reasonOf } from './redis-errors.ts'

/** How Redis is reached. */
export interface RedisConnectOptions {
  /** As REDIS_URL: one server, several comma-separated ones for Redis Cluster, or redis+sentinel://HOST:PORT,HOST:PORT/NAME. */
  readonly url: string
  /** The beginning of every key. The stores add it, as the client's own option does not apply to Lua scripts. */
  readonly prefix: string
  /** Does once everything that the service will do with Redis, so that a missing permission is noticed now. */
  readonly tryOut: (client: Redis | Cluster, prefix: string) => Promise<void>
  /** Called once with a sentence if a setting of the server may lose logins. */
  readonly onWarning: (text: string) => void
  /** Replaces the service's own deadlines, in tests. */
  readonly deadlines?: RedisDeadlines & Pick<Deadlines, 'redisReady'>
}

/** Redis did not become usable; the message is a sentence for an operator, without a password. */
export class RedisConnectError extends OperatorError {
  override readonly name = 'RedisConnectError'
}

/**
 * Connects and waits until `tryOut` succeeds; one node of a Redis Cluster is enough to find the others. Afterwards no
 * command waits longer than its deadline, and while Redis is down commands fail at once: a command that was reported as
 * failed is never sent later. The client reconnects by itself.
 * @throws {RedisConnectError} after `redisReady`, or at once where the URL, the password or a permission is wrong
 */
export async function connectRedis(options: RedisConnectOptions): Promise<Redis | Cluster> {
  const { deadlines = ownDeadlines } = options
  const until = performance.now() + deadlines.redisReady
  let address = addressOf(options.url)
  let connection = openRedis(address, deadlines)
  let told: string | undefined
  for (;;) {
    try {
      const left = Math.max(1, until - performance.now())
      const found = await inTime(tried(connection, address, options), left)
      if (found === 'usable') break
      connection.client.disconnect()
      address = found
      connection = openRedis(address, deadlines)
    } catch (error) {
      told = reasonOf(error) ?? reasonOf(connection.failure()) ?? told
      const reason = told ?? 'it does not answer'
      if (performance.now() < until && !isFinal(reason)) {
        await sleep(50)
        continue
      }
      connection.client.disconnect()
      throw new RedisConnectError(
        `Redis at ${address.shown} cannot be used: ${explained(reason, address, options.prefix)}. Check REDIS_URL.`,
        { cause: error },
      )
    }
  }
  await warnOfEviction(connection.client, options.onWarning)
  return connection.client
}

function addressOf(url: string): RedisAddress {
  try {
    return parseRedisUrl(url)
  } catch (error) {
    if (!(error instanceof RedisUrlError)) throw error
    throw new RedisConnectError(`REDIS_URL ${error.message}`)
  }
}

/**
 * Tries the connection out.
 * @returns the address of the cluster to which the server belongs, if it belongs to one
 */
async function tried(
  { client }: RedisConnection,
  address: RedisAddress,
  { prefix, tryOut }: RedisConnectOptions,
): Promise<'usable' | RedisAddress> {
  if (address.kind !== 'cluster' && client instanceof Redis) {
    const mode = await modeOf(client)
    if (mode === 'sentinel') throw new Error('it is a sentinel: write redis+sentinel://HOST:PORT/NAME')
    // The client ignores a SELECT that fails when it connects, and continues in database 0.
    if (address.db !== 0) await client.select(address.db)
    if (mode === 'cluster' && address.kind === 'single') {
      const { node, access, shown } = address
      return { kind: 'cluster', nodes: [node], access, shown }
    }
  }
  await tryOut(client, prefix)
  return 'usable'
}

/** The mode of the server by HELLO, which needs no permission; undefined where a proxy before Redis does not know it. */
async function modeOf(client: Redis): Promise<unknown> {
  const answer: unknown = await client.call('HELLO').catch((error: unknown) => {
    if (!/^(ERR|NOAUTH) /.test(error instanceof Error ? error.message : '')) throw error
  })
  return Array.isArray(answer) ? answer[answer.indexOf('mode') + 1] : undefined
}

/** Limits the time of an attempt, as the client of a cluster waits without limit until it has reached its first node. */
async function inTime<T>(attempt: Promise<T>, milliseconds: number): Promise<T> {
  const timer = new AbortController()
  const late = sleep(milliseconds, undefined, { signal: timer.signal }).then(() => {
    throw new Error('The attempt timed out.')
  })
  try {
    return await Promise.race([attempt, late])
  } finally {
    late.catch(() => {})
    timer.abort()
  }
}

/**
 * The server's `maxmemory-policy`: with any other than `noeviction` Redis may drop a login that is under way.
 * @returns undefined where this user is allowed neither CONFIG nor INFO
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
