/** What a login asks of a provider's authorization endpoint (RFC 6749 §4.1.1, RFC 7636 §4.3). */
export interface AuthorizationRequest {
  readonly state: string
  /** Our own callback at this provider, the same at both of its endpoints (RFC 6749 §4.1.3). */
  readonly redirectUri: string
  readonly nonce: string
  /** S256 of the verifier that never leaves the service; absent where PKCE is off for this provider. */
  readonly codeChallenge?: string
  readonly loginHint?: string
  readonly prompt?: 'select_account'
}

/** What a finish hands to the provider's token endpoint. */
export interface AuthorizationGrant {
  readonly code: string
  readonly redirectUri: string
  readonly nonce: string
  readonly codeVerifier?: string
  /** The callback parameters named in `keeps`, as they came. */
  readonly kept: Readonly<Record<string, string>>
  /** Hears that the code was traded for tokens. */
  readonly onExchanged?: () => void
}

/** A person, normalised at the border: nothing of a provider's own JSON goes further. */
export interface ProviderProfile {
  /** 1 to 255 characters as sent; never a rounded number, never an email. */
  readonly subject: string
  readonly name: string | null
  readonly login: string | null
  readonly email: string | null
  /** null: the provider does not say. */
  readonly emailVerified: boolean | null
}

/** Whether the exchange can do without a callback parameter: where a required one is missing, the login has failed. */
export type KeptParameter = 'required' | 'optional'

/**
 * One OAuth provider as the login flow sees it. Everything that differs between providers is behind these
 * members; the flow has no branch on a provider's name.
 */
export interface ProviderAdapter {
  /** The value of `provider` in every request: 'yandex'. */
  readonly name: string
  readonly title: { readonly ru: string; readonly en: string }
  /** Whose law its owner is under: Russian sites may have to do without foreign-owned providers (149-FZ art. 8). */
  readonly jurisdiction: 'ru' | 'other'
  /** POST where the provider answers by `form_post`. */
  readonly callbackMethod: 'GET' | 'POST'
  /** Further callback parameters that the exchange uses, by name (VK ID: `device_id`, required). */
  readonly keeps: Readonly<Record<string, KeptParameter>>
  /** RFC 9207: `iss`, if it comes, must equal it. */
  readonly issuer?: string
  /** False where the operator switched PKCE off for an application that refuses it. */
  readonly pkce: boolean
  authorizeUrl(request: AuthorizationRequest): URL | Promise<URL>
  /**
   * Code → tokens → profile; the provider's tokens never leave it.
   * @throws {ProviderFailure} and nothing else.
   */
  identify(grant: AuthorizationGrant, signal: AbortSignal): Promise<ProviderProfile>
}

/**
 * `invalid_grant`: the code is wrong, used or expired. `rate_limited`: 429. `unavailable`: no connection, or
 * 5xx. `timeout`: no answer within its time. `invalid_response`: an answer that no OAuth client may accept.
 * `misconfigured`: the provider refuses our own credentials or settings.
 */
export type ProviderFailureKind =
  | 'invalid_grant'
  | 'rate_limited'
  | 'unavailable'
  | 'timeout'
  | 'invalid_response'
  | 'misconfigured'

/** The only error that leaves an adapter. Its message is for the log: no code, token or secret in it. */
export class ProviderFailure extends Error {
  override readonly name = 'ProviderFailure'
  readonly kind: ProviderFailureKind
  /** True only if the provider cannot have used the code: the login may then be finished again. */
  readonly codeUnspent: boolean
  /**
   * True where the token endpoint refused this very request, in whatever words: such refusals are counted against whoever
   * brought the code. A fault of the provider's, a 429 and a refusal of our own settings are none.
   */
  readonly codeRefused: boolean
  /** Seconds, 1 to 60. */
  readonly retryAfter?: number

  constructor(
    kind: ProviderFailureKind,
    message: string,
    options: { codeUnspent?: boolean; codeRefused?: boolean; retryAfter?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.kind = kind
    this.codeUnspent = options.codeUnspent ?? false
    this.codeRefused = options.codeRefused ?? kind === 'invalid_grant'
    if (options.retryAfter !== undefined) this.retryAfter = options.retryAfter
  }
}
