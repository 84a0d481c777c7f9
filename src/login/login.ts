import type { Static } from 'typebox'
import { Type } from 'typebox'

/** What a site is told when the provider sends no code (RFC 6749 §4.1.2.1). */
export const CallbackError = Type.Union([
  Type.Literal('access_denied'),
  Type.Literal('temporarily_unavailable'),
  Type.Literal('server_error'),
])
export type CallbackError = Static<typeof CallbackError>

/** What the start of a login fixes for good. Times are milliseconds since the epoch. */
export const Login = Type.Object({
  provider: Type.String(),
  siteId: Type.String(),
  /** The registered URL, raw: the browser goes back to exactly this string. */
  redirectUrl: Type.String(),
  nonce: Type.String(),
  /** Ours, for the provider (RFC 7636); absent where PKCE is off for it. Never leaves the service. */
  codeVerifier: Type.Optional(Type.String()),
  /** The caller's own binding (S256), where the start brought one. */
  codeChallenge: Type.Optional(Type.String()),
  /** The network that started it, for the limits; absent where a site proved itself at the start. */
  startedFrom: Type.Optional(Type.String()),
  startedAt: Type.Number(),
  /** Of the start; absent in logins that an older version started. */
  requestId: Type.Optional(Type.String()),
  /** The provider must have sent the person back by then. */
  answerBy: Type.Number(),
})
export type Login = Static<typeof Login>

/** What came back at the callback. The code itself is not kept: only its digest is, to compare. */
export const Answer = Type.Union([
  Type.Object({
    kind: Type.Literal('code'),
    /** SHA-256 of the code, base64url. */
    codeDigest: Type.String(),
    /** The callback parameters that this provider's exchange needs. */
    kept: Type.Record(Type.String(), Type.String()),
    /** The login must be finished by then. */
    finishBy: Type.Number(),
    /**
     * SHA-256 of the network whose browser brought the code, base64url: codes that the provider rejects are counted
     * against it. Absent in answers that an older version took.
     */
    from: Type.Optional(Type.String()),
  }),
  Type.Object({ kind: Type.Literal('error'), error: CallbackError }),
])
export type Answer = Static<typeof Answer>
