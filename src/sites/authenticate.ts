import type { Credentials } from '../http/credentials.ts'
import { readBasic, unauthorized } from '../http/credentials.ts'
import type { Counted, LimitedSite, RateLimits } from '../http/rate-limit.ts'
import type { Site, Sites } from './site.ts'
import { secretMatches } from './site-secret.ts'

/**
 * The site that the credentials belong to; undefined where none were sent.
 * @throws {Problem} wrong-credentials: sent without need, they are still checked; rate-limited after too many
 */
export async function authenticate(
  credentials: Credentials | undefined,
  address: string,
  { sites, limits }: { readonly sites: Sites; readonly limits: RateLimits },
): Promise<Site | undefined> {
  if (credentials === undefined) return undefined
  const site = await sites.byId(credentials.id, limits.unknownIdStruck(address) ? 'together' : 'at-once')
  if (site !== undefined && secretMatches(site, credentials.secret)) return site
  await limits.wrongSecret(site?.id, address)
  throw unauthorized('wrong-credentials')
}

/** Against whom a request counts: the site that authenticated, else whoever sent it. */
export function countedOf(caller: Site | undefined, address: string): Counted {
  return caller === undefined ? { by: 'address', address } : { by: 'site' }
}

/** A site of which a token gives the id alone, for its limits: it is looked up only where the factor matters. */
export function limitedSite(id: string, sites: Sites): LimitedSite {
  return { id, limitFactor: async () => (await sites.byId(id))?.limitFactor ?? 1 }
}

/**
 * The site that asks about itself, by HTTP Basic. A disabled one is answered too: its administrator must be able
 * to see why its logins fail.
 * @throws {Problem} secret-required, wrong-credentials, rate-limited
 */
export async function askingSite(
  authorization: string | undefined,
  address: string,
  services: { readonly sites: Sites; readonly limits: RateLimits },
): Promise<Site> {
  const site = await authenticate(readBasic(authorization), address, services)
  if (site === undefined) throw unauthorized('secret-required')
  await services.limits.siteQuestion(site.id)
  return site
}
