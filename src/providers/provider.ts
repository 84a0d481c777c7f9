import type { Mark } from './mark.ts'

/** The authorization request of a login (RFC 6749 §4.1.1, RFC 7636 §4.3). */
export interface AuthorizationRequest {
  readonly state: string
  /** The service's callback for this provider, the same at both of its endpoints (RFC 6749 §4.1.3). */
  readonly redirectUri: string
  readonly nonce: string
  /** S256 of the verifier, which stays in the service until the token request. Absent if PKCE is off for this provider. */
  readonly codeChallenge?: string
  readonly loginHint?: string
  /** What the site wishes to be asked of the person (OpenID Connect Core §3.1.2.1): each provider does what it can. */
  readonly prompt?: 'select_account' | 'login' | 'consent'
  /** Seconds since the person last logged in there, at most, as a decimal number; only for providers that know it. */
  readonly maxAge?: string
  /** Which kind of account within a provider; a provider that has no such kind ignores it. */
  readonly providerAccount?: string
}

/** What a token request needs (RFC 6749 §4.1.3). */
export interface AuthorizationGrant {
  readonly code: string
  /** That of the authorization request. */
  readonly state: string
  readonly redirectUri: string
  readonly nonce: string
  readonly codeVerifier?: string
  /** The callback parameters named in `ProviderAdapter.callbackParameters`, as they came. */
  readonly callbackParameters: Readonly<Record<string, string>>
  /** Called when the code has been exchanged for tokens. */
  readonly onExchanged?: () => void
}

/**
 * A normalised profile. A provider's own JSON never leaves its adapter. Of name, login and email, null means that the
 * provider knows none, which erases what is stored; undefined that it did not tell this time, which keeps it.
 */
export interface ProviderProfile {
  /** 1 to 255 characters exactly as sent: never a rounded number, never an email. */
  readonly subject: string
  readonly name: string | null | undefined
  readonly login: string | null | undefined
  readonly email: string | null | undefined
  /** null if the provider does not say, or told no email. */
  readonly emailVerified: boolean | null
}

/** What a provider can tell of a person; another one may still have no email or name there. */
export type ProfileField = 'name' | 'login' | 'email'

/** Whether the exchange can do without a callback parameter: where a required one is missing, the login has failed. */
export type CallbackParameterNeed = 'required' | 'optional'

/**
 * One OAuth provider as the login flow sees it. These members hide everything that differs between providers; the login
 * flow has no branch on a provider's name.
 */
export interface ProviderAdapter {
  /** The value of `provider` in every request: 'yandex'. */
  readonly name: string
  readonly title: { readonly ru: string; readonly en: string }
  /** Its sign for a button; absent for a provider of the operator's own configuration. */
  readonly mark?: Mark
  /** The law that applies to its owner: Russian sites may have to avoid foreign-owned providers (149-FZ art. 8). */
  readonly jurisdiction: 'ru' | 'other'
  /** POST if the provider sends its authorization response by `form_post`. */
  readonly callbackMethod: 'GET' | 'POST'
  /** What it can tell of a person. */
  readonly gives: readonly ProfileField[]
  /** Further callback parameters that the exchange uses, by name (VK ID: `device_id`, required). */
  readonly callbackParameters: Readonly<Record<string, CallbackParameterNeed>>
  /** Whether the value of such a parameter can be used. One that cannot counts as missing; absent: every value can. */
  readonly isUsableParameter?: (name: string, value: string) => boolean
  /** Values of `error` at the callback that mean `access_denied`, beside that one. */
  readonly denials: readonly string[]
  /** RFC 9207: if the callback has an `iss`, it must equal this value. */
  readonly issuer?: string
  /** Whether the callback must have an `iss`, as the provider's metadata may say (RFC 9207 §3); not where absent. */
  readonly requiresIssuer?: () => boolean
  /** False if the operator switched PKCE off because the registered application does not support it. */
  readonly pkce: boolean
  authorizeUrl(request: AuthorizationRequest): URL | Promise<URL>
  /**
   * Exchanges the code for tokens and requests the profile. The provider's tokens never leave the adapter.
   * @throws {ProviderFailure} and nothing else
   */
  identify(grant: AuthorizationGrant, signal: AbortSignal): Promise<ProviderProfile>
}

/**
 * `invalid_grant`: the code is wrong, used or expired. `rate_limited`: 429. `unavailable`: no connection, or 5xx.
 * `timeout`: no response in time. `invalid_response`: a response that an OAuth client must not accept. `misconfigured`: the
 * provider rejects the credentials or settings of this service.
 */
export type ProviderFailureKind =
  | 'invalid_grant'
  | 'rate_limited'
  | 'unavailable'
  | 'timeout'
  | 'invalid_response'
  | 'misconfigured'

/** The only error that leaves an adapter. Its message is for the log and contains no code, token or secret. */
export class ProviderFailure extends Error {
  override readonly name = 'ProviderFailure'
  readonly kind: ProviderFailureKind
  /** True only if the provider cannot have consumed the code, so that the login may be finished again. */
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
