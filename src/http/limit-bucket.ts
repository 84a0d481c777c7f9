import type { Cluster, Redis } from 'ioredis'
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { Problem } from '../problems/problem.ts'
import type { LimitedCaller } from '../problems/table.ts'

/** A factor of a limit; a function where it must be looked up, which is called only above the simple limit. */
export type LimitFactor = number | (() => Promise<number>)

/** The highest factor that an operator may set. */
export const highestFactor = 1_000

/** Counts requests of one kind per key and minute. */
export interface LimitBucket {
  /**
   * Counts one request.
   * @throws {Problem} rate-limited, saying who is limited and when to retry
   */
  count(key: string, factor?: LimitFactor): Promise<void>
  /**
   * Checks whether the key is above its limit on all replicas together; counts nothing.
   * @throws {Problem} rate-limited
   */
  check(key: string): Promise<void>
  /** Counts one request that has already ended, and refuses nothing. */
  record(key: string): Promise<void>
  /** Whether this process knows that the key is above its limit; needs no trip to Redis and counts nothing. */
  struck(key: string): boolean
}

/** How a bucket is made. */
export interface LimitBucketOptions {
  readonly name: string
  /** Requests per minute, for a factor of 1. */
  readonly limit: number
  /** Whose requests are counted, for the text of the problem. */
  readonly who: LimitedCaller
}

/** A key above its limit: until when it is refused (milliseconds of `performance.now()`), and what the limit was. */
interface Strike {
  readonly until: number
  readonly limit: number
}

/** What this process knows of a key in the present minute. */
interface Tally {
  /** Requests on all replicas together when the counter was last told, and what has been told since. */
  told: number
  /** Requests of this process that the counter does not know yet. */
  untold: number
  /** The minute ends then (milliseconds of `performance.now()`). */
  until: number
}

/** Keys that one bucket remembers, of strikes and of tallies; the oldest is dropped first. */
const mostKeys = 10_000

/** Milliseconds. */
const minute = 60_000

/** A process tells the counter after each such part of the limit. */
const toldPart = 100

/**
 * Makes a bucket whose counters are in Redis, so that all replicas count together, or in the memory of this process where
 * there is no Redis or it fails. A process counts for itself first and tells Redis after each hundredth of the limit, so
 * that few requests wait for it: one process alone counts exactly, and each further one may let through one percent more.
 * Limits below two hundred are told with each request. A key above its limit is remembered here, so that refusing it again
 * needs no trip to Redis.
 * @param prefix the beginning of the keys in Redis
 */
export function createLimitBucket(
  redis: Redis | Cluster | undefined,
  prefix: string,
  { name, limit, who }: LimitBucketOptions,
): LimitBucket {
  // The library only counts, as the limit depends on the factor, which may change at any time.
  const points = limit * highestFactor
  const memory = new RateLimiterMemory({ keyPrefix: name, points, duration: minute / 1000 })
  const counter =
    redis === undefined
      ? memory
      : new RateLimiterRedis({
          storeClient: redis,
          keyPrefix: `${prefix}limit:${name}`,
          points,
          duration: minute / 1000,
          rejectIfRedisNotReady: true,
          insuranceLimiter: memory,
        })
  const strikes = new Map<string, Strike>()
  const strikeOf = (key: string) => current(strikes, key)
  const rateLimited = (limit: number, milliseconds: number) =>
    new Problem('rate-limited', {
      values: { who, limit: String(limit) },
      retryAfter: Math.max(1, Math.ceil(milliseconds / 1000)),
    })

  const tallies = new Map<string, Tally>()
  const share = Math.max(1, Math.floor(limit / toldPart))
  /** Counts one request. @returns how many there were in this minute, and when it ends; a promise where Redis is told */
  const counted = (key: string): Count | Promise<Count> => {
    if (share === 1) return consume(counter, key, 1)
    const tally =
      current(tallies, key) ??
      remember(tallies, key, { told: 0, untold: 0, until: performance.now() + minute })
    tally.untold += 1
    if (tally.untold >= share) return tell(key, tally)
    return { requests: tally.told + tally.untold, until: tally.until }
  }
  const tell = async (key: string, tally: Tally): Promise<Count> => {
    const { untold } = tally
    tally.told += untold
    tally.untold = 0
    const { requests, until } = await consume(counter, key, untold)
    // Another request may have told more in the meantime.
    tally.told = Math.max(tally.told, requests)
    tally.until = until
    return { requests, until }
  }

  const refuseAbove = async (key: string, factor: LimitFactor, { requests, until }: Count) => {
    const allowed = limit * (await valueOf(factor))
    if (requests <= allowed) return
    remember(strikes, key, { until, limit: allowed })
    throw rateLimited(allowed, until - performance.now())
  }
  const countOrRefuse = async (
    key: string,
    factor: LimitFactor,
    count: (key: string) => Count | Promise<Count>,
  ) => {
    const known = strikeOf(key)
    // A factor that was raised in the meantime holds at once.
    if (known !== undefined && known.limit >= limit * (await valueOf(factor)))
      throw rateLimited(known.limit, known.until - performance.now())
    const total = await count(key)
    if (total.requests > limit) await refuseAbove(key, factor, total)
  }

  return {
    count: (key, factor = 1) => countOrRefuse(key, factor, counted),
    check: (key) => countOrRefuse(key, 1, () => consume(counter, key, 0)),
    async record(key) {
      await consume(counter, key, 1)
    },
    struck: (key) => strikeOf(key) !== undefined,
  }
}

/** What is remembered of a key, unless its time is over. */
function current<T extends { readonly until: number }>(all: Map<string, T>, key: string): T | undefined {
  const found = all.get(key)
  if (found === undefined || found.until > performance.now()) return found
  all.delete(key)
  return undefined
}

function remember<T>(all: Map<string, T>, key: string, value: T): T {
  const [oldest] = all.keys()
  if (all.size >= mostKeys && oldest !== undefined) all.delete(oldest)
  all.set(key, value)
  return value
}

async function valueOf(factor: LimitFactor): Promise<number> {
  return typeof factor === 'number' ? factor : await factor()
}

/** Requests of a key in the present minute, and when that ends (milliseconds of `performance.now()`). */
interface Count {
  readonly requests: number
  readonly until: number
}

/** The count including these points; above its own limit the library throws the count instead of returning it. */
async function consume(
  counter: RateLimiterMemory | RateLimiterRedis,
  key: string,
  points: number,
): Promise<Count> {
  const { consumedPoints, msBeforeNext } = await counter.consume(key, points).catch((error: unknown) => {
    if (error instanceof RateLimiterRes) return error
    throw error
  })
  return { requests: consumedPoints, until: performance.now() + msBeforeNext }
}
