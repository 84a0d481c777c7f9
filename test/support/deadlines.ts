import type { Deadlines } from '../../src/deadlines.ts'

/**
 * For services whose test is not about deadlines: a machine that is busy with other work must fail no test. A test
 * that is about them, or about a dependency that is away, takes the service's own (src/config/config.ts).
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
