import type { Deadlines } from '../../src/deadlines.ts'

/**
 * For tests that are not about deadlines, so that they pass on a busy machine. A test of deadlines, or of a dependency that is
 * down, uses the service's own (src/deadlines.ts).
 */
export const patient: Deadlines = {
  start: 15_000,
  callback: 15_000,
  finish: 15_000,
  refresh: 15_000,
  redisReady: 15_000,
  redisConnect: 15_000,
  redisCommand: 15_000,
  databaseAcquire: 15_000,
  databaseStatement: 15_000,
  providerConnect: 15_000,
  providerResponse: 15_000,
}
