import { isNotCarriedOut, isTransient } from '../storage/database-errors.ts'
import type { Database } from '../storage/postgres.ts'
import { retry } from './retry.ts'
import type { Session } from './session.ts'

/** A verified refresh token and what the service adds; times in seconds. */
export interface RefreshRequest {
  readonly sessionId: string
  /** The token's. */
  readonly generation: number
  /** The site that proved itself by its secret, or null. */
  readonly proved: string | null
  /** The refresh key that signs now. */
  readonly refreshKid: string
  /** REFRESH_TOKEN_TTL. */
  readonly ttl: number
  /** REFRESH_GRACE. */
  readonly grace: number
}

/**
 * `rotated`: a new generation. `repeated`: the one that the immediate parent got before, within the grace (told
 * apart from `rotated` to a millisecond, for metrics). `reused`: a superseded token came back, and the session was
 * ended by this very request. `ahead`: the token is newer than its session, which proves that the database lost
 * commits (restored from a backup, or a standby took over that lagged), not that anybody stole it. The session is
 * ended all the same, as an end of it may be among the commits that were lost. `refused`: nothing was changed.
 */
export type RefreshOutcome =
  | { readonly kind: 'rotated' | 'repeated'; readonly session: Session }
  | { readonly kind: 'reused' | 'ahead'; readonly sessionId: string; readonly siteId: string }
  | { readonly kind: 'refused'; readonly reason: RefusalReason }

/** Only `secret-required` is for a 401: the caller is to send the site's secret. */
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
  request: RefreshRequest,
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
 * design: the token's generation is compared under the row lock. The grace is asked for by itself too: a
 * statement that began before the one it waited for would otherwise see `rotated_at` ahead of its own now().
 */
async function rotate(
  { prisma }: Database,
  { sessionId, generation, proved, refreshKid, ttl, grace }: RefreshRequest,
): Promise<Rotated[]> {
  return await prisma.$queryRaw<Rotated[]>`
    UPDATE sessions AS s SET
      generation = CASE WHEN s.generation = ${generation}::int THEN s.generation + 1 ELSE s.generation END,
      rotated_at = CASE WHEN s.generation = ${generation}::int THEN now() ELSE s.rotated_at END,
      refresh_kid = CASE WHEN s.generation = ${generation}::int THEN ${refreshKid}::text ELSE s.refresh_kid END,
      expires_at = CASE WHEN s.generation = ${generation}::int
        THEN least(now() + ${ttl}::int * interval '1 second', s.ends_at) ELSE s.expires_at END,
      revoked_at = CASE WHEN s.generation = ${generation}::int
        OR (s.generation = ${generation}::int + 1 AND ${grace}::int > 0
          AND s.rotated_at > now() - ${grace}::int * interval '1 second') THEN NULL ELSE now() END
    FROM users AS u, sites AS c
    WHERE s.id = ${sessionId}::uuid AND s.revoked_at IS NULL AND s.expires_at > now()
      AND u.id = s.user_id AND u.disabled_at IS NULL AND c.id = s.site_id AND c.disabled_at IS NULL
      AND (s.site_id = ${proved}::text OR (${proved}::text IS NULL AND NOT c.require_secret))
    RETURNING s.id AS "sessionId", s.user_id AS "userId", s.site_id AS "siteId", s.generation,
      s.expires_at AS "expiresAt", s.refresh_kid AS "refreshKid", s.revoked_at IS NOT NULL AS reused,
      s.rotated_at = now()::timestamptz(3) AS fresh`
}

interface Standing {
  readonly siteId: string
  readonly requireSecret: boolean
  readonly siteDisabled: boolean
  readonly userDisabled: boolean
}

/** Cold: only after the statement changed nothing. */
async function reasonOf({ prisma }: Database, { sessionId, proved }: RefreshRequest): Promise<RefusalReason> {
  const [standing] = await prisma.$queryRaw<Standing[]>`
    SELECT s.site_id AS "siteId", c.require_secret AS "requireSecret",
      c.disabled_at IS NOT NULL AS "siteDisabled", u.disabled_at IS NOT NULL AS "userDisabled"
    FROM sessions AS s JOIN users AS u ON u.id = s.user_id JOIN sites AS c ON c.id = s.site_id
    WHERE s.id = ${sessionId}::uuid`
  if (standing === undefined) return 'unknown'
  if (proved === null && standing.requireSecret) return 'secret-required'
  if (proved !== null && proved !== standing.siteId) return 'other-site'
  if (standing.siteDisabled) return 'site-disabled'
  return standing.userDisabled ? 'user-disabled' : 'ended'
}
