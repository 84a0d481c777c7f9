import { randomUUID } from 'node:crypto'
import type { Cluster, Redis } from 'ioredis'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import { network } from './client-ip.ts'
import type { LimitBucket, LimitBucketOptions, LimitFactor } from './limit-bucket.ts'
import { createLimitBucket } from './limit-bucket.ts'

/**
 * The kinds of requests that are counted per site. A finish is counted after all of its checks have passed, and for the
 * caller that started the login: logins that a stranger started use up the stranger's limit, although the site's backend
 * sends the finish. A refresh or revocation is counted if its token is valid.
 */
export type Limited = 'start' | 'finish' | 'refresh' | 'revoke'

/**
 * Requests per minute; limits per site are multiplied by the factor of the site. A site's backend has one IP address for
 * all of its users, and everybody who presses its login button makes it start a login. The limits are therefore high, and
 * each visitor has a bucket of their own where the site names its visitors.
 */
export const limits = {
  /** Of each kind, per site and network. */
  unauthenticated: 6_000,
  /** Of each kind, and introspections, per site. */
  authenticated: 60_000,
  /** Starts per site and visitor, where an authenticated site names its visitor. */
  visitor: 60,
  /**
   * Starts with a long state or nonce, per network: the record of one, which is kept for over an hour, takes the memory of
   * twenty others.
   */
  longStart: 300,
  /** Requests about one session: `me`, its list of sessions, introspection. There is no factor, as a session belongs to one person. */
  session: 600,
  /** Each may read the whole history of the site's logins. */
  siteQuestion: 120,
  wrongSecret: 30,
  unknownState: 600,
  failedFinish: 6_000,
  unknownSite: 600,
  invalidToken: 600,
  /** Codes per network whose browsers brought them to the callback; above it, no code from there reaches a provider. */
  rejectedCode: 30,
} as const

/** The part of a site that its limits need. */
export interface LimitedSite {
  readonly id: string
  readonly limitFactor: LimitFactor
}

/** The caller for which a request is counted: the site where it authenticated, otherwise the IP address that sent it. */
export type Counted =
  | {
      readonly by: 'site'
      /** The IP address of the person for whom the site asks, where it names one. */
      readonly visitor?: string
    }
  | { readonly by: 'address'; readonly address: string }

/** Counts requests in buckets, and refuses those above a limit, saying who is limited and when to retry. */
export interface RateLimits {
  /**
   * Counts a valid request. Strangers cannot use up the limit of a site, nor one visitor the limit of the others.
   * @throws {Problem} rate-limited
   */
  countRequest(kind: Limited, site: LimitedSite, counted: Counted): Promise<void>
  /**
   * Counts a start with a long state or nonce, besides `countRequest`.
   * @throws {Problem} rate-limited
   */
  longStart(ip: string): Promise<void>
  /** Whether this process knows that `countRequest` would refuse. Counts nothing. */
  struck(kind: Limited, site: LimitedSite, counted: Counted): boolean
  /**
   * Counts an introspection by an authenticated site, for the site and for the session.
   * @throws {Problem} rate-limited
   */
  introspection(site: LimitedSite, sessionId: string): Promise<void>
  /**
   * Counts a request with the access token of a session.
   * @throws {Problem} rate-limited
   */
  session(sessionId: string): Promise<void>
  /**
   * Counts a finish whose state is unknown, per network; one with a known state is never refused by this bucket.
   * @throws {Problem} rate-limited
   */
  unknownState(ip: string): Promise<void>
  /**
   * Counts a finish of a known login whose other checks failed, per network; one that passes is never refused by this bucket.
   * @throws {Problem} rate-limited
   */
  failedFinish(ip: string): Promise<void>
  /**
   * Counts a start with a redirect URL that no site registered, per network.
   * @throws {Problem} rate-limited
   */
  unknownSite(ip: string): Promise<void>
  /** Whether `unknownSite` would refuse, so that the database need not be asked. Counts nothing. */
  unknownSiteStruck(ip: string): boolean
  /**
   * Counts wrong credentials; right ones are never refused by this bucket.
   * @param siteId undefined where no site has the id. All unknown ids share a bucket, as a stranger must not choose its key
   * @throws {Problem} rate-limited
   */
  wrongSecret(siteId: string | undefined, ip: string): Promise<void>
  /** Whether `wrongSecret` would refuse an unknown id, so that it need not be looked up. Counts nothing. */
  unknownIdStruck(ip: string): boolean
  /**
   * Counts a token of the service's form whose signature is wrong, per network; valid tokens are never refused by this
   * bucket.
   * @throws {Problem} rate-limited
   */
  invalidToken(ip: string): Promise<void>
  /**
   * Counts a request of an authenticated site about itself.
   * @throws {Problem} rate-limited
   */
  siteQuestion(siteId: string): Promise<void>
  /**
   * Refuses a network that brought too many codes which their providers rejected. Counts nothing.
   * @param from a digest of the network whose browser brought the code
   * @throws {Problem} rate-limited
   */
  checkRejectedCodes(from: string): Promise<void>
  /** Counts a code that its provider rejected, for the network that brought it; refuses nothing. */
  countRejectedCode(from: string): Promise<void>
}

/** For benchmarks (`RATE_LIMIT=off`): refuses nothing. */
export const noRateLimits: RateLimits = {
  countRequest: async () => {},
  longStart: async () => {},
  struck: () => false,
  introspection: async () => {},
  session: async () => {},
  unknownState: async () => {},
  failedFinish: async () => {},
  unknownSite: async () => {},
  unknownSiteStruck: () => false,
  wrongSecret: async () => {},
  unknownIdStruck: () => false,
  invalidToken: async () => {},
  siteQuestion: async () => {},
  checkRejectedCodes: async () => {},
  countRejectedCode: async () => {},
}

/**
 * Makes the rate limits. The counters are in Redis, so that all replicas count together; in the memory of this process
 * where there is no Redis or it fails, so that an outage of Redis neither refuses requests nor removes the limits.
 */
export function createRateLimits(redis: Redis | Cluster | undefined, prefix: string): RateLimits {
  const bucket = (name: string, limit: number, who: LimitBucketOptions['who']) =>
    createLimitBucket(redis, prefix, { name, limit, who })
  const bySite = (name: string) => bucket(name, limits.authenticated, 'site')
  const byAddress = (name: string) => bucket(name, limits.unauthenticated, 'site-and-address')
  const sites = {
    start: bySite('start'),
    finish: bySite('finish'),
    refresh: bySite('refresh'),
    revoke: bySite('revoke'),
  }
  const addresses = {
    start: byAddress('start-address'),
    finish: byAddress('finish-address'),
    refresh: byAddress('refresh-address'),
    revoke: byAddress('revoke-address'),
  }
  const introspections = bySite('introspection')
  const visitors = bucket('visitor', limits.visitor, 'site-and-visitor')
  const sessions = bucket('session', limits.session, 'session')
  const wrongSecrets = bucket('secret', limits.wrongSecret, 'wrong-secrets')
  const longStarts = bucket('long-start', limits.longStart, 'address')
  const unknownStates = bucket('unknown-state', limits.unknownState, 'unknown-states')
  const failedFinishes = bucket('failed-finish', limits.failedFinish, 'failed-finishes')
  const unknownSites = bucket('unknown-site', limits.unknownSite, 'address')
  const invalidTokens = bucket('invalid-token', limits.invalidToken, 'invalid-tokens')
  const siteQuestions = bucket('site', limits.siteQuestion, 'site')
  const rejectedCodes = bucket('rejected-code', limits.rejectedCode, 'rejected-codes')

  /** Where a request is counted, the narrowest bucket first. */
  const bucketsOf = (kind: Limited, { id }: LimitedSite, counted: Counted): [CountedKey, ...CountedKey[]] => {
    if (counted.by === 'address')
      return [{ bucket: addresses[kind], key: `${id}:${network(counted.address)}` }]
    const ofSite = { bucket: sites[kind], key: id }
    if (counted.visitor === undefined) return [ofSite]
    return [{ bucket: visitors, key: `${id}:${network(counted.visitor)}` }, ofSite]
  }

  /** Counts twice in one trip. A narrow bucket that is above its limit refuses first, and the wide one is not counted. */
  const both = async (narrow: () => Promise<void>, struck: boolean, wide: () => Promise<void>) => {
    if (struck) {
      await narrow()
      await wide()
    } else await Promise.all([narrow(), wide()])
  }

  return {
    async countRequest(kind, site, counted) {
      const [narrow, wide] = bucketsOf(kind, site, counted)
      const count = ({ bucket, key }: CountedKey) => bucket.count(key, site.limitFactor)
      if (wide === undefined) return await count(narrow)
      await both(
        () => count(narrow),
        narrow.bucket.struck(narrow.key),
        () => count(wide),
      )
    },
    struck: (kind, site, counted) =>
      bucketsOf(kind, site, counted).some(({ bucket, key }) => bucket.struck(key)),
    introspection: ({ id, limitFactor }, sessionId) =>
      both(
        () => sessions.count(sessionId),
        sessions.struck(sessionId),
        () => introspections.count(id, limitFactor),
      ),
    session: (sessionId) => sessions.count(sessionId),
    longStart: (ip) => longStarts.count(network(ip)),
    unknownState: (ip) => unknownStates.count(network(ip)),
    failedFinish: (ip) => failedFinishes.count(network(ip)),
    unknownSite: (ip) => unknownSites.count(network(ip)),
    unknownSiteStruck: (ip) => unknownSites.struck(network(ip)),
    wrongSecret: (siteId, ip) => wrongSecrets.count(secretKey(siteId, ip)),
    unknownIdStruck: (ip) => wrongSecrets.struck(secretKey(undefined, ip)),
    invalidToken: (ip) => invalidTokens.count(network(ip)),
    siteQuestion: (siteId) => siteQuestions.count(siteId),
    checkRejectedCodes: (from) => rejectedCodes.check(from),
    countRejectedCode: (from) => rejectedCodes.record(from),
  }
}

interface CountedKey {
  readonly bucket: LimitBucket
  readonly key: string
}

function secretKey(siteId: string | undefined, ip: string): string {
  return `${siteId ?? '?'}:${network(ip)}`
}

/**
 * Counts once in a separate bucket that expires within a second, without the fallback to memory.
 * @throws the errors of Redis as they are
 */
export async function tryRateLimits(client: Redis | Cluster, prefix: string): Promise<void> {
  const options = { storeClient: client, keyPrefix: `${prefix}limit:tried`, points: 1, duration: 1 }
  await new RateLimiterRedis(options).consume(randomUUID())
}
