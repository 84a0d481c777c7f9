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
