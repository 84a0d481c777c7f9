import type { IdTokenAlg } from './material.ts'
import { idTokenAlgs, isIdTokenAlg } from './material.ts'

/** What decides when a key signs and verifies. Times are milliseconds of the database's clock. */
export interface Scheduled {
  readonly kid: string
  readonly kind: string
  readonly alg: string
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

/**
 * Keys that succeed one another: all of one kind, whatever their algorithm; of kind `id`, among whose algorithms sites
 * choose, those of one algorithm.
 */
export type KeyLine = 'access' | 'refresh' | `id ${IdTokenAlg}`

/** The line of ID tokens of this algorithm. */
export const idLine = <Alg extends IdTokenAlg>(alg: Alg) => `id ${alg}` as const

/** Every line; each has one key that signs. */
export const keyLines: readonly KeyLine[] = ['access', 'refresh', ...idTokenAlgs.map(idLine)]

/** The line of a key; undefined for a key of another version. */
export function lineOf({ kind, alg }: Pick<Scheduled, 'kind' | 'alg'>): KeyLine | undefined {
  if (kind === 'access' || kind === 'refresh') return kind
  return kind === 'id' && isIdTokenAlg(alg) ? idLine(alg) : undefined
}

/** The keys of one line in the order in which they start to sign, latest first. */
export function latestFirst<T extends Scheduled>(keys: readonly T[], line: KeyLine | undefined): T[] {
  return keys
    .filter((key) => line !== undefined && lineOf(key) === line)
    .toSorted((one, other) => (comesAfter(one, other) ? -1 : 1))
}

/**
 * When the last token that a key can have signed expires, in milliseconds; Infinity while no successor is known.
 * If the operator shortens a TTL, the new one counts for old keys too.
 * @param ordered all keys of its line, latest first
 */
export function verifiesUntil(key: Scheduled, ordered: readonly Scheduled[], times: TokenTimes): number {
  const successor = ordered.filter((other) => other.revokedAt === null && comesAfter(other, key)).at(-1)
  if (successor === undefined) return Number.POSITIVE_INFINITY
  const life = lifeOf(key.kind, times)
  // A replica may sign a little longer: its poll failed, or it repeats a refresh and signs by the key of the row.
  return successor.activatesAt + (life + publishedAhead) * 1000
}

/** Seconds for which what a key signed may still be shown. An expired ID token is a good hint at a logout, as long as its session lives. */
function lifeOf(kind: string, { accessTokenTtl, refreshTokenTtl, sessionMaxAge }: TokenTimes): number {
  if (kind === 'id') return sessionMaxAge
  return kind === 'access' ? accessTokenTtl : Math.min(refreshTokenTtl, sessionMaxAge)
}

/**
 * The state of a key at `now`.
 * @param ordered all keys of its line, latest first
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
