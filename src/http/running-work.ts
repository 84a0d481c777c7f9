import { Problem } from '../problems/problem.ts'
import type { ProblemName } from '../problems/table.ts'

/** The part of a deadline at which the work is told to end: early enough to report its own error before the deadline. */
const signalAt = 0.95

/**
 * Runs work within the deadline of its request. The signal fires at 95 % of the deadline, so that the work can report its
 * own error first; at the deadline the caller gets a response in any case, whatever the work still waits for.
 * @param milliseconds one of `deadlines`
 * @param late the problem at the deadline
 * @throws {Problem} `late`, at the deadline
 */
export async function withDeadline<T>(
  milliseconds: number,
  work: (signal: AbortSignal) => Promise<T>,
  late: ProblemName = 'dependency-unavailable',
): Promise<T> {
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise<T>((resolve, reject) => {
      const expire = () => reject(new Problem(late, { retryAfter: 1 }))
      const warn = () => {
        timer = setTimeout(expire, milliseconds * (1 - signalAt))
        controller.abort(new DOMException('The request ran out of time', 'TimeoutError'))
      }
      timer = setTimeout(warn, milliseconds * signalAt)
      work(controller.signal).then(resolve, reject)
    })
  } finally {
    clearTimeout(timer)
  }
}

/** Work that may continue after the response was sent or the caller is gone: a stop waits for it. */
export interface RunningWork {
  /**
   * Tracks work until it succeeds or fails.
   * @returns the same promise
   */
  track<T>(work: Promise<T>): Promise<T>
  /** Resolves when all work has ended, including work that began in the meantime. */
  ended(): Promise<void>
}

/** Tracks no work yet. Each piece of work has its own deadline, so waiting for all of it needs no other. */
export function createRunningWork(): RunningWork {
  const running = new Set<Promise<unknown>>()
  return {
    track(work) {
      running.add(work)
      const over = () => void running.delete(work)
      work.then(over, over)
      return work
    },
    async ended() {
      while (running.size > 0) await Promise.allSettled(running)
    },
  }
}
