import { Prisma } from '../../prisma/client/client.ts'
import { isNotCarriedOut, isTransient } from '../storage/database-errors.ts'
import type { Database } from '../storage/postgres.ts'
import { prepareStatement } from '../storage/prepared-statement.ts'
import { sessionsWithOwners, usable } from './living.ts'
import { retry } from './retry.ts'
import type { Session } from './session.ts'

/** A verified refresh token and what the service adds; times in seconds. */
export interface RotationRequest {
  readonly sessionId: string
  /** The session's user, where the token names it. */
  readonly userId?: string
  /** The token's. */
  readonly generation: number
  /** The site that authenticated by its secret, or null. */
  readonly authenticatedSite: string | null
  /** The refresh key that signs now. */
  readonly refreshKid: string
  /** REFRESH_TOKEN_TTL. */
  readonly ttl: number
  /** REFRESH_GRACE. */
  readonly grace: number
}

/**
 * - `rotated`: a new generation.
 * - `repeated`: the generation that the same token got before, within the grace.
 * - `reused`: a superseded token came back; this request ended the session.
 * - `ahead`: the token is newer than its session, so the database lost commits (it was restored from a backup, or a
 *   standby that lagged took over); nobody stole the token. This request ended the session all the same, because an end
 *   of it may be among the lost commits.
 * - `refused`: nothing was changed.
 */
export type RefreshOutcome =
  | { readonly kind: 'rotated' | 'repeated'; readonly session: Session }
  | { readonly kind: 'reused' | 'ahead'; readonly sessionId: string; readonly siteId: string }
  | { readonly kind: 'refused'; readonly reason: RefusalReason }

/** Why nothing was changed. Only `secret-required` becomes a 401: the caller must send the site's secret. */
export type RefusalReason =
  | 'secret-required'
  | 'other-site'
  | 'site-disabled'
  | 'user-disabled'
  | 'ended'
  | 'unknown'

/**
 * Rotates, repeats or ends, in one statement under the row's lock: 50 parallel refreshes of one token leave one
 * living generation, and all of them get it.
 *
 * After an unknown COMMIT it repeats itself only where there is a grace: without one, its own repetition would
 * be a reuse and end the session.
 * @throws database errors as they are
 */
export async function rotateSession(
  database: Database,
  request: RotationRequest,
  signal?: AbortSignal,
): Promise<RefreshOutcome> {
  const [row] = await retry(() => rotate(database, request), {
    // A deadlock's victim, or a write that a standby refused, was not carried out; a lost connection leaves it open.
    allowed: (error) => isTransient(error) && (request.grace > 0 || isNotCarriedOut(error)),
    attempts: 3,
    ...(signal && { signal }),
  })
  if (row === undefined) return { kind: 'refused', reason: await reasonOf(database, request) }
  const { reused, fresh, ...session } = row
  if (!reused) return { kind: fresh ? 'rotated' : 'repeated', session }
  const kind = request.generation > row.generation ? 'ahead' : 'reused'
  return { kind, sessionId: row.sessionId, siteId: row.siteId }
}

type Rotated = Session & { readonly reused: boolean; readonly fresh: boolean }

/**
 * The generations are compared under the row's lock. `grace > 0` is a condition of its own because a statement that
 * waited for another's lock may see a `rotated_at` later than its own now(): without a grace that would count as within
 * it. `fresh` (`rotated_at` is now, to the millisecond) tells `rotated` from `repeated`, for metrics.
 */
const rotation = (name: string, user: 'named' | 'unnamed') =>
  prepareStatement<RotationRequest, Rotated>(name, (parameter) => {
    const ofUser = user === 'named' ? Prisma.sql` AND s.user_id = ${parameter('userId')}::uuid` : Prisma.empty
    const generation = Prisma.sql`${parameter('generation')}::int`
    const isCurrent = Prisma.sql`s.generation = ${generation}`
    const site = Prisma.sql`${parameter('authenticatedSite')}::text`
    const grace = Prisma.sql`${parameter('grace')}::int`
    return Prisma.sql`
    UPDATE sessions AS s SET
      generation = CASE WHEN ${isCurrent} THEN s.generation + 1 ELSE s.generation END,
      rotated_at = CASE WHEN ${isCurrent} THEN now() ELSE s.rotated_at END,
      refresh_kid = CASE WHEN ${isCurrent} THEN ${parameter('refreshKid')}::text ELSE s.refresh_kid END,
      expires_at = CASE WHEN ${isCurrent}
        THEN least(now() + ${parameter('ttl')}::int * interval '1 second', s.ends_at) ELSE s.expires_at END,
      revoked_at = CASE WHEN ${isCurrent}
        OR (s.generation = ${generation} + 1 AND ${grace} > 0
          AND s.rotated_at > now() - ${grace} * interval '1 second') THEN NULL ELSE now() END
    FROM users AS u, sites AS c
    WHERE s.id = ${parameter('sessionId')}::uuid${ofUser} AND u.id = s.user_id AND c.id = s.site_id AND ${usable}
      AND (s.site_id = ${site} OR (${site} IS NULL AND NOT c.require_secret))
    RETURNING s.id AS "sessionId", s.user_id AS "userId", s.site_id AS "siteId", s.generation,
      s.expires_at AS "expiresAt", s.refresh_kid AS "refreshKid", s.scope, s.revoked_at IS NOT NULL AS reused,
      s.rotated_at = now()::timestamptz(3) AS fresh`
  })

const rotateOfUser = rotation('rotate_session', 'named')
const rotateUnnamed = rotation('rotate_session_of_old_token', 'unnamed')

/** By the user's id too, so that a distributed database asks one shard alone (docs/decisions/0036-distribution.md). */
function rotate(database: Database, request: RotationRequest): Promise<Rotated[]> {
  return (request.userId === undefined ? rotateUnnamed : rotateOfUser)(database, request)
}

/** The state of a session, its site and its user. */
interface SessionState {
  readonly siteId: string
  readonly requireSecret: boolean
  readonly siteDisabled: boolean
  readonly userDisabled: boolean
}

/** Asked only after the statement changed nothing, which is rare. */
async function reasonOf(
  { prisma }: Database,
  { sessionId, authenticatedSite }: RotationRequest,
): Promise<RefusalReason> {
  const [state] = await prisma.$queryRaw<SessionState[]>`
    SELECT s.site_id AS "siteId", c.require_secret AS "requireSecret",
      c.disabled_at IS NOT NULL AS "siteDisabled", u.disabled_at IS NOT NULL AS "userDisabled"
    FROM ${sessionsWithOwners}
    WHERE s.id = ${sessionId}::uuid`
  if (state === undefined) return 'unknown'
  if (authenticatedSite === null && state.requireSecret) return 'secret-required'
  if (authenticatedSite !== null && authenticatedSite !== state.siteId) return 'other-site'
  if (state.siteDisabled) return 'site-disabled'
  return state.userDisabled ? 'user-disabled' : 'ended'
}
