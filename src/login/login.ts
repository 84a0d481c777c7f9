import { hash } from 'node:crypto'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { randomText } from './random.ts'

/** A new state: 256 random bits in base64url. It names a login and, with the code, is its only credential (RFC 9700 §4.7). */
export function newState(): string {
  return randomText(32)
}

/** Whether a string has the form of a state; any other string is unknown without asking the store. */
export function isState(value: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(value)
}

/** SHA-256: what names a login outside the request that carries its state (a session's `login_hash`). */
export function loginHash(state: string): Buffer {
  return hash('sha256', state, 'buffer')
}

/** Names a login in logs and in the history: a digest of the digest under which it is stored, good for nothing else. */
export function loginId(state: string): string {
  return hash('sha256', loginHash(state), 'hex').slice(0, 20)
}

/** SHA-256 in base64url: of a code, to compare it; of a verifier, its S256 challenge (RFC 7636 §4.2). */
export function digest(value: string): string {
  return hash('sha256', value, 'base64url')
}

/** What a site is told when the provider sends no code (RFC 6749 §4.1.2.1). */
export const CallbackError = Type.Union([
  Type.Literal('access_denied'),
  Type.Literal('temporarily_unavailable'),
  Type.Literal('server_error'),
])
export type CallbackError = Static<typeof CallbackError>

/** What a login remembers of the authorization request of a standard client (OpenID Connect Core §3.1.2.1). */
export const OpenidRequest = Type.Object({
  /** The scope that is granted; may be empty. */
  scope: Type.String(),
  /** The client's own, which goes back to it; the login itself is named by a state of ours. */
  state: Type.Optional(Type.String()),
  nonce: Type.Optional(Type.String()),
  mode: Type.Union([Type.Literal('query'), Type.Literal('form_post')]),
})
export type OpenidRequest = Static<typeof OpenidRequest>

/**
 * What the start of a login fixes for good. Times are milliseconds since the epoch. The member names are those of the
 * records in Redis: replicas of another version read them, so they do not change.
 */
export const Login = Type.Object({
  provider: Type.String(),
  siteId: Type.String(),
  /** The registered URL, raw: the browser goes back to exactly this string. */
  redirectUrl: Type.String(),
  nonce: Type.String(),
  /** The service's own verifier towards the provider (RFC 7636); absent where PKCE is off for it. Never leaves the service. */
  codeVerifier: Type.Optional(Type.String()),
  /** The site's own challenge (S256), where the start brought one. */
  codeChallenge: Type.Optional(Type.String()),
  /** The account within the provider that the start asked for. */
  providerAccount: Type.Optional(Type.String()),
  /** The network that started it, for the limits; absent where a site authenticated at the start. */
  startedFrom: Type.Optional(Type.String()),
  startedAt: Type.Number(),
  /** Of the start; absent in logins that an older version started. */
  requestId: Type.Optional(Type.String()),
  /** The authorization response must arrive by then. */
  answerBy: Type.Number(),
  /** Marks a login that a standard client began: it is answered and finished as OpenID Connect has it, and in no other way. */
  openid: Type.Optional(OpenidRequest),
})
export type Login = Static<typeof Login>

/**
 * The provider's authorization response (RFC 6749 §4.1.2) as it is recorded: a code, or an error (§4.1.2.1). The code
 * itself is not stored, only its digest to compare. The member names are those of the records in Redis, as in Login.
 */
export const AuthorizationResponse = Type.Union([
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
     * against it. Absent in responses that an older version recorded.
     */
    from: Type.Optional(Type.String()),
  }),
  Type.Object({ kind: Type.Literal('error'), error: CallbackError }),
])
export type AuthorizationResponse = Static<typeof AuthorizationResponse>
