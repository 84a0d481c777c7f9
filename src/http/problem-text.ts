/** What is said about one problem, in one language; whole sentences, plain text. */
export interface ProblemText {
  /** Short, without a full stop: RFC 9457 §3.1.3. */
  readonly title: string
  /**
   * One or two sentences for a site's administrator, saying what to do. `{name}` stands for a value of the
   * case at hand; a part in square brackets is left out where a value in it is missing. The English one
   * becomes `error_description`, so all English texts keep to its characters (RFC 6749 §5.2).
   */
  readonly detail: string
  /**
   * One sentence that a site may show to its visitor: what happened and what to do now, without a word that only
   * developers know. Its placeholders are `{providerTitle}` and `{domain}`, each in a part that may be left out.
   */
  readonly userMessage: string
  /** For the page of the problem: how it comes about. */
  readonly cause: string
  /** For the page of the problem: what to check or change, and whether to repeat, start again or call the operator. */
  readonly remedy: string
}

/** In what a redirect URL differs from the registered one that is nearest to it. */
export type RedirectDifference = 'scheme' | 'port' | 'case' | 'trailing-slash' | 'path' | 'query'

/** Which rule a parameter broke. */
export type ParameterRule =
  | 'string'
  | 'not-empty'
  | 'too-long'
  | 's256'
  | 'format'
  | 'select_account'
  | 'ip'
  | 'unknown'
  | 'not-as-in-basic'
  | 'file'
  | 'beside-code'

/** Where a required parameter had to be. */
export type ParameterPlace = 'body' | 'callback'

/** What came in place of the code that a login was answered by. */
export type ComeInstead = 'other-code' | 'late-error'

/** The likely reason why a required parameter did not come. */
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

/** The values that a placeholder names by a code, in the words of one language; other values stand as they are. */
export interface ProblemWords {
  readonly difference: Readonly<Record<RedirectDifference, string>>
  readonly rule: Readonly<Record<ParameterRule, string>>
  readonly hint: Readonly<Record<ParameterHint, string>>
  readonly where: Readonly<Record<ParameterPlace, string>>
  readonly came: Readonly<Record<ComeInstead, string>>
  readonly who: Readonly<Record<LimitedCaller, string>>
}
