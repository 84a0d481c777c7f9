import type { PlayedFault } from './demo-fault.ts'

/** How a request to Auth-movies ended: the status, and the type of the problem where it was one. */
export interface Ended {
  readonly status: number
  readonly problem?: string
}

/** One request at the demo site's return URL, as the demo site saw it and answered it. */
export interface ReturnRecord {
  /** Whether the state was in the session of the browser that brought it; `repeated` where it was finished before. */
  readonly state: 'own' | 'foreign' | 'repeated'
  /** The parameter of this name. */
  readonly error?: string
  /** The finish that the demo site sent; absent where it sent none. */
  finish?: Ended
  /** Whether the state is still in the session afterwards, so that the same finish may be sent again. */
  stateKept: boolean
  /** The status of its answer to the browser. */
  answered: number
}

/** What the demo site saw of one login: observed while it happened, not expected. */
export interface LoginRecord {
  readonly provider: string
  /** The fault that the sandbox plays on it. */
  readonly fault: PlayedFault | undefined
  readonly startedAt: Date
  /** How the start ended. */
  started?: Ended
  /** Logins that the same browser had begun and not finished, this one included. */
  waiting: number
  readonly returns: ReturnRecord[]
  /** The person whom the demo site showed after this login. */
  profile?: SeenProfile
  /** What the home page showed to this browser when it last came there without a login. */
  home?: 'buttons'
}

/** The profile that Auth-movies told, and what the demo site had of the same person before. */
export interface SeenProfile {
  readonly id: string
  readonly name: string | null
  readonly email: string | null
  readonly emailBefore?: string | null
}

/** Logins that are remembered, at most. */
const maxRecords = 1_000

/** The demo site's own record of its logins, in memory. */
export class LoginJournal {
  readonly #byState = new Map<string, LoginRecord>()
  readonly #lastByFault = new Map<string | undefined, LoginRecord>()
  readonly #emails = new Map<string, string | null>()

  /** A login begins. */
  begin(provider: string, fault: PlayedFault | undefined): LoginRecord {
    const record: LoginRecord = { provider, fault, startedAt: new Date(), waiting: 0, returns: [] }
    this.#lastByFault.set(fault?.id, record)
    return record
  }

  /** It is known by this state from now on. */
  name(record: LoginRecord, state: string): void {
    const oldest = this.#byState.keys().next()
    if (this.#byState.size >= maxRecords && oldest.done !== true) this.#byState.delete(oldest.value)
    this.#byState.set(state, record)
  }

  /** The login that began with this state. */
  byState(state: string): LoginRecord | undefined {
    return this.#byState.get(state)
  }

  /** The last login with this fault; undefined stands for no fault. */
  last(fault: string | undefined): LoginRecord | undefined {
    return this.#lastByFault.get(fault)
  }

  /** A profile was shown after this login. It is compared with what was seen of the same person before. */
  showed(record: LoginRecord, profile: Omit<SeenProfile, 'emailBefore'>): void {
    if (record.profile === undefined) {
      const before = this.#emails.get(profile.id)
      record.profile = { ...profile, ...(before !== undefined && { emailBefore: before }) }
    }
    this.#emails.set(profile.id, profile.email)
  }
}
