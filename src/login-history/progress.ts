import type { ProblemName } from '../problems/table.ts'
import type { LoginEntry, Step } from './entry.ts'

/** What is known of a request before anything is looked up. */
export type ProgressBeginning = Pick<LoginEntry, 'request' | 'provider' | 'requestId'>

/** A login as its history names it. */
export interface TrackedLogin {
  /** Good for nothing but to name it. */
  readonly id: string
  readonly siteId: string
  readonly provider: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Of the start; absent in logins that an older version started. */
  readonly requestId?: string
}

/** How far one request of a login has got. It holds nothing that a site may not see. */
export class LoginProgress {
  /** The request's own, which the login keeps from its start. */
  readonly requestId: string
  private readonly beginning: ProgressBeginning
  private readonly at = Date.now()
  private readonly clock = performance.now()
  private readonly steps: [Step, number][] = []
  private siteId: string | undefined
  private login: Pick<LoginEntry, 'login' | 'provider' | 'start'> | undefined
  private problem: ProblemName | undefined

  constructor(beginning: ProgressBeginning) {
    this.beginning = beginning
    this.requestId = beginning.requestId
  }

  /** Whose request this is, where that is known before there is a login; the last word holds. */
  concerns(site: { readonly id: string } | undefined): void {
    this.siteId = site?.id ?? this.siteId
  }

  /** Which login this request is about. */
  isAbout({ id, siteId, provider, startedAt: at, requestId }: TrackedLogin): void {
    this.siteId = siteId
    this.login = {
      login: id,
      provider,
      start: { at, ...(requestId !== undefined && { requestId }) },
    }
  }

  mark(step: Step): void {
    this.steps.push([step, this.now()])
  }

  /** The login came to a bad end, though this request was answered as it should be. */
  fails(problem: ProblemName): void {
    this.problem = problem
  }

  /** @returns undefined where no site is known: nobody could be shown the entry */
  end(problem?: ProblemName): { readonly siteId: string; readonly entry: LoginEntry } | undefined {
    if (this.siteId === undefined) return undefined
    const told = problem ?? this.problem
    const entry: LoginEntry = {
      ...this.beginning,
      ...this.login,
      at: this.at,
      ms: this.now() - this.at,
      // What still runs behind a deadline marks no entry that is out already.
      steps: [...this.steps],
      ...(told !== undefined && { problem: told }),
    }
    return { siteId: this.siteId, entry }
  }

  /** Milliseconds since the epoch; never goes back within a request. */
  now(): number {
    return this.at + Math.round(performance.now() - this.clock)
  }
}
