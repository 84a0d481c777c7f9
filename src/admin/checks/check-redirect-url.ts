import { checkAccess } from '../../login/check-request.ts'
import { Problem } from '../../problems/problem.ts'
import type { NearestRedirectUrl } from '../../sites/redirect-url.ts'
import { checkRedirectUrl, hostOf, nearestRedirectUrl } from '../../sites/redirect-url.ts'
import type { Site } from '../../sites/site.ts'
import type { AdminServices } from '../services.ts'

/** Whether a login could be started with a URL, and if not, what stands in its way. */
export interface RedirectUrlCheck {
  /** What a start would meet; undefined where it would be accepted. */
  readonly problem?: Problem
  /** Whose the URL is, or the nearest one. */
  readonly site?: Site
  readonly nearest?: NearestRedirectUrl
  /** A sentence on why it could not be registered as it is. */
  readonly flaw?: string
}

/**
 * Asks what a start asks, in the same order and of the same sites; unlike a site, an operator is told what is
 * registered.
 * @param provider undefined: any that the site may use
 */
export async function checkUrl(
  url: string,
  provider: string | undefined,
  { sites, providers, rules }: Pick<AdminServices, 'sites' | 'providers' | 'rules'>,
): Promise<RedirectUrlCheck> {
  const site = await sites.byRedirectUrl(url)
  const host = hostOf(url)
  const nearest =
    site !== undefined || host === undefined
      ? undefined
      : nearestRedirectUrl(url, await sites.urlsOfHost(host))
  const owner = site ?? (nearest && (await sites.byRedirectUrl(nearest.url)))
  const flaw = checkRedirectUrl(url, rules)
  const problem = problemOf(provider, site, nearest, providers)
  return {
    ...(problem && { problem }),
    ...(owner && { site: owner }),
    ...(nearest && { nearest }),
    ...(flaw !== undefined && { flaw }),
  }
}

function problemOf(
  provider: string | undefined,
  site: Site | undefined,
  nearest: NearestRedirectUrl | undefined,
  providers: AdminServices['providers'],
): Problem | undefined {
  const names = providers.list().map(({ adapter }) => adapter.name)
  if (provider !== undefined && !names.includes(provider))
    return new Problem('unknown-provider', { values: { providers: names.join(', ') } })
  if (site === undefined)
    return nearest === undefined
      ? new Problem('redirect-url-unknown')
      : new Problem('redirect-url-differs', {
          values: { difference: nearest.kind, registered: nearest.url },
        })
  try {
    checkAccess(site, provider ?? site.providers.find((name) => names.includes(name)) ?? '', site)
    return undefined
  } catch (error) {
    if (error instanceof Problem) return error
    throw error
  }
}
