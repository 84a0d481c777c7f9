import type pg from 'pg'
import { Prisma } from '../../prisma/client/client.ts'
import type { Database, PageRequest } from '../storage/postgres.ts'
import { isUuid } from '../storage/postgres.ts'
import { living } from './living.ts'

/** A session as an operator sees it. */
export interface SessionRecord {
  readonly id: string
  readonly userId: string
  readonly siteId: string
  readonly provider: string
  /** How often it was refreshed. */
  readonly generation: number
  readonly createdAt: Date
  /** The time of the last refresh, or of the login where there was none. */
  readonly rotatedAt: Date
  readonly expiresAt: Date
  readonly endsAt: Date
  /** null while it lives. */
  readonly endedAt: Date | null
}

/** Which sessions; everything given must match. */
export interface SessionSearch {
  readonly userId?: string
  readonly siteId?: string
  /** Whether to leave out those that have ended. */
  readonly living: boolean
}

/** Rows that one statement takes: it stays far below any statement timeout, however many sessions there are. */
const batch = 5_000

/** The sessions that match, newest first; ended sessions are kept for a day. */
export async function findSessions(
  { prisma }: Database,
  { userId, siteId, living: livingOnly }: SessionSearch,
  { limit, after }: PageRequest,
): Promise<readonly SessionRecord[]> {
  if ([userId, after].some((given) => given !== undefined && !isUuid(given))) return []
  const conditions = [
    Prisma.sql`true`,
    ...(userId === undefined ? [] : [Prisma.sql`user_id = ${userId}::uuid`]),
    ...(siteId === undefined ? [] : [Prisma.sql`site_id = ${siteId}`]),
    ...(livingOnly ? [living] : []),
    ...(after === undefined ? [] : [Prisma.sql`id < ${after}::uuid`]),
  ]
  return prisma.$queryRaw<SessionRecord[]>`
    SELECT id, user_id AS "userId", site_id AS "siteId", provider, generation, created_at AS "createdAt",
      rotated_at AS "rotatedAt", expires_at AS "expiresAt", ends_at AS "endsAt",
      coalesce(revoked_at, CASE WHEN expires_at <= now() THEN expires_at END) AS "endedAt"
    FROM sessions AS s WHERE ${Prisma.join(conditions, ' AND ')} ORDER BY id DESC LIMIT ${limit}::int`
}

/** Ends one session of any user. @returns false where no living session has this id */
export async function endSessionById({ prisma }: Database, id: string): Promise<boolean> {
  if (!isUuid(id)) return false
  const ended = await prisma.$executeRaw`
    UPDATE sessions AS s SET revoked_at = now() WHERE s.id = ${id}::uuid AND ${living}`
  return ended > 0
}

/**
 * Ends all sessions of a person, or of a site, batch by batch; if it was interrupted, call it again.
 * @returns how many
 */
export async function endSessionsOf(
  { prisma }: Database,
  whose: { readonly userId: string } | { readonly siteId: string },
): Promise<number> {
  const condition =
    'userId' in whose ? Prisma.sql`user_id = ${whose.userId}::uuid` : Prisma.sql`site_id = ${whose.siteId}`
  let ended = 0
  for (let count = 1; count > 0; ended += count)
    count = await prisma.$executeRaw`
      UPDATE sessions SET revoked_at = now() WHERE id IN (
        SELECT s.id FROM sessions AS s WHERE ${condition} AND ${living} LIMIT ${batch}::int)`
  return ended
}

/**
 * Ends the living sessions whose current refresh token this key signed, page by page in the order of their ids
 * (there is no index on the key: it would cost every refresh).
 * @returns how many
 */
export async function endSessionsOfKey(pool: pg.Pool, kid: string): Promise<number> {
  let ended = 0
  let after: string | null = '00000000-0000-0000-0000-000000000000'
  while (after !== null) {
    const result: pg.QueryResult<{ ended: number; last: string | null }> = await pool.query(
      `WITH page AS MATERIALIZED (SELECT id FROM sessions WHERE id > $1::uuid ORDER BY id LIMIT $3),
       gone AS (
         UPDATE sessions AS s SET revoked_at = now() FROM page
         WHERE s.id = page.id AND s.refresh_kid = $2 AND ${living.text}
         RETURNING s.id)
       SELECT (SELECT count(*) FROM gone)::int AS ended, (SELECT id FROM page ORDER BY id DESC LIMIT 1) AS last`,
      [after, kid, batch],
    )
    ended += result.rows[0]?.ended ?? 0
    after = result.rows[0]?.last ?? null
  }
  return ended
}

/** Deletes all sessions of a site, ended or not, batch by batch: for a site that is being removed. */
export async function deleteSessionsOfSite({ prisma }: Database, siteId: string): Promise<void> {
  for (let deleted = 1; deleted > 0; )
    deleted = await prisma.$executeRaw`
      DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE site_id = ${siteId} LIMIT ${batch}::int)`
}
