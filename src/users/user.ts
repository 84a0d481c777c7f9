import { sessionsWithOwners, usable } from '../sessions/living.ts'
import type { Database } from '../storage/postgres.ts'
import type { BearerSession } from '../tokens/access-token.ts'

/** A person as they see themselves at a site; what the provider does not tell is null. */
export interface UserProfile {
  readonly userId: string
  readonly name: string | null
  readonly login: string | null
  readonly email: string | null
  readonly emailVerified: boolean | null
  /** Through which this session was opened. */
  readonly provider: string
  readonly sessionId: string
  /** Of the session. */
  readonly openedAt: Date
}

/**
 * The profile behind an access token, in one statement.
 * @param token its claims `sub`, `sid`, `client_id`
 * @returns undefined where the session has ended, or the user or the site is disabled: the token no longer counts
 */
export async function profileOf(
  { prisma }: Pick<Database, 'prisma'>,
  { userId, sessionId, siteId }: BearerSession,
): Promise<UserProfile | undefined> {
  const rows = await prisma.$queryRaw<UserProfile[]>`
    SELECT u.id AS "userId", u.name, u.login, u.email, u.email_verified AS "emailVerified",
      s.provider, s.id AS "sessionId", s.created_at AS "openedAt"
    FROM ${sessionsWithOwners}
    WHERE s.id = ${sessionId}::uuid AND s.user_id = ${userId}::uuid AND s.site_id = ${siteId}
      AND ${usable}`
  return rows[0]
}
