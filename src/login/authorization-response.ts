import type { Login } from './login.ts'
import { writeCode } from './opaque-code.ts'

/** What the callback tells the site: the provider's code, or an error of RFC 6749 §4.1.2.1 and `login_expired`. */
export type CallbackOutcome =
  | { readonly code: string }
  | { readonly error: string; readonly error_description: string }

/** An authorization response of this service to a site: where the browser brings it, and how. */
export interface AuthorizationAnswer {
  /** The registered URL, raw. */
  readonly url: string
  readonly parameters: Readonly<Record<string, string>>
  /** `form_post`: by a form that the browser posts (OAuth 2.0 Form Post Response Mode). */
  readonly mode: 'query' | 'form_post'
}

/**
 * The answer to the site of a login, as the door at which it began demands: the guide's own with `provider`, our state and
 * the provider's code, or a standard one with the site's own state, a code of ours and `iss` (RFC 9207).
 * @param issuer PUBLIC_URL
 */
export function answerOf(
  login: Login,
  state: string,
  outcome: CallbackOutcome,
  issuer: string,
): AuthorizationAnswer {
  const { redirectUrl: url, provider, openid } = login
  if (openid === undefined) return { url, parameters: { provider, state, ...outcome }, mode: 'query' }
  const result =
    'code' in outcome
      ? { code: writeCode({ state, provider, code: outcome.code }) }
      : { ...outcome, error: outcome.error === 'login_expired' ? 'access_denied' : outcome.error }
  return standardAnswer(url, openid, result, issuer)
}

/** The part of an OpenID Connect request that decides how it is answered. */
export interface AnswerStyle {
  readonly state?: string | undefined
  readonly mode: AuthorizationAnswer['mode']
}

/** A standard answer (RFC 6749 §4.1.2, RFC 9207 §2). */
export function standardAnswer(
  url: string,
  { state, mode }: AnswerStyle,
  result: Readonly<Record<string, string>>,
  issuer: string,
): AuthorizationAnswer {
  return { url, parameters: { ...result, ...(state !== undefined && { state }), iss: issuer }, mode }
}

/** Appends to the raw string, because the URL API would rewrite a query that the registered URL already has. */
export function appendQuery(url: string, parameters: Readonly<Record<string, string>>): string {
  const query = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
  const separator = url.includes('?') ? (/[?&]$/.test(url) ? '' : '&') : '?'
  return `${url}${separator}${query.join('&')}`
}
