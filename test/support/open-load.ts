import { setTimeout as wait } from 'node:timers/promises'

/** Requests that are sent at a fixed rate, whatever becomes of those before: a service that is slow gets no fewer. */
export interface OpenLoad {
  /** What failed so far. */
  readonly failures: readonly string[]
  /** Waits for the requests under way. @returns how many were sent */
  stop(): Promise<number>
}

/**
 * Sends requests in turn until `stop`, at most 30,000.
 * @param requests each throws where its response is not as expected
 * @param every milliseconds between two of them
 */
export function startOpenLoad(requests: readonly (() => Promise<unknown>)[], every: number): OpenLoad {
  const failures: string[] = []
  const running = new Set<Promise<void>>()
  const stopped = new AbortController()
  const from = performance.now()
  const send = async (number: number) => {
    try {
      await requests[number % requests.length]?.()
    } catch (error) {
      failures.push(String(error))
    }
  }
  const work = (async () => {
    let sent = 0
    for (; !stopped.signal.aborted && sent < 30_000; sent++) {
      const one = send(sent)
      running.add(one)
      void one.then(() => running.delete(one))
      await wait(Math.max(0, from + (sent + 1) * every - performance.now()))
    }
    await Promise.all(running)
    return sent
  })()
  return {
    failures,
    async stop() {
      stopped.abort()
      return await work
    },
  }
}
