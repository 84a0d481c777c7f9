import type { LoginEntry, Step } from './entry.ts'
import { steps } from './entry.ts'

/** The outcome of a login, or of one of its requests. */
export const outcomes = ['success', 'refused', 'failed', 'pending'] as const
export type Outcome = (typeof outcomes)[number]

/** A login, put together from its requests. Times are milliseconds since the epoch. */
export interface RecentLogin {
  /** Absent for a start that failed. */
  readonly id?: string
  readonly provider: string
  readonly startedAt: number
  /** From the start to the end of the request that decided the outcome, milliseconds. */
  readonly ms: number
  readonly outcome: Outcome
  readonly problem?: string
  /** The steps that the login reached, in the order of `steps`. */
  readonly steps: readonly (readonly [Step, number])[]
  /** Oldest first. A start whose entry is lost has no duration. */
  readonly requests: readonly (Pick<LoginEntry, 'request' | 'requestId' | 'at' | 'problem' | 'proof'> & {
    readonly ms?: number
  })[]
}

/** Which logins are asked for. */
export interface RecentLoginsFilter {
  /** The id of any request of the login. */
  readonly requestId?: string
  readonly outcome?: Outcome
  /** Logins that started then or later, milliseconds since the epoch. */
  readonly since?: number
  /** Logins that started before, milliseconds since the epoch. */
  readonly until?: number
  readonly limit: number
}

/** Builds logins from entries in any order, and returns those that are asked for, newest start first. */
export function recentLogins(
  entries: readonly LoginEntry[],
  { requestId, outcome, since = 0, until = Infinity, limit }: RecentLoginsFilter,
): RecentLogin[] {
  // A start that failed made no login: its entry is a group of its own.
  return [...Map.groupBy(entries, (entry) => entry.login ?? entry).values()]
    .filter((group) => {
      const startedAt = startOf(group)
      return startedAt >= since && startedAt < until
    })
    .map((group) => loginOf(group.toSorted((one, other) => one.at - other.at)))
    .filter((login) => outcome === undefined || login.outcome === outcome)
    .filter(({ requests }) => requestId === undefined || requests.some((one) => one.requestId === requestId))
    .sort((one, other) => other.startedAt - one.startedAt)
    .slice(0, limit)
}

function startOf(group: readonly LoginEntry[]): number {
  return Math.min(...group.map(({ at, start }) => start?.at ?? at))
}

function loginOf(group: readonly LoginEntry[]): RecentLogin {
  const decisive = decisiveOf(group)
  const startedAt = startOf(group)
  const start = group.find((entry) => entry.start !== undefined)?.start
  const lostStart =
    start?.requestId !== undefined && !group.some(({ request }) => request === 'start')
      ? [{ request: 'start' as const, requestId: start.requestId, at: start.at }]
      : []
  return {
    ...(decisive?.login !== undefined && { id: decisive.login }),
    provider: decisive?.provider ?? '',
    startedAt,
    ms: decisive === undefined ? 0 : Math.max(0, decisive.at + decisive.ms - startedAt),
    outcome: decisive === undefined ? 'pending' : outcomeOf(decisive),
    ...(decisive?.problem !== undefined && { problem: decisive.problem }),
    steps: stepsOf(group, start?.at),
    requests: [...lostStart, ...group],
  }
}

/**
 * The entry that decides the outcome: a success, else the last finish that claimed the login (the requests after it only
 * met a login that was used up), else the last request.
 */
function decisiveOf(group: readonly LoginEntry[]): LoginEntry | undefined {
  return (
    group.find((entry) => outcomeOf(entry) === 'success') ??
    group.findLast((entry) => has(entry, 'claimed')) ??
    group.at(-1)
  )
}

function outcomeOf({ request, problem }: LoginEntry): Outcome {
  if (problem === undefined) return request === 'finish' ? 'success' : 'pending'
  return problem === 'access-denied' ? 'refused' : 'failed'
}

function stepsOf(group: readonly LoginEntry[], startedAt: number | undefined): RecentLogin['steps'] {
  const times = new Map<Step, number>()
  if (startedAt !== undefined) times.set('started', startedAt)
  for (const entry of group) {
    // Where a login was given back and claimed again, the steps are those of the later attempt.
    if (has(entry, 'claimed')) for (const step of steps.slice(steps.indexOf('claimed'))) times.delete(step)
    for (const [step, at] of entry.steps) if (!times.has(step)) times.set(step, at)
  }
  return steps.flatMap((step) => {
    const at = times.get(step)
    return at === undefined ? [] : [[step, at] as const]
  })
}

function has({ steps }: LoginEntry, step: Step): boolean {
  return steps.some(([name]) => name === step)
}
