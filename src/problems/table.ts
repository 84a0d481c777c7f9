/** A row: the HTTP status, and the `error` of RFC 6749 §5.2 (or 6750, 7009) that OAuth endpoints add. */
interface ProblemRow {
  readonly status: number
  readonly error: string
}

const row = (status: number, error: string): ProblemRow => ({ status, error })

/**
 * Every problem that a caller can meet, by name. Its texts are in en.ts and ru.ts, and its page is served at
 * /problems/NAME.
 */
export const problems = {
  // The request itself
  'malformed-request': row(400, 'invalid_request'),
  'missing-parameter': row(400, 'invalid_request'),
  'invalid-parameter': row(400, 'invalid_request'),
  'repeated-parameter': row(400, 'invalid_request'),
  'misnamed-parameter': row(400, 'invalid_request'),
  'unsupported-media-type': row(415, 'invalid_request'),
  'body-too-large': row(413, 'invalid_request'),
  'headers-too-large': row(431, 'invalid_request'),
  'expectation-failed': row(417, 'invalid_request'),
  'request-timeout': row(408, 'invalid_request'),
  'not-found': row(404, 'invalid_request'),
  'method-not-allowed': row(405, 'invalid_request'),
  'rate-limited': row(429, 'temporarily_unavailable'),
  'internal-error': row(500, 'server_error'),
  'dependency-unavailable': row(503, 'temporarily_unavailable'),

  // Who calls
  'secret-required': row(401, 'invalid_client'),
  'wrong-credentials': row(401, 'invalid_client'),
  'secret-not-accepted': row(401, 'invalid_client'),
  'site-disabled': row(400, 'unauthorized_client'),
  'provider-not-allowed': row(400, 'unauthorized_client'),

  // Start
  'unknown-provider': row(400, 'invalid_request'),
  'redirect-url-unknown': row(400, 'invalid_request'),
  'redirect-url-differs': row(400, 'invalid_request'),

  'client-unknown': row(400, 'unauthorized_client'),

  // Callback and finish: the state of the login
  'unknown-login': row(400, 'invalid_grant'),
  'login-expired': row(400, 'invalid_grant'),
  'login-unanswered': row(400, 'invalid_grant'),
  'login-in-progress': row(409, 'temporarily_unavailable'),
  'login-completed': row(400, 'invalid_grant'),
  'login-lost': row(400, 'invalid_grant'),
  'login-incomplete': row(503, 'temporarily_unavailable'),
  'provider-mismatch': row(400, 'invalid_grant'),
  'site-mismatch': row(400, 'invalid_grant'),
  'code-mismatch': row(400, 'invalid_grant'),
  'code-used': row(400, 'invalid_grant'),
  'other-door': row(400, 'invalid_grant'),
  'redirect-url-mismatch': row(400, 'invalid_grant'),
  'verifier-missing': row(400, 'invalid_grant'),
  'verifier-unexpected': row(400, 'invalid_grant'),
  'verifier-mismatch': row(400, 'invalid_grant'),
  'issuer-mismatch': row(400, 'invalid_request'),
  'access-denied': row(400, 'access_denied'),
  'provider-declined': row(400, 'server_error'),
  'user-disabled': row(400, 'access_denied'),

  // The provider, behind finish
  'code-rejected': row(400, 'invalid_grant'),
  'provider-unavailable': row(503, 'temporarily_unavailable'),
  'provider-error': row(502, 'server_error'),
  'provider-timeout': row(504, 'server_error'),
  'provider-invalid-response': row(502, 'server_error'),
  'provider-misconfigured': row(502, 'server_error'),

  // Our own tokens
  'token-missing': row(401, 'invalid_request'),
  'token-invalid': row(401, 'invalid_token'),
  'refresh-token-invalid': row(400, 'invalid_grant'),
  'refresh-token-reused': row(400, 'invalid_grant'),
  'session-ended': row(400, 'invalid_grant'),
  'session-not-found': row(404, 'invalid_request'),
  'unsupported-grant-type': row(400, 'unsupported_grant_type'),

  // Logout by OpenID Connect
  'logout-hint-invalid': row(400, 'invalid_request'),
  'logout-url-unknown': row(400, 'invalid_request'),

  // The admin API
  'admin-token-required': row(401, 'invalid_token'),
  'site-invalid': row(400, 'invalid_request'),
  'site-conflict': row(409, 'invalid_request'),
  'site-not-found': row(404, 'invalid_request'),
  'user-not-found': row(404, 'invalid_request'),
} as const satisfies Record<string, ProblemRow>

/** The last part of a problem's type. */
export type ProblemName = keyof typeof problems

/** The `type` of a problem: a URN, which is the same in every deployment. */
export const problemType = <Name extends string>(name: Name) => `urn:auth-movies:problem:${name}` as const

/** Whether the table has a row of this name. */
export const isProblemName = (name: string): name is ProblemName => Object.hasOwn(problems, name)

/** All of them, in the order of the table. */
export const problemNames: readonly ProblemName[] = Object.keys(problems).filter(isProblemName)

/** The texts about one problem in one language: whole sentences, plain text. */
export interface ProblemText {
  /** Short, without a full stop: RFC 9457 §3.1.3. */
  readonly title: string
  /**
   * One or two sentences that tell a site's administrator what to do. `{name}` is replaced by a value of the
   * case at hand; a part in square brackets is left out where a value in it is missing. The English detail is also the
   * `error_description`, so all English texts use only its characters (RFC 6749 §5.2).
   */
  readonly detail: string
  /**
   * One sentence that a site may show to its visitor: what happened and what to do now, without technical terms.
   * Its placeholders are `{providerTitle}` and `{domain}`, each in a part in square brackets.
   */
  readonly userMessage: string
  /** For the page of the problem: what causes it. */
  readonly cause: string
  /** For the page of the problem: what to check or change, and whether to repeat, start again or call the operator. */
  readonly remedy: string
}

/** The part in which a redirect URL differs from the most similar registered one. */
export type RedirectDifference = 'scheme' | 'port' | 'case' | 'trailing-slash' | 'path' | 'query'

/** Which rule a parameter broke. */
export type ParameterRule =
  | 'string'
  | 'not-empty'
  | 'too-long'
  | 's256'
  | 'format'
  | 'select_account'
  | 'response-type'
  | 'response-mode'
  | 'not-supported'
  | 'no-session'
  | 'ip'
  | 'unknown'
  | 'not-as-in-basic'
  | 'file'
  | 'beside-code'

/** Where a required parameter was expected. */
export type ParameterPlace = 'body' | 'callback'

/** What came after the code of a login was recorded. */
export type ComeInstead = 'other-code' | 'late-error'

/** The likely reason why a required parameter is missing. */
export type ParameterHint = 'entity' | 'encoded' | 'separator' | 'json'

/** Whose requests a rate limit counted. */
export type LimitedCaller =
  | 'site-and-address'
  | 'site'
  | 'site-and-visitor'
  | 'session'
  | 'invalid-tokens'
  | 'address'
  | 'unknown-states'
  | 'failed-finishes'
  | 'wrong-secrets'
  | 'rejected-codes'
  | 'wrong-admin-tokens'

/** The words of one language for those values of placeholders that are codes; other values are shown unchanged. */
export interface ProblemWords {
  readonly difference: Readonly<Record<RedirectDifference, string>>
  readonly rule: Readonly<Record<ParameterRule, string>>
  readonly hint: Readonly<Record<ParameterHint, string>>
  readonly where: Readonly<Record<ParameterPlace, string>>
  readonly came: Readonly<Record<ComeInstead, string>>
  readonly who: Readonly<Record<LimitedCaller, string>>
}
