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

/** Strikes that one bucket remembers; the oldest is dropped first. Each costs a stranger the requests of a whole minute. */
const maxStrikes = 10_000

/**
 * Makes a bucket whose counters are in Redis, so that all replicas count together, or in the memory of this process where
 * there is no Redis or it fails. A key above its limit is remembered here, so that refusing it again needs no trip to
 * Redis.
 * @param prefix the beginning of the keys in Redis
 */
export function createLimitBucket(
  redis: Redis | Cluster | undefined,
  prefix: string,
  { name, limit, who }: LimitBucketOptions,
): LimitBucket {
  // The library only counts, as the limit depends on the factor, which may change at any time.
  const points = limit * highestFactor
  const memory = new RateLimiterMemory({ keyPrefix: name, points, duration: 60 })
  const counter =
    redis === undefined
      ? memory
      : new RateLimiterRedis({
          storeClient: redis,
          keyPrefix: `${prefix}limit:${name}`,
          points,
          duration: 60,
          rejectIfRedisNotReady: true,
          insuranceLimiter: memory,
        })
  const strikes = new Map<string, Strike>()
  const strikeOf = (key: string) => {
    const strike = strikes.get(key)
    if (strike === undefined || strike.until > performance.now()) return strike
    strikes.delete(key)
    return undefined
  }
  const strike = (key: string, milliseconds: number, limit: number) => {
    const [oldest] = strikes.keys()
    if (strikes.size >= maxStrikes && oldest !== undefined) strikes.delete(oldest)
    strikes.set(key, { until: performance.now() + milliseconds, limit })
  }
  const rateLimited = (limit: number, milliseconds: number) =>
    new Problem('rate-limited', {
      values: { who, limit: String(limit) },
      retryAfter: Math.max(1, Math.ceil(milliseconds / 1000)),
    })

  const countOrRefuse = async (key: string, factor: LimitFactor, points: 0 | 1) => {
    const known = strikeOf(key)
    // A factor that was raised in the meantime holds at once.
    if (known !== undefined && known.limit >= limit * (await valueOf(factor)))
      throw rateLimited(known.limit, known.until - performance.now())
    const { consumedPoints, msBeforeNext } = await consume(counter, key, points)
    if (consumedPoints <= limit) return
    const allowed = limit * (await valueOf(factor))
    if (consumedPoints <= allowed) return
    strike(key, msBeforeNext, allowed)
    throw rateLimited(allowed, msBeforeNext)
  }

  return {
    count: (key, factor = 1) => countOrRefuse(key, factor, 1),
    check: (key) => countOrRefuse(key, 1, 0),
    async record(key) {
      await consume(counter, key, 1)
    },
    struck: (key) => strikeOf(key) !== undefined,
  }
}

async function valueOf(factor: LimitFactor): Promise<number> {
  return typeof factor === 'number' ? factor : await factor()
}

/** The count including these points; above its own limit the library throws the count instead of returning it. */
async function consume(
  counter: RateLimiterMemory | RateLimiterRedis,
  key: string,
  points: 0 | 1,
): Promise<RateLimiterRes> {
  try {
    return await counter.consume(key, points)
  } catch (error) {
    if (error instanceof RateLimiterRes) return error
    throw error
  }
}
