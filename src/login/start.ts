import { rememberExpired } from '../deadlines.ts'
import { network } from '../http/client-ip.ts'
import type { Credentials } from '../http/credentials.ts'
import type { Counted, RateLimits } from '../http/rate-limit.ts'
import type { LoginProgress } from '../login-history/progress.ts'
import { Problem } from '../problems/problem.ts'
import type { ProblemName } from '../problems/table.ts'
import type { AuthorizationRequest } from '../providers/provider.ts'
import type { ProviderRegistry, RegisteredProvider } from '../providers/registry.ts'
import { unknownProvider } from '../providers/registry.ts'
import { authenticate, countedOf } from '../sites/authenticate.ts'
import type { Sites } from '../sites/lookup.ts'
import { hostOf, redirectUrlDifference } from '../sites/redirect-url.ts'
import type { Site } from '../sites/site.ts'
import { checkAccess } from './check-request.ts'
import type { Login, OpenidRequest } from './login.ts'
import { digest, loginId, newState } from './login.ts'
import type { LoginStore } from './login-store.ts'
import { randomText } from './random.ts'

/** What a site's backend posts to start a login. */
export interface StartRequest {
  readonly provider: string
  readonly redirectUrl: string
  /** The caller's IP address, for the limits. */
  readonly ip: string
  /** The IP address of the visitor who logs in; counts only where the site authenticates. */
  readonly userIp?: string
  readonly credentials?: Credentials
  readonly codeChallenge?: string
  readonly loginHint?: string
  readonly prompt?: AuthorizationRequest['prompt']
  readonly maxAge?: string
  readonly providerAccount?: string
}

/** What start needs. */
export interface StartServices {
  readonly logins: Pick<LoginStore, 'start'>
  readonly sites: Sites
  readonly providers: ProviderRegistry
  readonly limits: RateLimits
  /** The callback URL of a provider, as registered there. */
  readonly callbackUrl: (provider: string) => string
  /** Seconds. */
  readonly loginTtl: number
}

/** A login that is started. */
export interface StartedLogin {
  /** Comes back with the browser; the site keeps it in the browser's session to compare. */
  readonly state: string
  /** Where the site sends the browser. */
  readonly authorizeUrl: string
}

/** The problems that a start may be answered with, in the order of the OpenAPI document, besides those of every body. */
export const startProblems = [
  'misnamed-parameter',
  'unknown-provider',
  'redirect-url-unknown',
  'redirect-url-differs',
  'wrong-credentials',
  'secret-required',
  'secret-not-accepted',
  'site-mismatch',
  'site-disabled',
  'provider-not-allowed',
  'provider-unavailable',
] as const satisfies readonly ProblemName[]

/**
 * Starts a login: the redirect URL names the site (RFC 6749 §4.1.1, exact comparison as RFC 9700 §2.1 demands).
 * @throws {Problem} those of `startProblems`, rate-limited
 * @throws {StoreUnavailable}
 */
export async function start(
  request: StartRequest,
  services: StartServices,
  progress: LoginProgress,
): Promise<StartedLogin> {
  const { limits, sites } = services
  const pace = limits.unknownSiteStruck(request.ip) ? 'batched' : 'at-once'
  const site = await sites.byRedirectUrl(request.redirectUrl, pace)
  progress.concerns(site)
  const provider = services.providers.get(request.provider)
  if (provider === undefined) throw unknownProvider(services.providers)
  const caller = await authenticate(request.credentials, request.ip, services)
  progress.concerns(caller)
  progress.provenBy({ secret: caller !== undefined, challenge: request.codeChallenge !== undefined })
  if (site === undefined) {
    // Counted before unregistered(), which asks the database once more.
    await limits.unknownSite(request.ip)
    throw await unregistered(request.redirectUrl, caller, sites)
  }
  checkAccess(site, request.provider, caller)
  if (site.native && request.codeChallenge === undefined)
    throw new Problem('missing-parameter', { values: { parameter: 'code_challenge' } })
  const counted = countedOf(caller, request.ip)
  // Without the site's secret the visitor's IP address is ignored, because it could be invented.
  const visitor = counted.by === 'site' ? request.userIp : undefined
  return await begin(
    request,
    { site, provider, counted: { ...counted, ...(visitor !== undefined && { visitor }) } },
    services,
    progress,
  )
}

/** What the beginning of a login takes of the request, at either door. */
export interface LoginWishes
  extends Pick<
    StartRequest,
    'redirectUrl' | 'codeChallenge' | 'loginHint' | 'prompt' | 'maxAge' | 'providerAccount'
  > {
  readonly openid?: OpenidRequest
}

/** Whose login begins: everything about it has been checked. */
export interface AdmittedStart {
  readonly site: Site
  readonly provider: RegisteredProvider
  readonly counted: Counted
}

/**
 * Begins a login for a site that may have it: counts it, asks whether the provider works, and stores what comes back with
 * the browser.
 * @throws {Problem} rate-limited, provider-unavailable
 * @throws {StoreUnavailable}
 */
export async function begin(
  request: LoginWishes,
  { site, provider, counted }: AdmittedStart,
  services: Pick<StartServices, 'logins' | 'limits' | 'callbackUrl' | 'loginTtl'>,
  progress: LoginProgress,
): Promise<StartedLogin> {
  const { adapter } = provider
  const counting = services.limits.countRequest('start', site, counted)
  // Otherwise the login is stored in the same trip: one that the count then refuses is known to nobody, and expires.
  if (services.limits.struck('start', site, counted)) await counting
  const admission = provider.guard.allowsStart()
  if (!admission.allowed) {
    await counting
    throw new Problem('provider-unavailable', {
      values: { provider: adapter.name },
      retryAfter: admission.retryAfter,
    })
  }

  const state = newState()
  const codeVerifier = randomText(32)
  const now = progress.now()
  const login: Login = {
    provider: adapter.name,
    siteId: site.id,
    redirectUrl: request.redirectUrl,
    nonce: randomText(16),
    ...(adapter.pkce && { codeVerifier }),
    ...(request.codeChallenge !== undefined && { codeChallenge: request.codeChallenge }),
    ...(request.providerAccount !== undefined && { providerAccount: request.providerAccount }),
    ...(counted.by === 'address' && { startedFrom: network(counted.address) }),
    startedAt: now,
    requestId: progress.requestId,
    answerBy: now + services.loginTtl * 1000,
    ...(request.openid !== undefined && { openid: request.openid }),
  }
  const ttl = services.loginTtl + rememberExpired / 1000
  await Promise.all([counting, services.logins.start(state, login, ttl)])
  progress.isAbout({ ...login, id: loginId(state) })
  progress.mark('started')
  const authorizeUrl = await adapter.authorizeUrl({
    state,
    redirectUri: services.callbackUrl(adapter.name),
    nonce: login.nonce,
    ...(adapter.pkce && { codeChallenge: digest(codeVerifier) }),
    ...(request.loginHint !== undefined && { loginHint: request.loginHint }),
    ...(request.prompt !== undefined && { prompt: request.prompt }),
    ...(request.maxAge !== undefined && { maxAge: request.maxAge }),
    ...(request.providerAccount !== undefined && { providerAccount: request.providerAccount }),
  })
  progress.mark('sent_to_provider')
  return { state, authorizeUrl: authorizeUrl.href }
}

/**
 * The problem of an unregistered URL: how it differs from a registered one of the same host, and no more, so that
 * nobody learns the list of sites by asking. Only a caller with the secret of that site, and the log, get the
 * registered URL itself.
 */
async function unregistered(url: string, caller: Site | undefined, sites: Sites): Promise<Problem> {
  const host = hostOf(url)
  const urls = host === undefined ? [] : await sites.urlsOfHost(host)
  const difference = redirectUrlDifference(url, urls)
  if (difference === undefined) return new Problem('redirect-url-unknown')
  const registered = caller?.redirectUrls.filter((one) => hostOf(one) === host).join(' ')
  return new Problem('redirect-url-differs', {
    values: { difference, ...(registered && { registered }) },
    log: { difference, registered: urls.slice(0, 5).join(' ') },
  })
}
