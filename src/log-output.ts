import type { Writable } from 'node:stream'

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
