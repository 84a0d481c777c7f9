import { randomUUID } from 'node:crypto'
import type { Cluster, Redis } from 'ioredis'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import { network } from './client-ip.ts'
import type { LimitBucketOptions, LimitFactor } from './limit-bucket.ts'
import { createLimitBucket } from './limit-bucket.ts'

/**
 * What is counted by site. A finish counts once all of its checks have passed, and against whoever started the login:
 * a stranger's logins use up a stranger's share, though the site's own backend posts them. A refresh or revocation
 * counts where its token verifies.
 */
export type Limited = 'start' | 'finish' | 'refresh' | 'revoke'

/**
 * Requests a minute, before the factor of the site where the limit goes by site. A site's backend is one address for
 * all of its users, and whoever presses its login button makes it start a login: hence high limits, and a bucket for
 * each visitor where the site names them.
 */
export const limits = {
  /** Of each kind, by site and network address. */
  unauthenticated: 6_000,
  /** Of each kind, and introspections, by site. */
  authenticated: 60_000,
  /** Starts, by site and visitor, where an authenticated site names its visitor. */
  visitor: 60,
  /** What is asked about one session: `me`, its sessions, introspection. No factor: a session is one person's. */
  session: 600,
  /** Each may read all that is remembered of the site's logins. */
  siteQuestion: 120,
  wrongSecret: 30,
  unknownState: 600,
  failedFinish: 6_000,
  unknownSite: 600,
  invalidToken: 600,
  /** Of a network whose browsers brought them to the callback; above it no code from there reaches a provider. */
  rejectedCode: 30,
} as const

/** A site as its limits know it. */
export interface LimitedSite {
  readonly id: string
  readonly limitFactor: LimitFactor
}

/** Who counts for a request that goes by site: the site itself where it authenticated, else whoever sent it. */
export type Counted =
  | {
      readonly by: 'site'
      /** The IP address of the person for whom the site asks, where it names one. */
      readonly visitor?: string
    }
  | { readonly by: 'address'; readonly address: string }

/** The buckets that a request may fall into; each refusal says who is limited and when to come back. */
export interface RateLimits {
  /**
   * Counts a good request, so that nobody uses a site's share up from elsewhere, nor one visitor that of all others.
   * @throws {Problem} rate-limited
   */
  admit(kind: Limited, site: LimitedSite, counted: Counted): Promise<void>
  /**
   * Counts a question of an authenticated site about a session, by both.
   * @throws {Problem} rate-limited
   */
  introspection(site: LimitedSite, sessionId: string): Promise<void>
  /**
   * Counts what the owner of a session asks with its access token.
   * @throws {Problem} rate-limited
   */
  session(sessionId: string): Promise<void>
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
  /** Whether the next of these is refused: what it asks of the database may then wait. Counts nothing. */
  unknownSiteStruck(address: string): boolean
  /**
   * Counts wrong credentials; the right ones are never refused by this bucket.
   * @param siteId undefined where nobody has the id: those share a bucket, as keys are not for a stranger to choose
   * @throws {Problem} rate-limited
   */
  wrongSecret(siteId: string | undefined, address: string): Promise<void>
  /** Whether the next unknown id is refused: looking it up may then wait. Counts nothing. */
  unknownIdStruck(address: string): boolean
  /**
   * Counts tokens that look like ours and whose signature was checked in vain, by address; good ones are never
   * refused by this bucket.
   * @throws {Problem} rate-limited
   */
  invalidToken(address: string): Promise<void>
  /**
   * Counts what a proved site asks about itself.
   * @throws {Problem} rate-limited
   */
  siteQuestion(siteId: string): Promise<void>
  /**
   * Asks whether a network may bring a code: not where it brought too many that their providers rejected. Counts nothing.
   * @param from a digest of the network whose browser brought the code
   * @throws {Problem} rate-limited
   */
  admitCode(from: string): Promise<void>
  /** Counts a code that its provider rejected against the network that brought it; refuses nothing. */
  codeRejected(from: string): Promise<void>
}

/** For benchmarks (`RATE_LIMIT=off`): every request is welcome. */
export const noRateLimits: RateLimits = {
  admit: async () => {},
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
  admitCode: async () => {},
  codeRejected: async () => {},
}

/**
 * Counters in Redis, so that all replicas count together; in this process's memory where there is no Redis or it
 * does not answer: an outage of Redis never becomes one of the limits.
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
  const unknownStates = bucket('unknown-state', limits.unknownState, 'unknown-states')
  const failedFinishes = bucket('failed-finish', limits.failedFinish, 'failed-finishes')
  const unknownSites = bucket('unknown-site', limits.unknownSite, 'address')
  const invalidTokens = bucket('invalid-token', limits.invalidToken, 'invalid-tokens')
  const siteQuestions = bucket('site', limits.siteQuestion, 'site')
  const rejectedCodes = bucket('rejected-code', limits.rejectedCode, 'rejected-codes')

  /** Two counts in one trip; the narrower bucket goes first where it has struck, so that it spares the wider one. */
  const both = async (narrow: () => Promise<void>, struck: boolean, wide: () => Promise<void>) => {
    if (struck) {
      await narrow()
      await wide()
    } else await Promise.all([narrow(), wide()])
  }

  return {
    async admit(kind, { id, limitFactor }, counted) {
      if (counted.by === 'address')
        return await addresses[kind].count(`${id}:${network(counted.address)}`, limitFactor)
      const ofSite = () => sites[kind].count(id, limitFactor)
      if (counted.visitor === undefined) return await ofSite()
      const visitor = `${id}:${network(counted.visitor)}`
      await both(() => visitors.count(visitor, limitFactor), visitors.struck(visitor), ofSite)
    },
    introspection: ({ id, limitFactor }, sessionId) =>
      both(
        () => sessions.count(sessionId),
        sessions.struck(sessionId),
        () => introspections.count(id, limitFactor),
      ),
    session: (sessionId) => sessions.count(sessionId),
    unknownState: (address) => unknownStates.count(network(address)),
    failedFinish: (address) => failedFinishes.count(network(address)),
    unknownSite: (address) => unknownSites.count(network(address)),
    unknownSiteStruck: (address) => unknownSites.struck(network(address)),
    wrongSecret: (siteId, address) => wrongSecrets.count(secretKey(siteId, address)),
    unknownIdStruck: (address) => wrongSecrets.struck(secretKey(undefined, address)),
    invalidToken: (address) => invalidTokens.count(network(address)),
    siteQuestion: (siteId) => siteQuestions.count(siteId),
    admitCode: (from) => rejectedCodes.check(from),
    codeRejected: (from) => rejectedCodes.record(from),
  }
}

function secretKey(siteId: string | undefined, address: string): string {
  return `${siteId ?? '?'}:${network(address)}`
}

/**
 * Counts once in a bucket of its own that ends within a second, without the local buckets in reserve.
 * @throws whatever Redis refuses it with
 */
export async function tryRateLimits(client: Redis | Cluster, prefix: string): Promise<void> {
  const options = { storeClient: client, keyPrefix: `${prefix}limit:tried`, points: 1, duration: 1 }
  await new RateLimiterRedis(options).consume(randomUUID())
}
