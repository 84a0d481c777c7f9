import { Prisma } from '../../prisma/client/client.ts'
import type { Database } from '../storage/postgres.ts'
import { isUuid } from '../storage/postgres.ts'

/** A session as an operator sees it. */
export interface SessionRecord {
  readonly id: string
  readonly userId: string
  readonly siteId: string
  readonly provider: string
  /** How often it was refreshed. */
  readonly generation: number
  readonly createdAt: Date
  /** Of the last refresh; of the login where there was none. */
  readonly rotatedAt: Date
  readonly expiresAt: Date
  readonly endsAt: Date
  /** null: it lives. */
  readonly endedAt: Date | null
}

/** Whose sessions; everything given must fit. */
export interface SessionSearch {
  readonly userId?: string
  readonly siteId?: string
  /** Without those that have ended. */
  readonly living: boolean
}

/** Sessions that one statement ends: a site may have very many. */
const batch = 5_000

/** Sessions that fit, newest first; those that ended stay for a day. */
export async function findSessions(
  { prisma }: Database,
  { userId, siteId, living }: SessionSearch,
  { limit, after }: { readonly limit: number; readonly after?: string },
): Promise<readonly SessionRecord[]> {
  if ([userId, after].some((given) => given !== undefined && !isUuid(given))) return []
  const conditions = [
    Prisma.sql`true`,
    ...(userId === undefined ? [] : [Prisma.sql`user_id = ${userId}::uuid`]),
    ...(siteId === undefined ? [] : [Prisma.sql`site_id = ${siteId}`]),
    ...(living ? [Prisma.sql`revoked_at IS NULL AND expires_at > now()`] : []),
    ...(after === undefined ? [] : [Prisma.sql`id < ${after}::uuid`]),
  ]
  return prisma.$queryRaw<SessionRecord[]>`
    SELECT id, user_id AS "userId", site_id AS "siteId", provider, generation, created_at AS "createdAt",
      rotated_at AS "rotatedAt", expires_at AS "expiresAt", ends_at AS "endsAt",
      coalesce(revoked_at, CASE WHEN expires_at <= now() THEN expires_at END) AS "endedAt"
    FROM sessions WHERE ${Prisma.join(conditions, ' AND ')} ORDER BY id DESC LIMIT ${limit}::int`
}

/** Ends one session, whosever it is. Returns false where no living one has this id. */
export async function endSessionById({ prisma }: Database, id: string): Promise<boolean> {
  if (!isUuid(id)) return false
  const ended = await prisma.$executeRaw`
    UPDATE sessions SET revoked_at = now() WHERE id = ${id}::uuid AND revoked_at IS NULL AND expires_at > now()`
  return ended > 0
}

/**
 * Ends all sessions of a person, or of a site; batch by batch, so that it can be called again where it was
 * interrupted.
 * @returns how many
 */
export async function endSessionsOf(
  { prisma }: Database,
  whose: { readonly userId: string } | { readonly siteId: string },
): Promise<number> {
  const mine =
    'userId' in whose ? Prisma.sql`user_id = ${whose.userId}::uuid` : Prisma.sql`site_id = ${whose.siteId}`
  let ended = 0
  for (let count = 1; count > 0; ended += count)
    count = await prisma.$executeRaw`
      UPDATE sessions SET revoked_at = now() WHERE id IN (
        SELECT id FROM sessions WHERE ${mine} AND revoked_at IS NULL AND expires_at > now() LIMIT ${batch}::int)`
  return ended
}
