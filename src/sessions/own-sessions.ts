import type { Database } from '../storage/postgres.ts'
import { isUuid } from '../storage/postgres.ts'
import type { BearerSession } from './session.ts'

/** A living session of one person at one site, as its owner sees it. */
export interface ListedSession {
  readonly id: string
  readonly provider: string
  readonly createdAt: Date
  /** Of the last refresh; of the login where there was none. */
  readonly lastUsedAt: Date
  readonly expiresAt: Date
  /** The one that asks. */
  readonly current: boolean
}

/**
 * The asker's living sessions at the asker's site, newest first.
 * @returns undefined where the asker's own session lives no more: the token is still signed, but refused
 */
export async function listSessions(
  { prisma }: Database,
  { sessionId, userId, siteId }: BearerSession,
): Promise<readonly ListedSession[] | undefined> {
  const sessions = await prisma.$queryRaw<ListedSession[]>`
    SELECT s.id, s.provider, s.created_at AS "createdAt", s.rotated_at AS "lastUsedAt",
      s.expires_at AS "expiresAt", s.id = ${sessionId}::uuid AS current
    FROM sessions AS s JOIN users AS u ON u.id = s.user_id JOIN sites AS c ON c.id = s.site_id
    WHERE s.user_id = ${userId}::uuid AND s.site_id = ${siteId} AND s.revoked_at IS NULL AND s.expires_at > now()
      AND u.disabled_at IS NULL AND c.disabled_at IS NULL
    ORDER BY s.id DESC`
  return sessions.some(({ current }) => current) ? sessions : undefined
}

/**
 * Ends one session of the asker's at the asker's site: another site's, another person's and one that has ended
 * are all `not-found`.
 * @param id any string; what is no UUID is not found
 */
export async function endSession(
  database: Database,
  asker: BearerSession,
  id: string,
): Promise<'ended' | 'not-found' | 'asker-ended'> {
  const { askers, ended } = await end(database, asker, isUuid(id) ? id : null, false)
  if (askers === 0) return 'asker-ended'
  return ended > 0 ? 'ended' : 'not-found'
}

/**
 * Ends all sessions of the asker's at the asker's site, the asking one among them.
 * @returns how many; undefined where the asker's own session lived no more
 */
export async function endAllSessions(database: Database, asker: BearerSession): Promise<number | undefined> {
  const { askers, ended } = await end(database, asker, null, true)
  return askers === 0 ? undefined : ended
}

/** One statement, so that an asker who is logged out meanwhile ends nothing. */
async function end(
  { prisma }: Database,
  { sessionId, userId, siteId }: BearerSession,
  id: string | null,
  all: boolean,
): Promise<{ readonly askers: number; readonly ended: number }> {
  const [row] = await prisma.$queryRaw<{ askers: number; ended: number }[]>`
    WITH asker AS MATERIALIZED (
      SELECT s.user_id, s.site_id
      FROM sessions AS s JOIN users AS u ON u.id = s.user_id JOIN sites AS c ON c.id = s.site_id
      WHERE s.id = ${sessionId}::uuid AND s.user_id = ${userId}::uuid AND s.site_id = ${siteId}
        AND s.revoked_at IS NULL AND s.expires_at > now() AND u.disabled_at IS NULL AND c.disabled_at IS NULL
    ), ended AS (
      UPDATE sessions AS s SET revoked_at = now() FROM asker AS a
      WHERE s.user_id = a.user_id AND s.site_id = a.site_id AND (${all}::boolean OR s.id = ${id}::uuid)
        AND s.revoked_at IS NULL AND s.expires_at > now()
      RETURNING s.id
    )
    SELECT (SELECT count(*) FROM asker)::int AS askers, (SELECT count(*) FROM ended)::int AS ended`
  return row ?? { askers: 0, ended: 0 }
}
