import type { KeyKind } from './material.ts'

/** What decides when a key signs and verifies. Times are milliseconds of the database's clock. */
export interface Scheduled {
  readonly kid: string
  readonly kind: string
  readonly activatesAt: number
  readonly revokedAt: number | null
}

/**
 * - `next`: published, so that caches know it before it signs.
 * - `active`: signs.
 * - `retired`: verifies what it signed.
 * - `ended`: the last token that it signed has expired.
 * - `revoked`: refused everywhere.
 */
export type KeyState = 'next' | 'active' | 'retired' | 'ended' | 'revoked'

/** How long tokens live, in seconds. */
export interface TokenTimes {
  readonly accessTokenTtl: number
  readonly refreshTokenTtl: number
  readonly sessionMaxAge: number
}

/**
 * Seconds from the publication of a key to its first signature: JWKS caches (max-age 300), one poll of every
 * replica, and a minute for clocks.
 */
export const publishedAhead = 300 + 60 + 60

/** The keys of one kind in the order in which they start to sign, latest first. */
export function latestFirst<T extends Scheduled>(keys: readonly T[], kind: KeyKind): T[] {
  return keys.filter((key) => key.kind === kind).toSorted((one, other) => (comesAfter(one, other) ? -1 : 1))
}

/**
 * When the last token that a key can have signed expires, in milliseconds; Infinity while no successor is known.
 * If the operator shortens a TTL, the new one counts for old keys too.
 * @param ordered all keys of its kind, latest first
 */
export function verifiesUntil(key: Scheduled, ordered: readonly Scheduled[], times: TokenTimes): number {
  const successor = ordered.filter((other) => other.revokedAt === null && comesAfter(other, key)).at(-1)
  if (successor === undefined) return Number.POSITIVE_INFINITY
  const life =
    key.kind === 'access' ? times.accessTokenTtl : Math.min(times.refreshTokenTtl, times.sessionMaxAge)
  // A replica may sign a little longer: its poll failed, or it repeats a refresh and signs by the key of the row.
  return successor.activatesAt + (life + publishedAhead) * 1000
}

/**
 * The state of a key at `now`.
 * @param ordered all keys of its kind, latest first
 */
export function stateOf(
  key: Scheduled,
  ordered: readonly Scheduled[],
  times: TokenTimes,
  now: number,
): KeyState {
  if (key.revokedAt !== null) return 'revoked'
  if (key === activeOf(ordered, now)) return 'active'
  if (key.activatesAt > now) return 'next'
  return verifiesUntil(key, ordered, times) > now ? 'retired' : 'ended'
}

/**
 * The key that signs at `now`: the latest whose time has come. Where none's has (the very first key, if this process's
 * estimate of the database's clock is slightly behind), the earliest.
 */
export function activeOf<T extends Scheduled>(ordered: readonly T[], now: number): T | undefined {
  const usable = ordered.filter((key) => key.revokedAt === null)
  return usable.find((key) => key.activatesAt <= now) ?? usable.at(-1)
}

function comesAfter(one: Scheduled, other: Scheduled): boolean {
  return one.activatesAt > other.activatesAt || (one.activatesAt === other.activatesAt && one.kid > other.kid)
}
