import { Problem } from '../problems/problem.ts'
import type { ProblemName } from '../problems/table.ts'

/** The last part of a deadline, left to the work to say by itself how it stands. */
const sayPart = 0.05

/**
 * Runs work against its request's deadline. Its signal fires a little before, so that work which knows how it
 * stands can say so; at the deadline the caller is answered in any case, whatever the work still waits for.
 * @param milliseconds from `deadlines`
 * @param late what the caller is told then
 * @throws {Problem} `late`, at the deadline
 */
export async function withDeadline<T>(
  milliseconds: number,
  work: (signal: AbortSignal) => Promise<T>,
  late: ProblemName = 'dependency-unavailable',
): Promise<T> {
  const controller = new AbortController()
  const warning = setTimeout(
    () => controller.abort(new DOMException('The request ran out of time', 'TimeoutError')),
    milliseconds * (1 - sayPart),
  )
  let timer: NodeJS.Timeout | undefined
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Problem(late, { retryAfter: 1 })), milliseconds)
  })
  try {
    return await Promise.race([work(controller.signal), expired])
  } finally {
    clearTimeout(warning)
    clearTimeout(timer)
  }
}

/** Work that may go on when its caller has been answered or is gone: what a stop must wait for. */
export interface RunningWork {
  /**
   * Counts work until it ends, well or badly.
   * @returns the same promise
   */
  track<T>(work: Promise<T>): Promise<T>
  /** Resolves when nothing runs any more, work that was added meanwhile included. */
  ended(): Promise<void>
}

/** Nothing runs yet. Every piece of work has a deadline of its own; whoever waits here has none beside those. */
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
