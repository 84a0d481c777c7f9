import { Prisma } from '../../prisma/client/client.ts'

/**
 * A session lives until somebody ends it (`revoked_at`) or its time is over. For statements that call the table
 * `sessions AS s`.
 */
export const living = Prisma.sql`s.revoked_at IS NULL AND s.expires_at > now()`

/** A living session is `usable` while neither its user (`u`) nor its site (`c`) is disabled. */
export const usable = Prisma.sql`${living} AND u.disabled_at IS NULL AND c.disabled_at IS NULL`

/** Each session (`s`) with its user (`u`) and its site (`c`): what `usable` needs. */
export const sessionsWithOwners = Prisma.sql`sessions AS s JOIN users AS u ON u.id = s.user_id JOIN sites AS c ON c.id = s.site_id`
