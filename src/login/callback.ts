import { finishWithin, rememberExpired } from '../config.ts'
import { network } from '../http/client-ip.ts'
import { Problem } from '../http/problem.ts'
import type { ProblemName } from '../http/problems.ts'
import type { RateLimits } from '../http/rate-limit.ts'
import type { ProviderAdapter } from '../providers/provider.ts'
import type { Sites } from '../sites/site.ts'
import type { Answer, CallbackError, Login } from './login.ts'
import type { LoginStore } from './login-store.ts'
import { digest, isState } from './state.ts'
import type { Trail } from './trail.ts'

/** What the provider's redirect brought (RFC 6749 §4.1.2): a code, an error, or the reason why it is neither. */
export interface CallbackRequest {
  readonly state: string
  readonly code?: string
  readonly error?: string
  /** RFC 9207. */
  readonly iss?: string
  /** Why what came is no answer; its login is left as it is, and the page leads back to its site. */
  readonly fault?: Problem
  /** The browser's network address, for the limits. */
  readonly address: string
  /** All of the redirect's parameters, for those that the provider's exchange needs. */
  readonly parameters: Readonly<Record<string, string | undefined>>
}

/** What callback stands on. */
export interface CallbackServices {
  readonly logins: Pick<LoginStore, 'find' | 'answer'>
  readonly sites: Sites
  readonly limits: Pick<RateLimits, 'admitCode'>
}

/** Where the browser goes. */
export interface CallbackAnswer {
  /** The registered URL, raw, with our parameters appended. */
  readonly location: string
  /** Without this callback parameter the exchange cannot succeed, and the provider did not send it: for the log. */
  readonly missing?: string
}

/** A refusal at the callback, and the site to which its page may lead back. */
export class CallbackRefusal extends Error {
  override readonly name = 'CallbackRefusal'
  readonly problem: Problem
  /** Undefined where no login is known, or the site may not be named any more. */
  readonly siteOrigin: string | undefined

  constructor(problem: Problem, siteOrigin: string | undefined) {
    super(problem.type, { cause: problem })
    this.problem = problem
    this.siteOrigin = siteOrigin
  }
}

/** English and ASCII, as RFC 6749 §4.1.2.1 wants it; the provider's own words go to the log alone. */
const descriptions: Readonly<Record<CallbackError | 'login_expired', string>> = {
  access_denied: 'The user refused access at the provider.',
  temporarily_unavailable: 'The provider cannot answer now; start the login again a little later.',
  server_error: 'The provider reported an error; start the login again.',
  login_expired: 'The login took too long; start it again.',
}

/** What finish would say of the same. */
const problems: Readonly<Record<CallbackError | 'login_expired', ProblemName>> = {
  access_denied: 'access-denied',
  temporarily_unavailable: 'provider-declined',
  server_error: 'provider-declined',
  login_expired: 'login-expired',
}

/**
 * Takes the provider's redirect and says where the browser goes. The redirect is built only from what this
 * request carries: the same callback again gives the same redirect, and a stored code goes to nobody.
 * @throws {CallbackRefusal} where the browser must not be redirected
 * @throws {StoreUnavailable}
 */
export async function callback(
  request: CallbackRequest,
  adapter: ProviderAdapter,
  services: CallbackServices,
  trail: Trail,
): Promise<CallbackAnswer> {
  const found = isState(request.state) ? await services.logins.find(request.state) : undefined
  if (found === undefined) throw new CallbackRefusal(new Problem('unknown-login'), undefined)
  const { login } = found
  trail.follows(request.state, login)
  const refused = (problem: Problem) => new CallbackRefusal(problem, new URL(login.redirectUrl).origin)
  if (login.provider !== adapter.name) throw refused(new Problem('provider-mismatch'))
  if (request.iss !== undefined && adapter.issuer !== undefined && request.iss !== adapter.issuer)
    throw refused(new Problem('issuer-mismatch'))
  await checkSite(login, services.sites)
  if (request.fault !== undefined) throw refused(request.fault)

  const back = (parameters: Readonly<Record<string, string>>) =>
    appendQuery(login.redirectUrl, { provider: login.provider, state: request.state, ...parameters })
  const failed = (error: CallbackError | 'login_expired') => {
    trail.fails(problems[error])
    return back({ error, error_description: descriptions[error] })
  }
  if (found.claimed) throw refused(new Problem('login-completed'))
  const now = Date.now()
  const by = found.answer?.kind === 'code' ? found.answer.finishBy : login.answerBy
  if (now > by) return { location: failed('login_expired') }

  const missing = missingParameter(request, adapter)
  const answer = missing === undefined ? answerOf(request, adapter, now) : incomplete
  if (answer === undefined) throw refused(new Problem('missing-parameter', { values: { parameter: 'code' } }))
  if (answer.kind === 'code' && answer.from !== undefined)
    await services.limits.admitCode(answer.from).catch((error: unknown) => {
      throw error instanceof Problem ? refused(error) : error
    })
  const outcome = await services.logins.answer(request.state, answer, (finishWithin + rememberExpired) / 1000)
  if (outcome === 'gone') throw refused(new Problem('login-completed'))
  if (outcome === 'conflict') {
    const came = request.code === undefined ? 'late-error' : 'other-code'
    throw refused(new Problem('code-mismatch', { values: { came } }))
  }
  if (found.answer?.kind !== answer.kind) trail.mark('came_back')
  if (answer.kind === 'code') return { location: back({ code: request.code ?? '' }) }
  return { location: failed(answer.error), ...(missing !== undefined && { missing }) }
}

/** What a site is told of a code that cannot be exchanged. */
const incomplete: Answer = { kind: 'error', error: 'server_error' }

/** The first callback parameter that this provider's exchange cannot do without, and that did not come with the code. */
function missingParameter(request: CallbackRequest, adapter: ProviderAdapter): string | undefined {
  if (request.code === undefined || request.error !== undefined) return undefined
  return Object.keys(adapter.keeps).find(
    (name) => adapter.keeps[name] === 'required' && !request.parameters[name],
  )
}

/** Asked again here: a URL that is not registered any more gets no code, and a disabled site no user. */
async function checkSite(login: Login, sites: Sites): Promise<void> {
  const site = await sites.byId(login.siteId)
  if (site === undefined || !site.redirectUrls.includes(login.redirectUrl))
    throw new CallbackRefusal(new Problem('redirect-url-unknown'), undefined)
  if (site.disabled) throw new CallbackRefusal(new Problem('site-disabled'), undefined)
  if (!site.providers.includes(login.provider))
    throw new CallbackRefusal(
      new Problem('provider-not-allowed', { values: { provider: login.provider } }),
      new URL(login.redirectUrl).origin,
    )
}

function answerOf(request: CallbackRequest, adapter: ProviderAdapter, now: number): Answer | undefined {
  if (request.code !== undefined && request.error === undefined) {
    const kept = Object.keys(adapter.keeps).flatMap((name) => {
      const value = request.parameters[name]
      return value ? [[name, value] as const] : []
    })
    return {
      kind: 'code',
      codeDigest: digest(request.code),
      kept: Object.fromEntries(kept),
      finishBy: now + finishWithin,
      from: digest(network(request.address)),
    }
  }
  if (request.error === undefined || request.code !== undefined) return undefined
  const known = (['access_denied', 'temporarily_unavailable'] as const).find(
    (error) => error === request.error,
  )
  return { kind: 'error', error: known ?? 'server_error' }
}

/** Appends to the raw string: the URL API would rewrite a query that the registered URL already has. */
function appendQuery(url: string, parameters: Readonly<Record<string, string>>): string {
  const query = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
  const separator = url.includes('?') ? (/[?&]$/.test(url) ? '' : '&') : '?'
  return `${url}${separator}${query.join('&')}`
}
