/**
 * Milliseconds. Each inner deadline is the lesser of its own and what is left of its request's. No variable sets them:
 * they are what the service promises to its callers. Only tests that are about something else have longer ones.
 */
export interface Deadlines {
  /** The requests of a login, and the refresh of its tokens. */
  readonly start: number
  readonly callback: number
  readonly finish: number
  readonly refresh: number
  /** The first usable connection, when the process starts. */
  readonly redisReady: number
  /** A new connection; also the silence of one that owes an answer. */
  readonly redisConnect: number
  readonly redisCommand: number
  /** A connection out of the pool, be it a new one. */
  readonly databaseAcquire: number
  readonly databaseStatement: number
  readonly providerConnect: number
  /** A whole answer, its body included. */
  readonly providerResponse: number
}

/** The service's own deadlines. */
export const deadlines: Deadlines = {
  start: 2_000,
  callback: 1_000,
  finish: 10_000,
  refresh: 2_000,
  redisReady: 5_000,
  redisConnect: 2_000,
  redisCommand: 500,
  databaseAcquire: 1_000,
  databaseStatement: 2_000,
  providerConnect: 2_000,
  providerResponse: 5_000,
}

/** Milliseconds: how long a site is remembered. */
export const siteKept = 1_900

/** Milliseconds: how long a finish may follow the first code, and how long afterwards it is still told apart. */
export const finishWithin = 600_000
export const rememberExpired = 3_600_000
