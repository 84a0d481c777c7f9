import type { Static } from 'typebox'
import { Type } from 'typebox'
import type { Database } from '../storage/postgres.ts'
import type { VerifiedToken } from '../tokens/token-pair.ts'
import { sessionsWithOwners, usable } from './living.ts'

/** The response of an introspection (RFC 7662 §2.2); an inactive token has no other member. */
export const Introspection = Type.Object(
  {
    active: Type.Boolean(),
    client_id: Type.Optional(Type.String()),
    sub: Type.Optional(Type.String({ description: 'The user' })),
    token_type: Type.Optional(Type.String({ description: 'Of an access token alone' })),
    iss: Type.Optional(Type.String()),
    aud: Type.Optional(
      Type.Array(Type.String(), { description: 'Always a list here, of one for a refresh token' }),
    ),
    iat: Type.Optional(Type.Integer()),
    exp: Type.Optional(Type.Integer()),
    jti: Type.Optional(Type.String()),
    sid: Type.Optional(Type.String({ description: 'The session' })),
    scope: Type.Optional(Type.String({ description: 'Of a login that began at the authorization endpoint' })),
  },
  { $id: 'Introspection', examples: [{ active: false }] },
)
export type Introspection = Static<typeof Introspection>

/** What the database knows of a token's session. */
interface LivingSession {
  readonly userId: string
  readonly siteId: string
  readonly generation: number
  readonly scope: string | null
}

/**
 * Whether a token is good at this moment, as one site may know it: another site's is inactive, and so is a
 * superseded generation, even within the grace (asking must not tell a thief what still works). It only reads.
 * @param siteId the site that asks, by its credentials
 */
export async function introspect(
  database: Database,
  token: VerifiedToken,
  siteId: string,
): Promise<Introspection> {
  if (token.claims.client_id !== siteId) return { active: false }
  return decide(token, await livingSession(database, token.claims.sid), siteId)
}

/**
 * The decision alone.
 * @param session undefined where it lives no more
 */
function decide(token: VerifiedToken, session: LivingSession | undefined, siteId: string): Introspection {
  const { claims } = token
  if (session === undefined || session.siteId !== siteId || claims.client_id !== siteId)
    return { active: false }
  if (token.kind === 'refresh' && token.claims.gen !== session.generation) return { active: false }
  if (token.kind === 'access' && token.claims.sub !== session.userId) return { active: false }
  return {
    active: true,
    client_id: claims.client_id,
    sub: session.userId,
    ...(token.kind === 'access' && { token_type: 'Bearer' }),
    iss: claims.iss,
    aud: [claims.aud].flat(),
    iat: claims.iat,
    exp: claims.exp,
    jti: claims.jti,
    sid: claims.sid,
    ...(session.scope !== null && { scope: session.scope }),
  }
}

async function livingSession(database: Database, sessionId: string): Promise<LivingSession | undefined> {
  const [row] = await database.prisma.$queryRaw<LivingSession[]>`
    SELECT s.user_id AS "userId", s.site_id AS "siteId", s.generation, s.scope
    FROM ${sessionsWithOwners}
    WHERE s.id = ${sessionId}::uuid AND ${usable}`
  return row
}
