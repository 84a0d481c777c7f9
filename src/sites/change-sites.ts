import type { Prisma } from '../../prisma/client/client.ts'
import { advisoryLocks } from '../storage/advisory-locks.ts'
import type { Database } from '../storage/postgres.ts'
import { transactionOptions } from '../storage/postgres.ts'
import type { SiteFields } from './check-site.ts'
import { SiteError } from './site-error.ts'

/**
 * Runs a change of sites in a transaction of its own, one change after the other in the whole deployment: what it
 * looked up (whose URL is this?) then holds until it commits. Logins only read and do not wait.
 */
export function changeSites<Result>(
  database: Database,
  work: (transaction: Prisma.TransactionClient) => Promise<Result>,
): Promise<Result> {
  return database.prisma.$transaction(async (transaction) => {
    await transaction.$executeRaw`SELECT pg_advisory_xact_lock(${advisoryLocks.sites}::int8)`
    return work(transaction)
  }, transactionOptions)
}

/**
 * Refuses a name or URL that belongs to a site other than these. Those of these may move between them.
 * @throws {SiteError} conflict
 */
export async function refuseConflicts(
  transaction: Prisma.TransactionClient,
  sites: readonly ({ readonly id: string } & Partial<SiteFields>)[],
): Promise<void> {
  const ids = sites.map(({ id }) => id)
  const names = sites.flatMap(({ name }) => name ?? [])
  const urls = sites.flatMap(({ redirectUrls }) => redirectUrls ?? [])
  const namesake = await transaction.site.findFirst({ where: { name: { in: names }, id: { notIn: ids } } })
  if (namesake !== null)
    throw new SiteError('conflict', `The name "${namesake.name}" is taken by site ${namesake.id}.`)
  const owned = await transaction.redirectUrl.findFirst({
    where: { url: { in: urls }, siteId: { notIn: ids } },
  })
  if (owned !== null)
    throw new SiteError('conflict', `The redirect URL ${owned.url} is registered to site ${owned.siteId}.`)
}
