import type { Writable } from 'node:stream'
import type { FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'

/** An error as it stands in the log: no member but these, as drivers hang queries, commands and rows on theirs. */
interface LoggedError {
  readonly type: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly cause?: LoggedError
}

/** Causes of causes: as deep as a driver wrapped by Prisma wrapped by us. */
const depth = 4

/** What may be logged of an error. Messages are ours or a driver's own; none of them holds a value of ours. */
export function errorForLog(error: unknown, left = depth): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: 'not an Error' }
  return {
    type: error.name,
    message: error.message.slice(0, 500),
    ...('code' in error &&
      (typeof error.code === 'string' || typeof error.code === 'number') && { code: String(error.code) }),
    ...(error.stack !== undefined && { stack: error.stack.split('\n').slice(1, 6).join('\n') }),
    ...(error.cause !== undefined && left > 0 && { cause: errorForLog(error.cause, left - 1) }),
  }
}

/** The process's log, and what becomes of its lines. */
export interface ProcessLog {
  readonly log: FastifyBaseLogger
  readonly output: LogOutput
}

/** Characters that may wait for a reader of standard output: some 20,000 lines. */
const waitingLines = 4_194_304

/**
 * One JSON line an event on standard output. Nothing is serialized by itself: no headers, no URL, no body.
 * Written by Node's own stream: pino's destination would leave a write that waits for a reader in a thread that the
 * process cannot end, and after a full pipe it tries again only every 100 ms.
 */
export function createLog(level: string): ProcessLog {
  const output = boundedOutput(process.stdout, waitingLines, (dropped) =>
    log.warn({ dropped }, 'lines of the log were lost, as nobody read standard output'),
  )
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: {
        err: (error: unknown) => errorForLog(error),
        req: () => undefined,
        res: () => undefined,
      },
    },
    output,
  )
  return { log, output }
}

/** Where the lines of the log go. It never blocks, and holds no more than it may. */
export interface LogOutput {
  write(line: string): void
  /** How many lines were lost so far, as nobody read them in time. */
  readonly dropped: number
  /** Waits until everything is written, for so many milliseconds at most: a reader that is gone must not hold an end up. */
  flush(milliseconds: number): Promise<void>
}

/**
 * Lines on a stream whose reader may be slow, stuck or gone. What it does not take waits in memory up to `limit`; the
 * lines above that are dropped and counted until all that waits is written.
 * @param limit characters
 * @param onFlow told how many lines were dropped, when lines are written again
 */
export function boundedOutput(stream: Writable, limit: number, onFlow: (dropped: number) => void): LogOutput {
  let dropped = 0
  let droppedBefore = 0
  let stuck = false
  let gone = false
  const flows = () => {
    stuck = false
    const count = dropped - droppedBefore
    droppedBefore = dropped
    onFlow(count)
  }
  // EPIPE and the like: the service goes on without a log.
  stream.on('error', () => {
    gone = true
  })
  return {
    write(line) {
      if (!stuck && !gone && stream.writableLength > limit) {
        stuck = true
        stream.once('drain', flows)
      }
      if (stuck || gone) dropped++
      else stream.write(line)
    },
    get dropped() {
      return dropped
    },
    async flush(milliseconds) {
      if (gone) return
      const written = new Promise<void>((resolve) => stream.write('', () => resolve()))
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, milliseconds)
      })
      await Promise.race([written, late])
      clearTimeout(timer)
    },
  }
}
