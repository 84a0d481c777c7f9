import type { Cluster, Redis } from 'ioredis'
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { Problem } from '../problems/problem.ts'
import type { LimitedCaller } from '../problems/table.ts'

/** Times which a limit is taken; a function where it must be looked up, which is asked above the simple limit alone. */
export type LimitFactor = number | (() => Promise<number>)

/** The highest factor that the operator may set. */
export const highestFactor = 1_000

/** Counts requests of one kind by key, a minute at a time. */
export interface LimitBucket {
  /**
   * Counts one request.
   * @throws {Problem} rate-limited, saying who is limited and when to come back
   */
  count(key: string, factor?: LimitFactor): Promise<void>
  /**
   * Asks whether the key is above its limit, on all replicas together; counts nothing.
   * @throws {Problem} rate-limited
   */
  check(key: string): Promise<void>
  /** Counts one request that is over already, and refuses nothing. */
  record(key: string): Promise<void>
  /** Whether the key is known here to be above its limit; asks nobody and counts nothing. */
  struck(key: string): boolean
}

/** What a bucket is made of. */
export interface LimitBucketOptions {
  readonly name: string
  /** Requests a minute, for a factor of 1. */
  readonly limit: number
  /** Whose requests they are, for the refusal. */
  readonly who: LimitedCaller
}

/** A key above its limit: until when (milliseconds of `performance.now()`), and what the limit was. */
interface Strike {
  readonly until: number
  readonly limit: number
}

/** Of one bucket; the oldest goes first. One costs a stranger a minute's worth of requests. */
const mostStrikes = 10_000

/**
 * Makes a bucket whose counters are in Redis, so that all replicas count together, and in this process's memory where
 * there is no Redis or it does not answer. A limit that has struck is remembered here: what follows costs no trip.
 * @param prefix of the keys in Redis
 */
export function createLimitBucket(
  redis: Redis | Cluster | undefined,
  prefix: string,
  { name, limit, who }: LimitBucketOptions,
): LimitBucket {
  // The library only counts: the limit itself depends on the factor, which may change at any time.
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
    if (strikes.size >= mostStrikes && oldest !== undefined) strikes.delete(oldest)
    strikes.set(key, { until: performance.now() + milliseconds, limit })
  }
  const refusal = (limit: number, milliseconds: number) =>
    new Problem('rate-limited', {
      values: { who, limit: String(limit) },
      retryAfter: Math.max(1, Math.ceil(milliseconds / 1000)),
    })

  const hold = async (key: string, factor: LimitFactor, points: 0 | 1) => {
    const known = strikeOf(key)
    // A factor that was raised since then holds at once.
    if (known !== undefined && known.limit >= limit * (await valueOf(factor)))
      throw refusal(known.limit, known.until - performance.now())
    const { consumedPoints, msBeforeNext } = await consume(counter, key, points)
    if (consumedPoints <= limit) return
    const allowed = limit * (await valueOf(factor))
    if (consumedPoints <= allowed) return
    strike(key, msBeforeNext, allowed)
    throw refusal(allowed, msBeforeNext)
  }

  return {
    count: (key, factor = 1) => hold(key, factor, 1),
    check: (key) => hold(key, 1, 0),
    async record(key) {
      await consume(counter, key, 1)
    },
    struck: (key) => strikeOf(key) !== undefined,
  }
}

async function valueOf(factor: LimitFactor): Promise<number> {
  return typeof factor === 'number' ? factor : await factor()
}

/** The count with these points in it; above its points the library throws it instead of giving it. */
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
