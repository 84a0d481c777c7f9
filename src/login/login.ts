/** What the start of a login fixes for good. Times are milliseconds since the epoch. */
export interface Login {
  readonly provider: string
  readonly siteId: string
  /** The registered URL, raw: the browser goes back to exactly this string. */
  readonly redirectUrl: string
  readonly nonce: string
  /** Ours, for the provider (RFC 7636); absent where PKCE is off for it. Never leaves the service. */
  readonly codeVerifier?: string
  /** The caller's own binding (S256), where the start brought one. */
  readonly codeChallenge?: string
  readonly startedAt: number
  /** The provider must have sent the person back by then. */
  readonly answerBy: number
}

/** What came back at the callback. The code itself is not kept: only its digest is, to compare. */
export type Answer =
  | {
      readonly kind: 'code'
      /** SHA-256 of the code, base64url. */
      readonly codeDigest: string
      /** The callback parameters that this provider's exchange needs. */
      readonly kept: Readonly<Record<string, string>>
      /** The login must be finished by then. */
      readonly finishBy: number
    }
  | { readonly kind: 'error'; readonly error: CallbackError }

/** What a site is told when the provider sends no code (RFC 6749 §4.1.2.1). */
export type CallbackError = 'access_denied' | 'temporarily_unavailable' | 'server_error'
