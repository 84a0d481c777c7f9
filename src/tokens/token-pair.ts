import type { Static } from 'typebox'
import { Type } from 'typebox'
import type { SigningKeys } from '../keys/ring.ts'
import type { AccessClaims, BearerSession, ScopedSession } from './access-token.ts'
import { issueAccessToken, verifyAccessToken } from './access-token.ts'
import type { RefreshClaims, RefreshSubject } from './refresh-token.ts'
import { issueRefreshToken, verifyRefreshToken } from './refresh-token.ts'
import { kidOf } from './verify-token.ts'

/** The token response of a finish and of a refresh (RFC 6749 §5.1). */
export const TokenPair = Type.Object(
  {
    access_token: Type.String({
      description:
        'JWT (RFC 9068): verify it offline by /.well-known/jwks.json, `aud` must hold your site id',
    }),
    refresh_token: Type.String({
      description: 'Good for one refresh; keep it secret, it is yours alone to use',
    }),
    token_type: Type.Literal('Bearer'),
    expires_in: Type.Integer({ minimum: 1, description: 'Life of the access token (seconds)' }),
    scope: Type.Optional(
      Type.String({
        description: 'The granted scope; only for logins that began at the authorization endpoint',
      }),
    ),
  },
  {
    $id: 'TokenPair',
    description: 'Access and refresh token',
    examples: [
      {
        access_token: 'eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6IjFhMmIzYyJ9.eyJpc3MiOiJodHRw….k3Vf…',
        refresh_token: 'eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCIsImtpZCI6IjRkNWU2ZiJ9.eyJpc3MiOiJodHRw….Qz1t…',
        token_type: 'Bearer',
        expires_in: 900,
      },
    ],
  },
)
export type TokenPair = Static<typeof TokenPair>

/**
 * Signs both tokens for a generation of a session. The access token does not outlive the session.
 * @param session as the database returned it
 */
export function issueTokenPair(
  keys: SigningKeys,
  session: BearerSession & RefreshSubject & ScopedSession,
): TokenPair {
  const left = Math.ceil((session.expiresAt.getTime() - keys.now()) / 1000)
  const life = Math.max(1, Math.min(keys.accessTokenTtl, left))
  return {
    access_token: issueAccessToken(keys, session, life),
    refresh_token: issueRefreshToken(keys, session),
    token_type: 'Bearer',
    expires_in: life,
    ...(typeof session.scope === 'string' && { scope: session.scope }),
  }
}

/** A verified token of either kind. */
export type VerifiedToken =
  | { readonly kind: 'access'; readonly claims: AccessClaims }
  | { readonly kind: 'refresh'; readonly claims: RefreshClaims }

/**
 * Verifies a token of unknown kind. A signing key is of one kind, so the `kid` of the header tells which it is.
 * @throws {InvalidToken} whatever is wrong, and nothing else
 */
export function verifyEitherToken(keys: SigningKeys, token: string): VerifiedToken {
  const kid = kidOf(token)
  return keys.find('refresh', kid) === undefined
    ? { kind: 'access', claims: verifyAccessToken(keys, token, kid) }
    : { kind: 'refresh', claims: verifyRefreshToken(keys, token, kid) }
}
