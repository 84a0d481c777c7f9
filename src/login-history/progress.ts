import type { About } from '../http/access-log.ts'
import { Problem } from '../problems/problem.ts'
import type { ProblemName } from '../problems/table.ts'
import type { LoginEntry, Proof, Step } from './entry.ts'
import type { LoginHistory } from './store.ts'

/** What is known of a request before anything is looked up. */
export type ProgressBeginning = Pick<LoginEntry, 'request' | 'provider' | 'requestId'>

/** A login as its history names it. */
export interface TrackedLogin {
  /** The login's id for people: with it nothing can be done to the login. */
  readonly id: string
  readonly siteId: string
  readonly provider: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Of the start; absent in logins that an older version started. */
  readonly requestId?: string
}

/** How far one request of a login has got. It holds nothing that the site may not see. */
export class LoginProgress {
  /** The id of this request; a login stores that of its start. */
  readonly requestId: string
  private readonly beginning: ProgressBeginning
  private readonly at = Date.now()
  private readonly clock = performance.now()
  private readonly steps: [Step, number][] = []
  private siteId: string | undefined
  private login: Pick<LoginEntry, 'login' | 'provider' | 'start'> | undefined
  private problem: ProblemName | undefined
  private proof: Proof | undefined

  constructor(beginning: ProgressBeginning) {
    this.beginning = beginning
    this.requestId = beginning.requestId
  }

  /** The site of the request, where it is known before there is a login. A later call replaces an earlier one. */
  concerns(site: { readonly id: string } | undefined): void {
    this.siteId = site?.id ?? this.siteId
  }

  /** The login of the request. */
  isAbout({ id, siteId, provider, startedAt: at, requestId }: TrackedLogin): void {
    this.siteId = siteId
    this.login = {
      login: id,
      provider,
      start: { at, ...(requestId !== undefined && { requestId }) },
    }
  }

  /** By what the caller proved itself: its credentials, or a challenge or verifier (RFC 7636). */
  provenBy({ secret, challenge }: { readonly secret: boolean; readonly challenge: boolean }): void {
    this.proof = secret ? 'secret' : challenge ? 'challenge' : 'none'
  }

  /** The login has reached a step now. */
  mark(step: Step): void {
    this.steps.push([step, this.now()])
  }

  /** The login has failed, although this request itself was answered without a problem. */
  fails(problem: ProblemName): void {
    this.problem = problem
  }

  /**
   * The entry of the request, at its end.
   * @returns undefined where no site is known, as nobody may then see the entry
   */
  end(problem?: ProblemName): { readonly siteId: string; readonly entry: LoginEntry } | undefined {
    if (this.siteId === undefined) return undefined
    const type = problem ?? this.problem
    const entry: LoginEntry = {
      ...this.beginning,
      ...this.login,
      at: this.at,
      ms: this.now() - this.at,
      // A copy: work that still runs after the deadline must not change an entry that is recorded already.
      steps: [...this.steps],
      ...(type !== undefined && { problem: type }),
      ...(this.proof !== undefined && { proof: this.proof }),
    }
    return { siteId: this.siteId, entry }
  }

  /** Milliseconds since the epoch; never goes back within a request. */
  now(): number {
    return this.at + Math.round(performance.now() - this.clock)
  }
}

/**
 * Runs one request of a login and records, at its end, how far it got.
 * @param about where the provider and the site of the request are noted, for the line of the request in the log
 */
export type TrackRequest = <T>(
  beginning: ProgressBeginning,
  work: (progress: LoginProgress) => Promise<T>,
  about: Pick<About, 'provider' | 'site'>,
) => Promise<T>

/** What trackRequests needs. */
export interface TrackOptions {
  /** Where the entry is recorded. */
  readonly history: LoginHistory
  /** The Problem of an error that is no Problem itself. */
  readonly translate: (error: unknown) => Problem | undefined
  /**
   * For metrics and traces: how long a step came after the one before it, or after the request, and when (milliseconds since
   * the epoch).
   */
  readonly onStep: (provider: string, step: Step, seconds: number, at: number) => void
}

/** The type of the problem with which a failed request is answered; `internal-error` for a bug, as in the response. */
export function problemTypeOf(error: unknown, translate: TrackOptions['translate']): ProblemName {
  return (error instanceof Problem ? error : translate(error))?.type ?? 'internal-error'
}

/** Makes the tracker of all requests of logins. */
export function trackRequests({ history, translate, onStep }: TrackOptions): TrackRequest {
  const record = (ended: ReturnType<LoginProgress['end']>, about: Pick<About, 'site'>) => {
    if (ended === undefined) return
    const { siteId, entry } = ended
    about.site = siteId
    history.record(siteId, entry)
    let before = entry.at
    for (const [step, at] of entry.steps) {
      onStep(entry.provider, step, (at - before) / 1000, at)
      before = at
    }
  }
  return async (beginning, work, about) => {
    about.provider = beginning.provider
    const progress = new LoginProgress(beginning)
    try {
      const result = await work(progress)
      record(progress.end(), about)
      return result
    } catch (error) {
      record(progress.end(problemTypeOf(error, translate)), about)
      throw error
    }
  }
}
