import type { ProviderProfile } from '../providers/provider.ts'

/** A generation of a session, as tokens are signed for it. */
export interface Session {
  readonly sessionId: string
  readonly userId: string
  readonly siteId: string
  readonly generation: number
  /** The session ends then unless it is refreshed; never later than SESSION_MAX_AGE. */
  readonly expiresAt: Date
  /** The key that signs this generation's refresh token. */
  readonly refreshKid: string
}

/** The session that a login opened, by the database's clock. */
export interface SessionOfLogin extends Session {
  /** Since it was opened. */
  readonly ageSeconds: number
  /** Not ended, and its user and site are enabled. */
  readonly living: boolean
}

/** What a finished login opens. */
export interface OpenSession {
  readonly profile: ProviderProfile
  readonly provider: string
  readonly siteId: string
  /** SHA-256 of the login's state: one login opens at most one session. */
  readonly loginHash: Buffer
}

/**
 * `exists`: this login has opened its session before. `disabled`: the user is. `site-gone`: the site was disabled
 * or removed at this moment. In the last two nothing was written.
 */
export type OpenedSession =
  | ({ readonly kind: 'opened' } & SessionOfLogin)
  | { readonly kind: 'exists' }
  | { readonly kind: 'disabled' }
  | { readonly kind: 'site-gone' }

/** Who asks by an access token: its claims `sid`, `sub`, `client_id`. */
export interface BearerSession {
  readonly sessionId: string
  readonly userId: string
  readonly siteId: string
}
