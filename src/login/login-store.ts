import type { Answer, Login } from './login.ts'

/**
 * Where logins live between start and finish. Each call is one round trip on one key; a login is found by
 * its `state` alone, which the store never holds in the clear. Every call throws only StoreUnavailable.
 */
export interface LoginStore {
  /** Keeps a new login for `ttlSeconds`; afterwards it is as if it had never been. */
  start(state: string, login: Login, ttlSeconds: number): Promise<void>
  /** The login as it stands; undefined where there is none. */
  find(state: string): Promise<FoundLogin | undefined>
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
   * @param token names this very claim; a fresh one for each call
   */
  claim(state: string, token: string): Promise<Claim | undefined>
  /**
   * Gives the claim of this token back, and no other one. A claim that is still on its way to the store, because its
   * reply was not waited for, never wins when it arrives afterwards. Repeating it does no harm.
   */
  release(state: string, token: string, ttlSeconds: number): Promise<void>
  /** Keeps with the claim of this token, and with no other one, that its finish is over and opened no session. */
  fail(state: string, token: string): Promise<void>
}

/** What find() tells of a login. */
export interface FoundLogin {
  readonly login: Login
  /** What has come back for it so far. */
  readonly answer?: Answer
  /** A finish has it, or had it. */
  readonly claimed: boolean
}

/** The outcome of claim(). */
export interface Claim {
  readonly won: boolean
  readonly at: Date
  readonly now: Date
  /** The finish that made the winning claim is over, and it opened no session. */
  readonly failed: boolean
}
