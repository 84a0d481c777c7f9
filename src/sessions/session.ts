import type { ProviderProfile } from '../providers/provider.ts'
import type { BearerSession, ScopedSession } from '../tokens/access-token.ts'
import type { RefreshSubject } from '../tokens/refresh-token.ts'

/** One generation of a session, as its tokens are signed. */
export type Session = BearerSession & RefreshSubject & ScopedSession

/** What is stored of a person; null where the provider does not tell. */
export interface PersonalFields {
  readonly name: string | null
  readonly login: string | null
  readonly email: string | null
  readonly emailVerified: boolean | null
}

/** The session that a login opened, and its person; times by the database's clock. */
export interface SessionOfLogin extends Session, PersonalFields {
  /** Seconds since it was opened. */
  readonly ageSeconds: number
  /** Whether it has not ended, and its user and site are enabled. */
  readonly living: boolean
}

/** What a finished login opens a session from. */
export interface OpenSession {
  readonly profile: ProviderProfile
  readonly provider: string
  readonly siteId: string
  /** SHA-256 of the login's state: one login opens at most one session. */
  readonly loginHash: Buffer
  /** The scope that is granted; null for a login by the guide's own requests. */
  readonly scope?: string | null
}

/**
 * - `opened`: now.
 * - `exists`: this login has opened its session before.
 * - `disabled`: the user is disabled; nothing was written.
 * - `site-gone`: the site has just been disabled or removed; nothing was written.
 */
export type OpenedSession =
  | ({ readonly kind: 'opened' } & SessionOfLogin)
  | { readonly kind: 'exists' }
  | { readonly kind: 'disabled' }
  | { readonly kind: 'site-gone' }
