import './node-version.ts'

import closeWithGrace from 'close-with-grace'
import { ConfigError } from './config/config.ts'
import { UnusableKey } from './keys/key-material.ts'
import type { Service } from './service.ts'
import { StartError, startService } from './service.ts'
import { EmbeddedDatabaseError } from './storage/embedded.ts'
import { MigrationError } from './storage/migrate.ts'
import { RedisConnectError } from './storage/redis.ts'

/** Errors whose message is the whole story. */
const operatorErrors = [
  ConfigError,
  StartError,
  EmbeddedDatabaseError,
  RedisConnectError,
  MigrationError,
  UnusableKey,
]

/** Milliseconds that running requests may take to end after the port is closed: a finish takes 10 s at most. */
const maxInFlight = 15_000

/**
 * Runs a service until SIGTERM or SIGINT, then stops it gracefully; a second signal, or a stop that takes too
 * long, ends the process at once with exit code 1.
 * @param start starts it; what it throws is told in one sentence where it is the operator's business
 * @param inFlight milliseconds that running requests may take to end
 */
export async function runUntilStopped(start: () => Promise<Service>, inFlight = maxInFlight) {
  try {
    const service = await start()
    const options = {
      delay: service.config.drainDelay * 1000 + inFlight,
      logger: false,
      onSecondSignal: (signal?: string) => service.log.error({ signal }, 'ended at once by a second signal'),
      onTimeout: (ms: number) => service.log.error({ ms }, 'the stop took too long: something still ran'),
    } as const
    closeWithGrace(options, ({ err }) => {
      // Nothing throws past its handler; if something does, the process ends, and says over what.
      if (err !== undefined) service.log.fatal({ err }, 'the process fails')
      return service.close()
    })
  } catch (error) {
    const told = error instanceof Error && operatorErrors.some((type) => error instanceof type)
    console.error(told ? error.message : error)
    process.exitCode = 1
    // What a failed start may have left open must not keep a process that does nothing.
    setTimeout(() => process.exit(1), 1_000).unref()
  }
}

if (import.meta.main) await runUntilStopped(() => startService(process.env))
