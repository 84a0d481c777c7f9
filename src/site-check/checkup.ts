import type { Facts } from './facts.ts'
import type { BegunLogin, LoginPlace } from './login-page.ts'
import type { groups } from './report.ts'
import type { Person, Sandbox } from './sandbox.ts'
import type { Answer, Visit, Visitor } from './visitor.ts'

/** How one point came out. `seen` and `reason` hold no code, state, cookie or secret. */
export type Verdict =
  | { readonly status: 'passed' }
  | { readonly status: 'failed' | 'advice'; readonly seen: string; readonly change?: string }
  | { readonly status: 'skipped'; readonly reason: string }

export const passed: Verdict = { status: 'passed' }
export const failed = (seen: string, change?: string): Verdict => ({
  status: 'failed',
  seen,
  ...(change !== undefined && { change }),
})
export const advice = (seen: string): Verdict => ({ status: 'advice', seen })
export const skipped = (reason: string): Verdict => ({ status: 'skipped', reason })

/** One point that is checked. */
export interface Case {
  /** Stays the same for good: scripts compare it. */
  readonly id: string
  readonly group: keyof typeof groups
  /** What holds where it is right. */
  readonly title: string
  readonly why: string
  readonly change: string
  /** That one can be begun; that there is a sandbox for the rest of it; that a whole login has worked. */
  readonly needs?: 'begin' | 'sandbox' | 'login'
  /** @throws {NoAnswer} which is a fault of the site where the site did not answer */
  readonly run: (checkup: Checkup) => Promise<Verdict>
}

/** A page that the site showed in place of a login. */
export interface ErrorPage {
  /** 'a return with a foreign state'. */
  readonly after: string
  readonly answer: Answer
}

/** A whole login that has worked. */
export interface DoneLogin {
  readonly visitor: Visitor
  /** The browser as it was before the return. */
  readonly before: Visitor
  readonly begun: BegunLogin
  /** The return, with state and code. */
  readonly returned: URL
  readonly visit: Visit
  readonly person: Person
}

/** What the cases work with, and what earlier ones leave for later ones. */
export interface Checkup extends LoginPlace {
  readonly site: {
    readonly id: string
    readonly name: string
    readonly providers: readonly string[]
    readonly requireSecret: boolean
    readonly native: boolean
  }
  /** The registered return address, raw. */
  readonly returnUrl: string
  readonly sandbox: Sandbox | undefined
  readonly facts: Facts
  /** In everything that is invented. */
  readonly marker: string
  /** The site's log, where one was named. */
  readonly log: (() => Promise<string>) | undefined
  /** A browser that was never here. */
  readonly visitor: (language?: string) => Visitor
  /** The words of the page where a login begins, before any. */
  readonly wordsBefore: string
  readonly errorPages: ErrorPage[]
  begun: boolean
  login: DoneLogin | undefined
  /** The page that tells who is logged in: the first login finds it. */
  memberUrl: URL
  /** By what a person who is logged in is recognised there. */
  signal: 'words' | 'button'
}

/** The code of every return that no provider made. */
export function inventedCode({ marker }: Pick<Checkup, 'marker'>): string {
  return `${marker}-code`
}

/** The return address with these parameters after what it has already. */
export function returnWith({ returnUrl }: Pick<Checkup, 'returnUrl'>, query: string): URL {
  return new URL(query === '' ? returnUrl : `${returnUrl}${returnUrl.includes('?') ? '&' : '?'}${query}`)
}
