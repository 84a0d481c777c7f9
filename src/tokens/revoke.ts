import type { Database } from '../storage/postgres.ts'
import { readToken } from './introspect.ts'
import type { SigningKeys } from './signing-keys.ts'

/**
 * Ends the session of a token (RFC 7009 §2.1): of a refresh token in any generation, or of an access token.
 * What is not ours, another site's, expired or ended already changes nothing, and the caller is not told.
 * @param proved the site that proved itself by its secret, or null
 * @returns `secret-required` where the token's site demands its secret and none came: nothing was changed
 */
export async function revokeToken(
  database: Database,
  keys: SigningKeys,
  token: string,
  proved: string | null,
): Promise<'ended' | 'nothing' | 'secret-required'> {
  const known = readToken(keys, token)
  if (known === undefined) return 'nothing'
  const { sid } = known.claims
  const ended = await database.prisma.$queryRaw<unknown[]>`
    UPDATE sessions AS s SET revoked_at = now() FROM sites AS c
    WHERE s.id = ${sid}::uuid AND c.id = s.site_id AND s.revoked_at IS NULL AND s.expires_at > now()
      AND (s.site_id = ${proved}::text OR (${proved}::text IS NULL AND NOT c.require_secret))
    RETURNING s.id`
  if (ended.length > 0) return 'ended'
  if (proved !== null) return 'nothing'
  const demanding = await database.prisma.$queryRaw<unknown[]>`
    SELECT FROM sessions AS s JOIN sites AS c ON c.id = s.site_id
    WHERE s.id = ${sid}::uuid AND c.require_secret`
  return demanding.length > 0 ? 'secret-required' : 'nothing'
}
