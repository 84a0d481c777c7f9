import './node-version.ts'

import closeWithGrace from 'close-with-grace'
import { OperatorError } from './operator-error.ts'
import type { Service } from './service.ts'
import { startService } from './service.ts'

/** Milliseconds that running requests may take to end after the port is closed: a finish takes at most 10 s. */
const stopWithin = 15_000

/**
 * Runs a service until SIGTERM or SIGINT, then stops it gracefully; a second signal, or a stop that takes too
 * long, ends the process at once with exit code 1.
 * @param start starts it; of an OperatorError the message alone is printed, of every other error the stack too
 * @param inFlight milliseconds that running requests may take to end
 */
export async function runUntilStopped(start: () => Promise<Service>, inFlight = stopWithin) {
  interruptOnce()
  // A start that is asked to stop is finished first: only then is it known what has to be closed.
  let stopAsked = false
  const remember = () => {
    stopAsked = true
  }
  process.once('SIGTERM', remember)
  try {
    const service = await start()
    const options = {
      delay: service.config.drainDelay * 1000 + inFlight,
      skip: interrupts,
      logger: false as const,
      onSecondSignal: (signal?: string) => service.log.error({ signal }, 'ended at once by a second signal'),
      onTimeout: (ms: number) => service.log.error({ ms }, 'the stop took too long: something still ran'),
    }
    closeWithGrace(options, ({ err }) => {
      // Every error has a handler; if one is missed after all, the process ends and logs which it was.
      if (err !== undefined) service.log.fatal({ err }, 'the process fails')
      return service.close()
    })
    process.removeListener('SIGTERM', remember)
    if (stopAsked) process.kill(process.pid, 'SIGTERM')
  } catch (error) {
    console.error(error instanceof OperatorError ? error.message : error)
    process.exitCode = 1
    // Exit even if a failed start left a handle open.
    setTimeout(() => process.exit(1), 1_000).unref()
  }
}

const interrupts: 'SIGINT'[] = ['SIGINT']

/** Milliseconds within which a second SIGINT is the same key stroke. */
const sameInterrupt = 500

/**
 * Makes SIGINT a SIGTERM. The terminal sends Ctrl-C to every process of the group, and npm passes its own on to the
 * service once more: that is not a second wish to stop.
 */
function interruptOnce(): void {
  let before = Number.NEGATIVE_INFINITY
  process.on('SIGINT', () => {
    const now = performance.now()
    if (now - before > sameInterrupt) process.kill(process.pid, 'SIGTERM')
    before = now
  })
}

if (import.meta.main) await runUntilStopped(() => startService(process.env))
