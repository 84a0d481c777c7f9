import { randomUUID } from 'node:crypto'
import { isIPv6 } from 'node:net'
import type { Cluster, Redis } from 'ioredis'
import type { RateLimiterAbstract } from 'rate-limiter-flexible'
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { Problem } from './problem.ts'

/**
 * What is counted by site. A finish counts once all of its checks have passed, and against whoever started the login:
 * a stranger's logins use up a stranger's share, though the site's own backend posts them. A refresh counts where its
 * token verifies.
 */
export type Limited = 'start' | 'finish' | 'refresh'

/** Requests a minute. A site's backend is one address for all of its users. */
export const limits = {
  start: 600,
  finish: 1_200,
  refresh: 1_200,
  proved: 6_000,
  /** Each may read all that is remembered of the site's logins. */
  siteQuestion: 120,
  wrongSecret: 30,
  unknownState: 600,
  failedFinish: 1_200,
  unknownSite: 600,
} as const

/** The buckets that a request may fall into; each refusal says who is limited and when to come back. */
export interface RateLimits {
  /**
   * Counts a good request: by site where the caller proved to be it, else by site and address, so that nobody
   * uses a site's share up from elsewhere.
   * @throws {Problem} rate-limited
   */
  admit(kind: Limited, siteId: string, address: string, proved: boolean): Promise<void>
  /**
   * Counts a finish whose state is unknown, by address; one whose state lives is never refused by this bucket.
   * @throws {Problem} rate-limited
   */
  unknownState(address: string): Promise<void>
  /**
   * Counts a finish of a living login whose other checks failed, by address; one that passes is never refused by it.
   * @throws {Problem} rate-limited
   */
  failedFinish(address: string): Promise<void>
  /**
   * Counts starts with a URL that nobody registered, by address.
   * @throws {Problem} rate-limited
   */
  unknownSite(address: string): Promise<void>
  /**
   * Counts wrong credentials; the right ones are never refused by this bucket.
   * @throws {Problem} rate-limited
   */
  wrongSecret(siteId: string, address: string): Promise<void>
  /**
   * Counts what a proved site asks about itself.
   * @throws {Problem} rate-limited
   */
  siteQuestion(siteId: string): Promise<void>
}

/** For benchmarks (`RATE_LIMIT=off`): every request is welcome. */
export const noRateLimits: RateLimits = {
  admit: async () => {},
  unknownState: async () => {},
  failedFinish: async () => {},
  unknownSite: async () => {},
  wrongSecret: async () => {},
  siteQuestion: async () => {},
}

/**
 * Counters in Redis, so that all replicas count together; in this process's memory where there is no Redis or it
 * does not answer: an outage of Redis never becomes one of the limits.
 */
export function createRateLimits(redis: Redis | Cluster | undefined, prefix: string): RateLimits {
  const limiter = (name: string, points: number): RateLimiterAbstract => {
    const memory = new RateLimiterMemory({ keyPrefix: name, points, duration: 60 })
    if (redis === undefined) return memory
    return new RateLimiterRedis({
      storeClient: redis,
      keyPrefix: `${prefix}limit:${name}`,
      points,
      duration: 60,
      rejectIfRedisNotReady: true,
      inMemoryBlockOnConsumed: points + 1,
      insuranceLimiter: memory,
    })
  }
  const bySite = {
    start: limiter('start', limits.proved),
    finish: limiter('finish', limits.proved),
    refresh: limiter('refresh', limits.proved),
  }
  const byAddress = {
    start: limiter('start-address', limits.start),
    finish: limiter('finish-address', limits.finish),
    refresh: limiter('refresh-address', limits.refresh),
  }
  const wrongSecrets = limiter('secret', limits.wrongSecret)
  const unknownStates = limiter('unknown-state', limits.unknownState)
  const failedFinishes = limiter('failed-finish', limits.failedFinish)
  const unknownSites = limiter('unknown-site', limits.unknownSite)
  const siteQuestions = limiter('site', limits.siteQuestion)

  return {
    admit: (kind, siteId, address, proved) =>
      proved
        ? consume(bySite[kind], siteId, 'site', limits.proved)
        : consume(byAddress[kind], `${siteId}:${network(address)}`, 'site-and-address', limits[kind]),
    unknownState: (address) =>
      consume(unknownStates, network(address), 'unknown-states', limits.unknownState),
    failedFinish: (address) =>
      consume(failedFinishes, network(address), 'failed-finishes', limits.failedFinish),
    unknownSite: (address) => consume(unknownSites, network(address), 'address', limits.unknownSite),
    wrongSecret: (siteId, address) =>
      consume(
        wrongSecrets,
        `${siteId.slice(0, 64)}:${network(address)}`,
        'wrong-secrets',
        limits.wrongSecret,
      ),
    siteQuestion: (siteId) => consume(siteQuestions, siteId, 'site', limits.siteQuestion),
  }
}

async function consume(limiter: RateLimiterAbstract, key: string, who: string, limit: number): Promise<void> {
  try {
    await limiter.consume(key)
  } catch (error) {
    if (!(error instanceof RateLimiterRes)) throw error
    throw new Problem('rate-limited', {
      values: { who, limit: String(limit) },
      retryAfter: Math.max(1, Math.ceil(error.msBeforeNext / 1000)),
    })
  }
}

/** Whoever has an IPv6 address has its whole /64. Some proxies append a port. */
export function network(given: string): string {
  const address =
    /^\[(.+)\](?::\d+)?$|^([\d.]+):\d+$/
      .exec(given)
      ?.slice(1)
      .find((part) => part !== undefined) ?? given
  if (!isIPv6(address)) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  const [head = '', tail] = address.toLowerCase().split('%', 1).join('').split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length
  const groups = [...left, ...Array<string>(Math.max(0, zeros)).fill('0'), ...right]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

/**
 * Counts once in a bucket of its own that ends within a second, without the local buckets in reserve.
 * @throws whatever Redis refuses it with
 */
export async function tryRateLimits(client: Redis | Cluster, prefix: string): Promise<void> {
  const options = { storeClient: client, keyPrefix: `${prefix}limit:tried`, points: 1, duration: 1 }
  await new RateLimiterRedis(options).consume(randomUUID())
}
