import { randomBytes } from 'node:crypto'
import { rememberExpired } from '../deadlines.ts'
import { network } from '../http/client-ip.ts'
import type { Credentials } from '../http/credentials.ts'
import type { RateLimits } from '../http/rate-limit.ts'
import type { LoginProgress } from '../login-history/progress.ts'
import { Problem } from '../problems/problem.ts'
import type { ProviderRegistry } from '../providers/registry.ts'
import { authenticate, countedOf } from '../sites/authenticate.ts'
import { hostOf, redirectUrlDifference } from '../sites/redirect-url.ts'
import type { Site, Sites } from '../sites/site.ts'
import type { Login } from './login.ts'
import type { LoginStore } from './login-store.ts'
import { admit } from './prove-caller.ts'
import { digest, loginId, newState } from './state.ts'

/** What a site's backend asks for. */
export interface StartRequest {
  readonly provider: string
  readonly redirectUrl: string
  /** The caller's network address, for the limits. */
  readonly address: string
  /** The IP address of the person for whom the site asks; counts only where the site authenticates. */
  readonly userIp?: string
  readonly credentials?: Credentials
  readonly codeChallenge?: string
  readonly loginHint?: string
  readonly prompt?: 'select_account'
}

/** What start stands on. */
export interface StartServices {
  readonly logins: LoginStore
  readonly sites: Sites
  readonly providers: ProviderRegistry
  readonly limits: RateLimits
  /** The callback address of a provider, as registered there. */
  readonly callbackUrl: (provider: string) => string
  /** Seconds. */
  readonly loginTtl: number
}

/** What the site sends its user to, and what it will meet again. */
export interface StartedLogin {
  readonly state: string
  readonly authorizeUrl: string
}

/**
 * Starts a login: the redirect URL names the site (RFC 6749 §4.1.1, exact comparison as RFC 9700 §2.1 demands).
 * @throws {Problem} unknown-provider, redirect-url-unknown, redirect-url-differs, wrong-credentials,
 *   secret-required, site-mismatch, site-disabled, provider-not-allowed, rate-limited, provider-unavailable
 */
export async function start(
  request: StartRequest,
  services: StartServices,
  progress: LoginProgress,
): Promise<StartedLogin> {
  const { limits, sites } = services
  const pace = limits.unknownSiteStruck(request.address) ? 'together' : 'at-once'
  const site = await sites.byRedirectUrl(request.redirectUrl, pace)
  progress.concerns(site)
  const provider = services.providers.get(request.provider)
  if (provider === undefined) throw unknownProvider(services.providers)
  const caller = await authenticate(request.credentials, request.address, services)
  progress.concerns(caller)
  if (site === undefined) {
    // Before the refusal is made, which asks the database once more.
    await limits.unknownSite(request.address)
    throw await unregistered(request.redirectUrl, caller, sites)
  }
  admit(site, request.provider, caller)
  const counted = countedOf(caller, request.address)
  // From anybody else an address of a visitor is ignored: it could be invented.
  const visitor = counted.by === 'site' ? request.userIp : undefined
  await limits.countRequest('start', site, { ...counted, ...(visitor !== undefined && { visitor }) })
  const admission = provider.guard.allowsStart()
  if (!admission.admitted)
    throw new Problem('provider-unavailable', {
      values: { provider: request.provider },
      retryAfter: admission.retryAfter,
    })

  const { adapter } = provider
  const state = newState()
  const codeVerifier = randomBytes(32).toString('base64url')
  const now = Date.now()
  const login: Login = {
    provider: adapter.name,
    siteId: site.id,
    redirectUrl: request.redirectUrl,
    nonce: randomBytes(16).toString('base64url'),
    ...(adapter.pkce && { codeVerifier }),
    ...(request.codeChallenge !== undefined && { codeChallenge: request.codeChallenge }),
    ...(caller === undefined && { startedFrom: network(request.address) }),
    startedAt: now,
    requestId: progress.requestId,
    answerBy: now + services.loginTtl * 1000,
  }
  await services.logins.start(state, login, services.loginTtl + rememberExpired / 1000)
  progress.isAbout({ ...login, id: loginId(state) })
  progress.mark('started')
  const authorizeUrl = await adapter.authorizeUrl({
    state,
    redirectUri: services.callbackUrl(adapter.name),
    nonce: login.nonce,
    ...(adapter.pkce && { codeChallenge: digest(codeVerifier) }),
    ...(request.loginHint !== undefined && { loginHint: request.loginHint }),
    ...(request.prompt !== undefined && { prompt: request.prompt }),
  })
  progress.mark('sent_to_provider')
  return { state, authorizeUrl: authorizeUrl.href }
}

/** Names the providers that are in service, to whoever named none of them. */
export function unknownProvider(providers: ProviderRegistry): Problem {
  const names = providers.list().map(({ adapter }) => adapter.name)
  return new Problem('unknown-provider', { values: { providers: names.join(', ') } })
}

/**
 * Says how an unregistered URL differs from a registered one of the same host, and no more: nobody learns our
 * list of customers by asking. Only a caller with that site's secret is told the registered URL; the log is too.
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
