import type { Database } from '../storage/postgres.ts'
import type { BearerSession } from '../tokens/access-token.ts'
import type { VerifiedToken } from '../tokens/token-pair.ts'
import { living } from './living.ts'

/**
 * Revokes a token, which ends its session (RFC 7009 §2.1): a refresh token of any generation, or an access token.
 * Another site's token, and one whose session has ended already, change nothing, and the caller is not told.
 * @param authenticatedSite the site that authenticated by its secret, or null
 * @returns `secret-required` where the token's site demands its secret and none came: nothing was changed
 */
export async function revokeToken(
  database: Database,
  { claims: { sid } }: VerifiedToken,
  authenticatedSite: string | null,
): Promise<'ended' | 'nothing' | 'secret-required'> {
  const ended = await database.prisma.$queryRaw<unknown[]>`
    UPDATE sessions AS s SET revoked_at = now() FROM sites AS c
    WHERE s.id = ${sid}::uuid AND c.id = s.site_id AND ${living}
      AND (s.site_id = ${authenticatedSite}::text
        OR (${authenticatedSite}::text IS NULL AND NOT c.require_secret))
    RETURNING s.id`
  if (ended.length > 0) return 'ended'
  if (authenticatedSite !== null) return 'nothing'
  const demanding = await database.prisma.$queryRaw<unknown[]>`
    SELECT FROM sessions AS s JOIN sites AS c ON c.id = s.site_id
    WHERE s.id = ${sid}::uuid AND c.require_secret`
  return demanding.length > 0 ? 'secret-required' : 'nothing'
}

/**
 * Ends the session that an ID token names; one that has ended stays as it is.
 * @param session of a token that this service signed
 */
export async function endSession(
  { prisma }: Database,
  { sessionId, userId, siteId }: BearerSession,
): Promise<void> {
  await prisma.$executeRaw`
    UPDATE sessions AS s SET revoked_at = now()
    WHERE s.id = ${sessionId}::uuid AND s.user_id = ${userId}::uuid AND s.site_id = ${siteId} AND ${living}`
}
