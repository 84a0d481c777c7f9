import { setTimeout as sleep } from 'node:timers/promises'

/** When and how often a statement is repeated. */
export interface RetryOptions {
  /** Whether the statement may be repeated after this failure. */
  readonly allowed: (error: unknown) => boolean
  /** Attempts in all; may be infinite where a signal ends them. */
  readonly attempts: number
  readonly signal?: AbortSignal
}

/** Milliseconds. */
const firstPause = 40
const longestPause = 1_000

/**
 * Runs a statement, and repeats it after a failure that allows it, until it succeeds, the attempts are used up or the
 * signal fires. The pauses grow and have jitter, so that replicas do not all come back at once.
 * @throws the statement's last failure
 */
export async function retry<T>(
  statement: (attempt: number) => Promise<T>,
  { allowed, attempts, signal }: RetryOptions,
): Promise<T> {
  const aborted = () => signal?.aborted === true
  for (let attempt = 1; ; attempt++) {
    try {
      return await statement(attempt)
    } catch (error) {
      if (attempt >= attempts || aborted() || !allowed(error)) throw error
      const pause = Math.min(longestPause, firstPause * 2 ** (attempt - 1)) * (0.5 + Math.random())
      // An abort only ends the pause: the caller gets the statement's failure.
      await sleep(pause, undefined, signal && { signal }).catch(() => {})
      if (aborted()) throw error
    }
  }
}
