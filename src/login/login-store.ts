import type { Answer, Login } from './login.ts'

/**
 * Where logins live between start and finish. Each call is one round trip on one key; a login is found by
 * its `state` alone, which the store never holds in the clear. Every call throws only StoreUnavailable.
 */
export interface LoginStore {
  /** Keeps a new login for `ttlSeconds`; afterwards it is as if it had never been. */
  start(state: string, login: Login, ttlSeconds: number): Promise<void>
  /** The login and what has come back for it so far; undefined where there is none. */
  find(state: string): Promise<{ readonly login: Login; readonly answer?: Answer } | undefined>
  /**
   * Records what came back. The first code wins for ever: the same code again is 'kept', another one (or a
   * refusal) after it is a 'conflict'; a code may follow a refusal. 'gone' where there is no such login or it
   * is claimed. A kept code prolongs the record to `codeTtlSeconds` from now.
   */
  answer(state: string, answer: Answer, codeTtlSeconds: number): Promise<'kept' | 'conflict' | 'gone'>
  /**
   * Takes the login for one finish: `won` for exactly one caller, until release(). `at` is the store's time of
   * the winning claim and `now` its time of this call, so that an age is judged by one clock. A claimed record
   * is kept two minutes more. undefined where there is none.
   */
  claim(state: string): Promise<Claim | undefined>
  /** Gives a claim back; only after `codeUnspent`. */
  release(state: string, ttlSeconds: number): Promise<void>
}

/** The outcome of claim(). */
export interface Claim {
  readonly won: boolean
  readonly at: Date
  readonly now: Date
}

/** The store did not answer in time, or not at all; nothing is known of the login. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
}
