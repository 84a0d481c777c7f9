import { randomUUID } from 'node:crypto'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { SigningKeys } from '../keys/ring.ts'
import { commonClaims, InvalidToken, kidOf, Uuid, verifyToken } from './verify-token.ts'

/** The claims of an access token (RFC 9068 §2.2); nothing about the person beyond the id. */
const AccessClaims = Type.Object({
  ...commonClaims,
  /** The user. */
  sub: Uuid,
  /** The site, which verifies offline, and this service itself, for `/me`. */
  aud: Type.Tuple([Type.String(), Type.String()]),
  /** The granted scope (RFC 9068 §2.2.3), where a standard client logged in; absent where the scope is everything. */
  scope: Type.Optional(Type.String()),
})

/** The claims of a verified access token. */
export type AccessClaims = Static<typeof AccessClaims>

/** ACCESS_TOKEN_TTL is an hour at most, src/config/variables.ts. */
const access = { kind: 'access', claims: Compile(AccessClaims), longestLife: 3600 } as const

/** The session, user and site that an access token names; its bearer acts for them. */
export interface BearerSession {
  readonly userId: string
  readonly siteId: string
  readonly sessionId: string
}

/** What a session lets its site know of the person; null: everything, as the guide's own requests have no scope. */
export interface ScopedSession {
  readonly scope?: string | null
}

/**
 * A signed access token, `typ` at+jwt.
 * @param life seconds; less than usual for a session that is about to end
 */
export function issueAccessToken(
  keys: SigningKeys,
  { userId, siteId, sessionId, scope }: BearerSession & ScopedSession,
  life = keys.accessTokenTtl,
): string {
  const iat = Math.floor(keys.now() / 1000)
  return keys.active('access').sign({
    iss: keys.issuer,
    sub: userId,
    aud: [siteId, keys.issuer],
    client_id: siteId,
    iat,
    exp: iat + life,
    jti: randomUUID(),
    sid: sessionId,
    ...(typeof scope === 'string' && { scope }),
  })
}

/**
 * The claims of an access token of this service that is good now. Whether its session still lives, only the database
 * knows.
 * @param kid of its header, where the caller has read it already
 * @throws {InvalidToken} whatever is wrong, and nothing else
 */
export function verifyAccessToken(keys: SigningKeys, token: string, kid = kidOf(token)): AccessClaims {
  const claims = verifyToken(keys, token, kid, access)
  if (claims.aud[0] !== claims.client_id || claims.aud[1] !== keys.issuer) throw new InvalidToken('claims')
  return claims
}
