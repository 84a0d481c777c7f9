import { randomUUID } from 'node:crypto'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { SigningKeys } from '../keys/ring.ts'
import { commonClaims, kidOf, Uuid, verifyToken } from './verify-token.ts'

/** The claims of a refresh token. It names a session and a generation; the token itself is stored nowhere. */
const RefreshClaims = Type.Object({
  ...commonClaims,
  aud: Type.String(),
  /** The column is a PostgreSQL integer, and one more must fit. */
  gen: Type.Integer({ minimum: 0, maximum: 2_147_483_646 }),
  /** The user's row, by which a distributed database finds the session; absent in tokens of an older version. */
  uid: Type.Optional(Uuid),
})

/** The claims of a verified refresh token. */
export type RefreshClaims = Static<typeof RefreshClaims>

/** SESSION_MAX_AGE and REFRESH_TOKEN_TTL are two years at most, src/config/variables.ts; a second for rounding. */
const refresh = { kind: 'refresh', claims: Compile(RefreshClaims), longestLife: 63_072_001 } as const

/** The generation of a session that a refresh token names. */
export interface RefreshSubject {
  readonly sessionId: string
  readonly userId: string
  readonly siteId: string
  readonly generation: number
  /** The session ends then unless it is refreshed; never later than SESSION_MAX_AGE. */
  readonly expiresAt: Date
  /** The key that signs this generation's refresh token, as stored: revoking that key must end this session. */
  readonly refreshKid: string
}

/**
 * A signed refresh token, `typ` rt+jwt. HS256 makes it cheap to refuse junk, and no site can verify the token, so that
 * none can take it for a proof of identity.
 */
export function issueRefreshToken(keys: SigningKeys, session: RefreshSubject): string {
  const key = keys.find('refresh', session.refreshKid) ?? keys.active('refresh')
  return key.sign({
    iss: keys.issuer,
    aud: keys.issuer,
    sid: session.sessionId,
    uid: session.userId,
    gen: session.generation,
    client_id: session.siteId,
    iat: Math.floor(keys.now() / 1000),
    // Rounded up: within that second the row's own time decides.
    exp: Math.ceil(session.expiresAt.getTime() / 1000),
    jti: randomUUID(),
  })
}

/**
 * The claims of a refresh token of this service that is good now. Whether its session still lives, and which generation
 * is the current one, only the database knows.
 * @param kid of its header, where the caller has read it already
 * @throws {InvalidToken} whatever is wrong, and nothing else
 */
export function verifyRefreshToken(keys: SigningKeys, token: string, kid = kidOf(token)): RefreshClaims {
  return verifyToken(keys, token, kid, refresh)
}
