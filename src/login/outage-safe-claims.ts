import type { FastifyBaseLogger } from 'fastify'
import { finishWithin, rememberExpired } from '../deadlines.ts'
import { retry } from '../sessions/retry.ts'
import { StoreUnavailable } from '../storage/redis-errors.ts'
import { loginId } from './login.ts'
import type { Claim, LoginStore } from './login-store.ts'
import { randomText } from './random.ts'

/** The outcome of Claims.take(): only the winner has a claim to give back. */
export type TakenLogin =
  | (Claim & { readonly won: false })
  | (Claim & {
      readonly won: true
      /**
       * Lets the login be finished again; only where the provider cannot have used the code. Never throws: where the
       * store does not reply, the attempts go on in the background.
       */
      giveBack(): Promise<void>
      /**
       * Records that this finish opened no session, so that a repeated finish gets login-lost at once. Never throws: where
       * it cannot be recorded, a repeated finish gets login-lost once the claim is old enough.
       */
      fail(): Promise<void>
    })

/** Claims on logins. None stays taken because the store did not reply. */
export interface Claims {
  /**
   * Takes the login for one finish. Where the store does not reply, the claim may have been carried out, or may still
   * be: it is then given back in the background, so that the same finish soon succeeds when it is repeated.
   * @returns undefined where there is no such login
   * @throws {StoreUnavailable}
   */
  take(state: string): Promise<TakenLogin | undefined>
  /** Ends the work in the background, after one last attempt of each claim. */
  close(): Promise<void>
}

/** Milliseconds: a store that was paused carries a claim out when it resumes, perhaps long after the claim was sent. */
const releaseWithin = 60_000

/** Claims that are given back in the background at the same time, at most: an outage must not fill the memory. */
const maxInBackground = 1_000

/** Seconds for which a login that was given back is stored: it may be finished, and later be told apart as expired. */
const releasedTtl = (finishWithin + rememberExpired) / 1000

/** @see Claims */
export function createClaims(
  logins: Pick<LoginStore, 'claim' | 'release' | 'fail'>,
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>,
): Claims {
  const running = new Set<Promise<void>>()
  const closing = new AbortController()

  const releaseInBackground = async (state: string, token: string) => {
    const release = () => logins.release(state, token, releasedTtl)
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(releaseWithin)])
    const attempts = Number.POSITIVE_INFINITY
    const allowed = (error: unknown) => error instanceof StoreUnavailable
    try {
      await retry(release, { allowed, attempts, signal }).catch((error: unknown) => {
        if (closing.signal.aborted) return release()
        throw error
      })
      log.info(
        { login: loginId(state) },
        'the claim on a login was given back after the store had not answered',
      )
    } catch (err) {
      log.warn({ login: loginId(state), err }, 'the claim on a login could not be given back')
    }
  }

  /** Settles after the first attempt. */
  const release = async (state: string, token: string): Promise<void> => {
    const first = logins.release(state, token, releasedTtl)
    const task = first
      .catch(async (err: unknown) => {
        if (running.size <= maxInBackground) await releaseInBackground(state, token)
        else
          log.warn({ login: loginId(state), err }, 'too many claims wait to be given back: this one does not')
      })
      .finally(() => running.delete(task))
    running.add(task)
    await first.catch(() => {})
  }

  return {
    async take(state) {
      const token = randomText(16)
      try {
        const claim = await logins.claim(state, token)
        if (claim === undefined) return undefined
        if (!claim.won) return { ...claim, won: false }
        const fail = () => logins.fail(state, token).catch(() => {})
        return { ...claim, won: true, giveBack: () => release(state, token), fail }
      } catch (error) {
        void release(state, token)
        throw error
      }
    },
    async close() {
      closing.abort()
      await Promise.all(running)
    },
  }
}
