/**
 * Milliseconds. A step within a request ends at its own deadline or at the deadline of the request, whichever comes
 * first. No variable sets them: they are promises of the service to its callers. Only tests of other subjects use longer
 * ones.
 */
export interface Deadlines {
  /** The requests of a login, and the refresh of its tokens. */
  readonly start: number
  readonly callback: number
  readonly finish: number
  readonly refresh: number
  /** The first usable connection, when the process starts. */
  readonly redisReady: number
  /** A new connection; also how long a connection may be silent while a reply is due. */
  readonly redisConnect: number
  readonly redisCommand: number
  /** Getting a connection from the pool, which may have to open one. */
  readonly databaseAcquire: number
  readonly databaseStatement: number
  readonly providerConnect: number
  /** A whole response, including its body. */
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

/**
 * Milliseconds: how long after the first code a login can be finished, and how long afterwards it is still recognised as
 * expired rather than unknown.
 */
export const finishWithin = 600_000
export const rememberExpired = 3_600_000
