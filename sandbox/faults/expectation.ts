import type { ProblemName } from '../../src/problems/table.ts'
import { problems, problemType } from '../../src/problems/table.ts'
import type { LoginRecord } from '../demo-site/login-record.ts'

/** What a site sees of a login with a fault, in terms that can be compared with what happened. */
export type Expectation =
  /** The finish succeeds, or gets this problem. */
  | { readonly at: 'finish'; readonly problem?: ProblemName }
  /** The browser comes to the return URL with `error` in place of a code. */
  | { readonly at: 'return'; readonly error: string }
  /** The browser comes to the return URL with a state that is not in its session. */
  | { readonly at: 'session' }
  /** Nothing: the browser shows a page of the service, with a link to the site. */
  | { readonly at: 'callback'; readonly problem: ProblemName }

/** The same as JSON: status and type of the problem are told where there is one. */
export interface SeenJson {
  readonly at: Expectation['at'] | 'nothing'
  readonly status?: number
  readonly type?: string
  readonly error?: string
}

/** An expectation as JSON, with status and type as they will come. */
export function expectationToJson(expected: Expectation): SeenJson {
  if (expected.at === 'return') return { at: 'return', error: expected.error }
  if (expected.at === 'session') return { at: 'session' }
  if (expected.problem === undefined) return { at: 'finish', status: 200 }
  const { status } = problems[expected.problem]
  return { at: expected.at, status, type: problemType(expected.problem) }
}

/** What the demo site saw last of a login, in the same form. `nothing`: the browser never came to its return URL. */
export function seenBy({ returns }: LoginRecord): SeenJson {
  const last = returns.findLast(({ state }) => state !== 'repeated')
  if (last === undefined) return { at: 'nothing' }
  if (last.state === 'foreign') return { at: 'session' }
  if (last.error !== undefined) return { at: 'return', error: last.error }
  const { finish } = last
  if (finish === undefined) return { at: 'nothing' }
  return {
    at: 'finish',
    status: finish.status,
    ...(finish.problem !== undefined && { type: finish.problem }),
  }
}

/** Whether the demo site saw what the catalogue says. */
export function sawExpected(expected: Expectation, record: LoginRecord): boolean {
  const seen = seenBy(record)
  // The page of the service is no matter of the site: that it saw nothing is all that it can tell.
  if (expected.at === 'callback') return seen.at === 'nothing'
  const { at, status, type, error } = expectationToJson(expected)
  return seen.at === at && seen.status === status && seen.type === type && seen.error === error
}

/** Whether the demo site did what it should; undefined where that cannot be told yet. */
export type Verdict = boolean | undefined

/** Judges what the demo site did by its record of the login. */
export type Judge = (record: LoginRecord) => Verdict

const finishes = ({ returns }: LoginRecord) => returns.flatMap(({ finish }) => finish ?? [])
const last = ({ returns }: LoginRecord) => returns.at(-1)

/** It finished once, successfully, and showed the person. */
export const loggedIn: Judge = (record) =>
  finishes(record).length === 1 && finishes(record)[0]?.status === 200 && record.profile !== undefined

/** It logged in a person whose profile is as the check says. */
export const loggedInAs =
  (check: (profile: NonNullable<LoginRecord['profile']>) => boolean): Judge =>
  (record) =>
    loggedIn(record) === true && record.profile !== undefined && check(record.profile)

/** It sent one finish, and showed the visitor a page about its failure. */
export const explained: Judge = (record) =>
  finishes(record).length === 1 && record.profile === undefined && (last(record)?.answered ?? 0) >= 400

/** The same, and the state is still in the session, so that the same finish can be sent again. */
export const explainedAndKept: Judge = (record) =>
  explained(record) === true && last(record)?.stateKept === true

/** It sent no finish, showed a page in plain words, and let the state live: a code may still follow. */
export const explainedWithoutFinish: Judge = (record) =>
  finishes(record).length === 0 && last(record)?.answered === 200 && last(record)?.stateKept === true

/** It refused a state that was not in the session of this browser, without asking the service. */
export const refused: Judge = (record) =>
  finishes(record).length === 0 && record.profile === undefined && last(record)?.answered === 400

/** The visitor came to its page again and found the buttons. */
export const offeredAgain: Judge = (record) =>
  record.returns.length > 0 ? false : record.home === 'buttons' ? true : undefined

/** It explained the refusal, and took the code that came with the same state. */
export const refusedThenLoggedIn: Judge = (record) => {
  const [first] = record.returns
  if (first !== undefined && record.returns.length === 1) return undefined
  return first?.error !== undefined && first.finish === undefined && loggedIn(record)
}

/** It refused a request that came without the session, and logged in the browser that has it. */
export const refusedThePrefetch: Judge = (record) =>
  record.returns.some(
    ({ state, finish, answered }) => state === 'foreign' && finish === undefined && answered === 400,
  ) && loggedIn(record)

/** Another login of the same browser was waiting meanwhile, and this one succeeded nevertheless. */
export const loggedInBesideAnother: Judge = (record) => record.waiting > 1 && loggedIn(record)

/** It finished once, and sent the browser on at the repeated return. */
export const finishedOnce: Judge = (record) =>
  loggedIn(record) === true &&
  record.returns.some(({ state, answered }) => state === 'repeated' && answered === 303)
