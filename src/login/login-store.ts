import type { AuthorizationResponse, Login } from './login.ts'
import { digest, newState } from './login.ts'

/**
 * Where logins live between start and finish. Each call is one round trip on one key. A login is found by its `state`
 * alone, which the store never holds in the clear. Every call throws only StoreUnavailable.
 */
export interface LoginStore {
  /** Stores a new login for `ttlSeconds`; afterwards it is as if it had never been. */
  start(state: string, login: Login, ttlSeconds: number): Promise<void>
  /** The login as it is now; undefined where there is none. */
  find(state: string): Promise<FoundLogin | undefined>
  /**
   * Records the provider's response. The first code wins for ever: the same code again is 'recorded', another code (or
   * an error) after it is a 'conflict'; a code may follow an error. 'gone' where there is no such login or it is
   * claimed. A recorded code prolongs the record to `codeTtlSeconds` from now.
   */
  recordResponse(
    state: string,
    response: AuthorizationResponse,
    codeTtlSeconds: number,
  ): Promise<RecordOutcome>
  /**
   * Takes the login for one finish: `won` for exactly one caller, until release(). `at` is the store's time of the
   * winning claim and `now` its time of this call, so that an age is judged by one clock. A claimed record ends
   * `claimedTtl` after its claim. undefined where there is none.
   * @param token names this very claim; a fresh one for each call
   */
  claim(state: string, token: string): Promise<Claim | undefined>
  /**
   * Gives the claim of this token back, and no other one. A claim that is still on its way to the store, because its
   * reply was not waited for, never wins when it arrives afterwards. Repeating the call does no harm.
   */
  release(state: string, token: string, ttlSeconds: number): Promise<void>
  /** Notes at the claim of this token, and at no other one, that its finish is over and opened no session. */
  fail(state: string, token: string): Promise<void>
}

/** Seconds for which a claimed record is stored: as long as a repeated finish may be told that the login is completed. */
export const claimedTtl = 120

/** The outcome of recordResponse(). */
export type RecordOutcome = 'recorded' | 'conflict' | 'gone'

/** The outcome of find(). */
export interface FoundLogin {
  readonly login: Login
  /** The last response that was recorded; absent before the first. */
  readonly response?: AuthorizationResponse
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

/**
 * Takes an invented login through every call of a store, to see at the start of the service that each is allowed. The
 * record ends within a second, and nobody else can know its state.
 * @throws {StoreUnavailable}
 */
export async function tryLoginStore(logins: LoginStore): Promise<void> {
  const state = newState()
  const soon = Date.now() + 1_000
  const login = { provider: '', siteId: '', redirectUrl: '', nonce: '', startedAt: soon, answerBy: soon }
  await logins.start(state, login, 1)
  await logins.find(state)
  await logins.recordResponse(state, { kind: 'code', codeDigest: digest(state), kept: {}, finishBy: soon }, 1)
  const token = newState()
  await logins.claim(state, token)
  await logins.fail(state, token)
  await logins.release(state, token, 1)
}
