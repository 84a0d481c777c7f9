import type { Credentials } from '../http/credentials.ts'
import { readBasic, unauthorized } from '../http/credentials.ts'
import type { Counted, LimitedSite, RateLimits } from '../http/rate-limit.ts'
import type { Sites } from './lookup.ts'
import type { Site } from './site.ts'
import { secretMatches } from './site.ts'

/**
 * Client authentication (RFC 6749 §2.3): the site that the credentials belong to; undefined where none were sent.
 * Credentials are checked even where the site could leave them out.
 * @throws {Problem} wrong-credentials; rate-limited after too many wrong ones
 */
export async function authenticate(
  credentials: Credentials | undefined,
  ip: string,
  { sites, limits }: { readonly sites: Sites; readonly limits: RateLimits },
): Promise<Site | undefined> {
  if (credentials === undefined) return undefined
  const site = await sites.byId(credentials.id, limits.unknownIdStruck(ip) ? 'batched' : 'at-once')
  if (site !== undefined && secretMatches(site, credentials.secret)) return site
  await limits.wrongSecret(site?.id, ip)
  throw unauthorized('wrong-credentials')
}

/**
 * A secret that is shipped with an application on people's own devices is no secret (RFC 8252 §8.5), so that where the
 * application itself speaks, it proves nothing.
 * @param caller the site that authenticated by its secret
 * @throws {Problem} secret-not-accepted
 */
export function refuseNativeSecret(caller: Site | undefined): void {
  if (caller?.native === true) throw unauthorized('secret-not-accepted')
}

/** Against which limits a request counts: those of the site that authenticated, or else those of the IP. */
export function countedOf(caller: Site | undefined, ip: string): Counted {
  return caller === undefined ? { by: 'address', address: ip } : { by: 'site' }
}

/** A site for its limits, known by the id in a token: it is looked up only where the factor matters. */
export function limitedSite(id: string, sites: Sites): LimitedSite {
  return { id, limitFactor: async () => (await sites.byId(id))?.limitFactor ?? 1 }
}

/**
 * The site that asks about itself, by HTTP Basic. A disabled site is accepted too: its administrator must be able
 * to see why its logins fail.
 * @throws {Problem} secret-required, wrong-credentials, rate-limited
 */
export async function requireSite(
  authorization: string | undefined,
  ip: string,
  services: { readonly sites: Sites; readonly limits: RateLimits },
): Promise<Site> {
  const site = await authenticate(readBasic(authorization), ip, services)
  if (site === undefined) throw unauthorized('secret-required')
  await services.limits.siteQuestion(site.id)
  return site
}
