import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { IdTokenAlg } from '../keys/material.ts'
import type { SigningKeys } from '../keys/ring.ts'
import type { PersonalFields } from '../sessions/session.ts'
import { InvalidToken, kidOf, Uuid } from '../tokens/verify-token.ts'
import { standardClaims } from '../users/scope.ts'

/** What an ID token says of a login. */
export interface IdTokenSubject {
  readonly userId: string
  readonly siteId: string
  readonly sessionId: string
  readonly scope: string
  readonly person: PersonalFields
  /** The client's own, as it came. */
  readonly nonce?: string
  /** Milliseconds since the epoch: when the person came back to us, because the provider's authentication is ours. */
  readonly authenticatedAt: number
  readonly accessToken: string
  /** Seconds. */
  readonly life: number
}

/**
 * A signed ID token (OpenID Connect Core §2). There is no `amr`, as no provider proves how it authenticated a person.
 * @param alg the site's
 */
export async function issueIdToken(
  keys: SigningKeys,
  alg: IdTokenAlg,
  { userId, siteId, sessionId, scope, person, nonce, authenticatedAt, accessToken, life }: IdTokenSubject,
): Promise<string> {
  const iat = Math.floor(keys.now() / 1000)
  return await keys.activeId(alg).sign({
    iss: keys.issuer,
    sub: userId,
    aud: siteId,
    iat,
    exp: iat + life,
    // The database's clock gives `iat`, this process's the other: nobody may seem to log in after the token.
    auth_time: Math.min(iat, Math.floor(authenticatedAt / 1000)),
    ...(nonce !== undefined && { nonce }),
    at_hash: accessTokenHash(alg, accessToken),
    sid: sessionId,
    ...standardClaims(scope, person),
  })
}

/** The left half of the hash that belongs to the algorithm (§3.1.3.6); for Ed25519 that is SHA-512, as clients have it. */
function accessTokenHash(alg: IdTokenAlg, accessToken: string): string {
  const hash = createHash(alg === 'EdDSA' ? 'sha512' : 'sha256')
    .update(accessToken)
    .digest()
  return hash.subarray(0, hash.length / 2).toString('base64url')
}

const Hint = Compile(Type.Object({ iss: Type.String(), aud: Type.String(), sub: Uuid, sid: Uuid }))

/** The login that an ID token was issued for. */
export interface HintedSession {
  readonly siteId: string
  readonly userId: string
  readonly sessionId: string
}

/**
 * The session of an `id_token_hint`. An expired token is as good as another (RP-Initiated Logout 1.0 §4).
 * @throws {InvalidToken} for a token that this service did not issue
 */
export async function readIdTokenHint(keys: SigningKeys, token: string): Promise<HintedSession> {
  const key = keys.findId(kidOf(token))
  if (key === undefined) throw new InvalidToken('unknown-key')
  const claims = await key.verify(token)
  if (claims === undefined) throw new InvalidToken('signature')
  if (!Hint.Check(claims) || claims.iss !== keys.issuer) throw new InvalidToken('claims')
  return { siteId: claims.aud, userId: claims.sub, sessionId: claims.sid }
}
