import { finishWithin, rememberExpired } from '../deadlines.ts'
import { network } from '../http/client-ip.ts'
import type { RateLimits } from '../http/rate-limit.ts'
import type { LoginProgress } from '../login-history/progress.ts'
import { Problem } from '../problems/problem.ts'
import type { ProblemName } from '../problems/table.ts'
import type { ProviderAdapter } from '../providers/provider.ts'
import type { Sites } from '../sites/lookup.ts'
import { isRegistered } from '../sites/native-url.ts'
import type { AuthorizationAnswer, CallbackOutcome } from './authorization-response.ts'
import { answerOf } from './authorization-response.ts'
import type { AuthorizationResponse, CallbackError, Login } from './login.ts'
import { digest, isState, loginId } from './login.ts'
import type { LoginStore } from './login-store.ts'

/** What the provider's redirect brought: an authorization response (RFC 6749 §4.1.2), or the reason why it is none. */
export interface CallbackRequest {
  readonly state: string
  readonly code?: string
  readonly error?: string
  /** RFC 9207. */
  readonly iss?: string
  /** Why this is no authorization response. Its login is left as it is, and the error page links to its site. */
  readonly fault?: Problem
  /** The browser's IP address, for the limits. */
  readonly ip: string
  /** All parameters of the redirect: the provider's exchange may need some of them. */
  readonly parameters: Readonly<Record<string, string | undefined>>
}

/** What callback needs. */
export interface CallbackServices {
  readonly logins: Pick<LoginStore, 'find' | 'recordResponse'>
  readonly sites: Sites
  readonly limits: Pick<RateLimits, 'checkRejectedCodes'>
}

/** Where the browser goes, and with what. */
export interface CallbackRedirect {
  readonly answer: AuthorizationAnswer
  /** For the log: a callback parameter that the provider did not send, and without which the exchange cannot succeed. */
  readonly missing?: string
  /** For the log: a callback parameter whose value cannot be used, and which was left out. */
  readonly dropped?: string
}

/** A failure at the callback that the browser shows as a page, and the site to which the page may link. */
export class CallbackFailure extends Problem {
  /** Undefined where no login is known, or where the site may not be named any more. */
  readonly siteOrigin: string | undefined

  constructor({ type, options }: Problem, siteOrigin: string | undefined) {
    super(type, options)
    this.siteOrigin = siteOrigin
  }
}

/** `error_description`, in ASCII as RFC 6749 §4.1.2.1 demands; the provider's own description goes to the log alone. */
const descriptions: Readonly<Record<CallbackError | 'login_expired', string>> = {
  access_denied: 'The user refused access at the provider.',
  temporarily_unavailable: 'The provider cannot answer now; start the login again a little later.',
  server_error: 'The provider reported an error; start the login again.',
  login_expired: 'The login took too long; start it again.',
}

/** The problem with which a finish of the same login would be answered. */
const problems: Readonly<Record<CallbackError | 'login_expired', ProblemName>> = {
  access_denied: 'access-denied',
  temporarily_unavailable: 'provider-declined',
  server_error: 'provider-declined',
  login_expired: 'login-expired',
}

/** The problems that a callback may be answered with, in the order of the OpenAPI document. */
export const callbackProblems = [
  'missing-parameter',
  'invalid-parameter',
  'repeated-parameter',
  'unknown-login',
  'access-denied',
  'provider-declined',
  'redirect-url-unknown',
  'site-disabled',
  'provider-not-allowed',
  'login-completed',
  'code-mismatch',
  'provider-mismatch',
  'issuer-mismatch',
  'rate-limited',
  'not-found',
] as const satisfies readonly ProblemName[]

/**
 * Records the provider's response and returns where the browser goes. The redirect is built only from what this request
 * carries: the same callback again gives the same redirect, and a stored code is never sent to anybody.
 * @param issuer PUBLIC_URL
 * @throws {CallbackFailure} where the browser must not be redirected
 * @throws {StoreUnavailable}
 */
export async function callback(
  request: CallbackRequest,
  adapter: ProviderAdapter,
  services: CallbackServices,
  progress: LoginProgress,
  issuer: string,
): Promise<CallbackRedirect> {
  const from = digest(network(request.ip))
  // Together, so that the check makes no trip of its own. What it throws counts only where a code would be recorded.
  const [found, refused] = isState(request.state)
    ? await Promise.all([services.logins.find(request.state), refusalOf(from, request, services)])
    : []
  if (found === undefined) throw new CallbackFailure(new Problem('unknown-login'), undefined)
  const { login } = found
  progress.isAbout({ ...login, id: loginId(request.state) })
  const failure = (problem: Problem) => new CallbackFailure(problem, originOf(login.redirectUrl))
  if (login.provider !== adapter.name) throw failure(new Problem('provider-mismatch'))
  if (!isIssuerRight(request, adapter)) throw failure(new Problem('issuer-mismatch'))
  await checkSite(login, services.sites)
  if (request.fault !== undefined) throw failure(request.fault)

  const redirect = (outcome: CallbackOutcome) => answerOf(login, request.state, outcome, issuer)
  const redirectWithError = (error: CallbackError | 'login_expired') => {
    progress.fails(problems[error])
    return redirect({ error, error_description: descriptions[error] })
  }
  if (found.claimed) throw failure(new Problem('login-completed'))
  const now = Date.now()
  const by = found.response?.kind === 'code' ? found.response.finishBy : login.answerBy
  if (now > by) return { answer: redirectWithError('login_expired') }

  const dropped = unusableParameter(request, adapter)
  const missing = missingParameter(request, adapter)
  const response = missing === undefined ? responseOf(request, adapter, now, from) : incomplete
  if (response === undefined)
    throw failure(new Problem('missing-parameter', { values: { parameter: 'code' } }))
  if (response.kind === 'code' && refused !== undefined)
    throw refused instanceof Problem ? failure(refused) : refused
  const codeTtl = (finishWithin + rememberExpired) / 1000
  const outcome = await services.logins.recordResponse(request.state, response, codeTtl)
  if (outcome === 'gone') throw failure(new Problem('login-completed'))
  if (outcome === 'conflict') {
    const came = request.code === undefined ? 'late-error' : 'other-code'
    throw failure(new Problem('code-mismatch', { values: { came } }))
  }
  if (found.response?.kind !== response.kind) progress.mark('came_back')
  const notes = { ...(missing !== undefined && { missing }), ...(dropped !== undefined && { dropped }) }
  if (response.kind === 'code') return { answer: redirect({ code: request.code ?? '' }), ...notes }
  return { answer: redirectWithError(response.error), ...notes }
}

/** RFC 9207 §2.4: an issuer that came must be the provider's; one must come where its metadata promise it. */
function isIssuerRight({ iss }: CallbackRequest, { issuer, requiresIssuer }: ProviderAdapter): boolean {
  if (issuer === undefined) return true
  return iss === undefined ? requiresIssuer?.() !== true : iss === issuer
}

/**
 * Why a code from this network is refused.
 * @returns what the check threw; undefined where it threw nothing, or no code came
 */
async function refusalOf(
  from: string,
  { code }: CallbackRequest,
  { limits }: CallbackServices,
): Promise<unknown> {
  if (code === undefined) return undefined
  return await limits.checkRejectedCodes(from).catch((error: unknown) => error)
}

/** The response that is recorded in place of a code that cannot be exchanged. */
const incomplete: AuthorizationResponse = { kind: 'error', error: 'server_error' }

/** The first callback parameter that this provider's exchange needs and that did not come with the code. */
function missingParameter(request: CallbackRequest, adapter: ProviderAdapter): string | undefined {
  if (request.code === undefined || request.error !== undefined) return undefined
  return Object.keys(adapter.callbackParameters).find(
    (name) => adapter.callbackParameters[name] === 'required' && usable(name, request, adapter) === undefined,
  )
}

/** The first callback parameter that came and cannot be used. */
function unusableParameter(request: CallbackRequest, adapter: ProviderAdapter): string | undefined {
  return Object.keys(adapter.callbackParameters).find(
    (name) => request.parameters[name] && usable(name, request, adapter) === undefined,
  )
}

/** Characters of a further callback parameter, at most. Real ones have a few hundred. */
const longestParameter = 4096

/** A further callback parameter, unless it is missing, empty, too long or of a form that the provider's plugin refuses. */
function usable(name: string, request: CallbackRequest, adapter: ProviderAdapter): string | undefined {
  const value = request.parameters[name]
  if (!value || value.length > longestParameter) return undefined
  return adapter.isUsableParameter?.(name, value) === false ? undefined : value
}

/** Checks the site again, as at the start: a URL that is no longer registered gets no code, a disabled site no user. */
async function checkSite(login: Login, sites: Sites): Promise<void> {
  const site = await sites.byId(login.siteId)
  if (site === undefined || !isRegistered(site, login.redirectUrl))
    throw new CallbackFailure(new Problem('redirect-url-unknown'), undefined)
  if (site.disabled) throw new CallbackFailure(new Problem('site-disabled'), undefined)
  if (!site.providers.includes(login.provider))
    throw new CallbackFailure(
      new Problem('provider-not-allowed', { values: { provider: login.provider } }),
      originOf(login.redirectUrl),
    )
}

function responseOf(
  request: CallbackRequest,
  adapter: ProviderAdapter,
  now: number,
  from: string,
): AuthorizationResponse | undefined {
  if (request.code !== undefined && request.error === undefined) {
    const kept = Object.keys(adapter.callbackParameters).flatMap((name) => {
      const value = usable(name, request, adapter)
      return value === undefined ? [] : [[name, value] as const]
    })
    return {
      kind: 'code',
      codeDigest: digest(request.code),
      kept: Object.fromEntries(kept),
      finishBy: now + finishWithin,
      from,
    }
  }
  if (request.error === undefined || request.code !== undefined) return undefined
  const known = (['access_denied', 'temporarily_unavailable'] as const).find(
    (error) => error === request.error,
  )
  return { kind: 'error', error: known ?? 'server_error' }
}

/** A page can link to it; a private-use scheme of a native application has none. */
function originOf(url: string): string | undefined {
  const { origin } = new URL(url)
  return origin === 'null' ? undefined : origin
}
