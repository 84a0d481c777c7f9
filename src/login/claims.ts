import { randomBytes } from 'node:crypto'
import type { FastifyBaseLogger } from 'fastify'
import { finishWithin, rememberExpired } from '../deadlines.ts'
import { retry } from '../sessions/retry.ts'
import { StoreUnavailable } from '../storage/redis-errors.ts'
import type { Claim, LoginStore } from './login-store.ts'
import { loginId } from './state.ts'

/** The outcome of Claims.take(): only the winner has a claim to give back. */
export type TakenLogin =
  | (Claim & { readonly won: false })
  | (Claim & {
      readonly won: true
      /**
       * Lets the login be finished again; only where the provider cannot have used the code. Never throws: where the
       * store does not answer, it goes on in the background.
       */
      giveBack(): Promise<void>
      /** Tells whoever repeats this finish that it opened no session. Never throws: without it they wait a little. */
      fail(): Promise<void>
    })

/** Claims on logins of which none is lost because the store did not answer. */
export interface Claims {
  /**
   * Takes the login for one finish. Where the store does not answer, the claim may have been carried out, or may still
   * be: it is then taken back in the background, so that the same finish again succeeds soon.
   * @returns undefined where there is no such login
   * @throws {StoreUnavailable}
   */
  take(state: string): Promise<TakenLogin | undefined>
  /** Stops what still goes on, after one last attempt of each. */
  close(): Promise<void>
}

/** Milliseconds: a store that was halted carries a claim out when it wakes, which may be long after the claim was sent. */
const releaseWithin = 60_000

/** Claims that are given back in the background at once, at most: an outage must not fill this process's memory. */
const mostAtOnce = 1_000

/** Seconds that a login which is given back may still be finished or told of. */
const releasedTtl = (finishWithin + rememberExpired) / 1000

/** @see Claims */
export function createClaims(
  logins: Pick<LoginStore, 'claim' | 'release' | 'fail'>,
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>,
): Claims {
  const running = new Set<Promise<void>>()
  const closing = new AbortController()

  const goOn = async (state: string, token: string) => {
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
        if (running.size <= mostAtOnce) await goOn(state, token)
        else
          log.warn({ login: loginId(state), err }, 'too many claims wait to be given back: this one does not')
      })
      .finally(() => running.delete(task))
    running.add(task)
    await first.catch(() => {})
  }

  return {
    async take(state) {
      const token = randomBytes(16).toString('base64url')
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
