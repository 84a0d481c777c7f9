import type { Database } from '../storage/postgres.ts'
import type { AnyClaims } from './introspect.ts'
import { living } from './living.ts'

/**
 * Ends the session of a token (RFC 7009 §2.1): of a refresh token in any generation, or of an access token.
 * Another site's, and one that has ended already, changes nothing, and the caller is not told.
 * @param known as readToken gives it
 * @param proved the site that proved itself by its secret, or null
 * @returns `secret-required` where the token's site demands its secret and none came: nothing was changed
 */
export async function revokeToken(
  database: Database,
  known: AnyClaims,
  proved: string | null,
): Promise<'ended' | 'nothing' | 'secret-required'> {
  const { sid } = known.claims
  const ended = await database.prisma.$queryRaw<unknown[]>`
    UPDATE sessions AS s SET revoked_at = now() FROM sites AS c
    WHERE s.id = ${sid}::uuid AND c.id = s.site_id AND ${living}
      AND (s.site_id = ${proved}::text OR (${proved}::text IS NULL AND NOT c.require_secret))
    RETURNING s.id`
  if (ended.length > 0) return 'ended'
  if (proved !== null) return 'nothing'
  const demanding = await database.prisma.$queryRaw<unknown[]>`
    SELECT FROM sessions AS s JOIN sites AS c ON c.id = s.site_id
    WHERE s.id = ${sid}::uuid AND c.require_secret`
  return demanding.length > 0 ? 'secret-required' : 'nothing'
}
