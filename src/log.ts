import type { Writable } from 'node:stream'
import type { FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'

/** An error as it is logged. Other members are left out, as drivers attach queries, commands and rows to their errors. */
interface LoggedError {
  readonly type: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly cause?: LoggedError
}

/** Nested causes to log: enough for a driver's error that Prisma wrapped and the service wrapped again. */
const maxCauses = 4

/** The members of an error that may be logged. Messages are safe: neither the service nor a driver puts a value into one. */
export function errorForLog(error: unknown, left = maxCauses): LoggedError {
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

/** The log of the process, and the output that takes its lines. */
export interface ProcessLog {
  readonly log: FastifyBaseLogger
  readonly output: LogOutput
}

/** Characters that may wait for a slow reader of standard output: about 20,000 lines. */
const maxWaiting = 4_194_304

/**
 * Logs one JSON line per event to standard output. Requests and responses are never serialized: no headers, no URL, no
 * body. The lines go through Node's own stream, because pino's destination leaves a write that waits for a reader in a
 * thread that the process cannot end, and retries a full pipe only every 100 ms.
 */
export function createLog(level: string): ProcessLog {
  const output = boundedOutput(process.stdout, maxWaiting, (dropped) =>
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

/** Takes the lines of the log without ever blocking, and holds a limited number of them. */
export interface LogOutput {
  write(line: string): void
  /** How many lines were lost so far because they were not read in time. */
  readonly dropped: number
  /** Waits until everything is written, but at most this long, so that a reader that is gone does not delay a stop. */
  flush(milliseconds: number): Promise<void>
}

/**
 * Writes lines to a stream whose reader may be slow, stuck or gone. Lines that the stream does not take wait in memory.
 * When more than `limit` characters wait, further lines are dropped and counted until all waiting lines are written.
 * @param limit characters
 * @param onFlow called with the number of dropped lines as soon as lines are written again
 */
export function boundedOutput(stream: Writable, limit: number, onFlow: (dropped: number) => void): LogOutput {
  let dropped = 0
  let droppedBefore = 0
  let stuck = false
  let gone = false
  let gathering = false
  const flows = () => {
    stuck = false
    const count = dropped - droppedBefore
    droppedBefore = dropped
    onFlow(count)
  }
  const send = () => {
    gathering = false
    stream.uncork()
  }
  // Lines of one turn of the event loop go out by one system call.
  const gather = () => {
    if (gathering) return
    gathering = true
    stream.cork()
    setImmediate(send)
  }
  // Lines that wait at process.exit() would be lost.
  process.once('exit', send)
  // After EPIPE and the like the service continues without a log.
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
      else {
        gather()
        stream.write(line)
      }
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
