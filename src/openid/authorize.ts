import type { RateLimits } from '../http/rate-limit.ts'
import type { AnswerStyle, AuthorizationAnswer } from '../login/authorization-response.ts'
import { standardAnswer } from '../login/authorization-response.ts'
import type { LoginWishes } from '../login/start.ts'
import { Problem } from '../problems/problem.ts'
import { problems } from '../problems/table.ts'
import { problemText } from '../problems/texts.ts'
import type { ProviderRegistry, RegisteredProvider } from '../providers/registry.ts'
import { unknownProvider } from '../providers/registry.ts'
import type { Sites } from '../sites/lookup.ts'
import { isRegistered } from '../sites/native-url.ts'
import { hostOf, redirectUrlDifference } from '../sites/redirect-url.ts'
import type { Site } from '../sites/site.ts'
import { longestState, readStyle, readWishes } from './authorization-request.ts'
import type { RequestParameters } from './parameters.ts'

/** What the authorization endpoint looks up. */
export interface AuthorizeServices {
  readonly sites: Sites
  readonly providers: ProviderRegistry
  readonly limits: RateLimits
}

/** Who asks, and where the answer goes: known to be right, so that errors may go there too. */
export interface Client {
  readonly site: Site
  readonly redirectUrl: string
  readonly style: AnswerStyle
}

/** The parameters without which it is not known where an answer goes. */
const addressing = ['client_id', 'redirect_uri', 'state']

/**
 * Finds the site of an authorization request and checks where it wants its answer. Until this is right, nothing is ever
 * redirected (RFC 6749 §3.1.2.4, §4.1.2.1).
 * @throws {Problem} for the person who sees it: a page
 */
export async function findClient(
  parameters: RequestParameters,
  ip: string,
  { sites, limits }: AuthorizeServices,
): Promise<Client> {
  parameters.refuseRepeated(addressing)
  const [id, redirectUrl] = [parameters.get('client_id'), parameters.get('redirect_uri')]
  if (id === undefined) throw new Problem('missing-parameter', { values: { parameter: 'client_id' } })
  if (redirectUrl === undefined)
    throw new Problem('missing-parameter', { values: { parameter: 'redirect_uri' } })
  const site = await sites.byId(id, limits.unknownSiteStruck(ip) ? 'batched' : 'at-once')
  if (site === undefined) {
    await limits.unknownSite(ip)
    throw new Problem('client-unknown')
  }
  if (!isRegistered(site, redirectUrl)) throw unregistered(redirectUrl, site)
  if (site.disabled) throw new Problem('site-disabled')
  parameters.short('state', longestState)
  return { site, redirectUrl, style: readStyle(parameters) }
}

/** How the URL differs from one of the same host; which are registered, only the log tells. */
function unregistered(url: string, { redirectUrls }: Site): Problem {
  const difference = redirectUrlDifference(url, redirectUrls)
  if (difference === undefined) return new Problem('redirect-url-unknown')
  const registered = redirectUrls.filter((one) => hostOf(one) === hostOf(url)).slice(0, 5)
  return new Problem('redirect-url-differs', {
    values: { difference },
    log: { difference, registered: registered.join(' ') },
  })
}

/**
 * Reads the rest of an authorization request.
 * @param provider the one that is chosen; undefined where the person will choose
 * @throws {Problem} for the site, by a redirect
 */
export function readRequest(
  parameters: RequestParameters,
  { site, redirectUrl, style }: Client,
  provider: RegisteredProvider | undefined,
): LoginWishes {
  const wishes = readWishes(parameters, site, redirectUrl, style)
  const name = provider?.adapter.name
  if (name !== undefined && !site.providers.includes(name))
    throw new Problem('provider-not-allowed', { values: { provider: name }, error: 'invalid_request' })
  return wishes
}

/** The providers of a site that this service has, in their order. */
export function providersOf(site: Site, providers: ProviderRegistry): readonly RegisteredProvider[] {
  return providers.list().filter(({ adapter }) => site.providers.includes(adapter.name))
}

/** Under which names clients choose a provider: ours, and those that they know from other services. */
export const providerParameters = ['provider', 'idp_hint', 'kc_idp_hint'] as const

/**
 * The provider that the request names, or the only one of the site; undefined where the person must choose.
 * @throws {Problem} unknown-provider; provider-not-allowed where the site has none
 */
export function chosenProvider(
  parameters: RequestParameters,
  site: Site,
  providers: ProviderRegistry,
): RegisteredProvider | undefined {
  const [name] = providerParameters.flatMap((parameter) => parameters.get(parameter) ?? [])
  if (name !== undefined) {
    const provider = providers.get(name)
    if (provider === undefined) throw unknownProvider(providers)
    return provider
  }
  const [only, ...others] = providersOf(site, providers)
  if (only === undefined) throw new Problem('provider-not-allowed')
  return others.length === 0 ? only : undefined
}

/** The errors that a client knows at this endpoint (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6). */
const clientErrors: ReadonlySet<string> = new Set([
  'invalid_request',
  'unauthorized_client',
  'access_denied',
  'unsupported_response_type',
  'server_error',
  'temporarily_unavailable',
  'login_required',
  'request_not_supported',
  'request_uri_not_supported',
  'registration_not_supported',
])

/** The error response by which the site learns of a problem. @param issuer PUBLIC_URL */
export function errorAnswer(
  { type, options }: Problem,
  { redirectUrl, style }: Pick<Client, 'redirectUrl' | 'style'>,
  issuer: string,
): AuthorizationAnswer {
  const error = options.error ?? problems[type].error
  const result = {
    error: clientErrors.has(error) ? error : 'server_error',
    error_description: problemText(type, 'en', options.values).detail,
  }
  return standardAnswer(redirectUrl, style, result, issuer)
}
