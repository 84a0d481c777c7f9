import type { SigningKeys } from '../keys/ring.ts'
import type { Database } from '../storage/postgres.ts'
import type { AccessClaims } from '../tokens/access-token.ts'
import { verifyAccessToken } from '../tokens/access-token.ts'
import { InvalidToken } from '../tokens/invalid-token.ts'
import type { RefreshClaims } from '../tokens/refresh-token.ts'
import { verifyRefreshToken } from '../tokens/refresh-token.ts'
import { sessionsWithOwners, usable } from './living.ts'

/** A verified token of either kind. */
export type AnyClaims =
  | { readonly kind: 'access'; readonly claims: AccessClaims }
  | { readonly kind: 'refresh'; readonly claims: RefreshClaims }

/** What the database knows of a token's session; undefined where it lives no more. */
export interface LivingSession {
  readonly userId: string
  readonly siteId: string
  readonly generation: number
}

/** RFC 7662 §2.2. */
export type Introspection =
  | { readonly active: false }
  | {
      readonly active: true
      readonly client_id: string
      /** The user. */
      readonly sub: string
      /** Of an access token alone. */
      readonly token_type?: 'Bearer'
      readonly iss: string
      /** A list of one too, so that a typed client needs one type for it. */
      readonly aud: string[]
      readonly iat: number
      readonly exp: number
      readonly jti: string
      readonly sid: string
    }

/** Either kind of token of ours; for anything else what is wrong with it. */
export function readToken(keys: SigningKeys, token: string): AnyClaims | InvalidToken {
  const refresh = claimsOrFlaw(() => ({ kind: 'refresh', claims: verifyRefreshToken(keys, token) }))
  // A key is of one kind, so that only one of the two can have found it.
  if (!(refresh instanceof InvalidToken) || refresh.flaw !== 'unknown-key') return refresh
  return claimsOrFlaw(() => ({ kind: 'access', claims: verifyAccessToken(keys, token) }))
}

/**
 * Whether a token is good at this moment, as one site may know it: another site's is inactive, and so is a
 * superseded generation, also within the grace (asking must not tell a thief what still works). It only reads.
 * @param known as readToken gives it
 * @param siteId the site that asks, by its credentials
 */
export async function introspect(
  database: Database,
  known: AnyClaims,
  siteId: string,
): Promise<Introspection> {
  if (known.claims.client_id !== siteId) return { active: false }
  return decide(known, await livingSession(database, known.claims.sid), siteId)
}

/** The decision alone. */
export function decide(token: AnyClaims, session: LivingSession | undefined, siteId: string): Introspection {
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
  }
}

async function livingSession(database: Database, sessionId: string): Promise<LivingSession | undefined> {
  const rows = await database.prisma.$queryRaw<{ user_id: string; site_id: string; generation: number }[]>`
    SELECT s.user_id, s.site_id, s.generation
    FROM ${sessionsWithOwners}
    WHERE s.id = ${sessionId}::uuid AND ${usable}`
  const [row] = rows
  return row && { userId: row.user_id, siteId: row.site_id, generation: row.generation }
}

function claimsOrFlaw(read: () => AnyClaims): AnyClaims | InvalidToken {
  try {
    return read()
  } catch (error) {
    if (error instanceof InvalidToken) return error
    throw error
  }
}
