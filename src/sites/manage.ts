import type { Prisma } from '../../prisma/client/client.ts'
import type { Database } from '../storage/postgres.ts'
import { changeSites, refuseConflicts } from './change-sites.ts'
import type { SiteFields, SiteRules } from './check-site.ts'
import { checkFields, shown } from './check-site.ts'
import { siteId } from './site.ts'
import { SiteError } from './site-error.ts'
import type { SiteRecord } from './site-record.ts'
import { changeSite, insertSite, newSiteId, recordIncludes, recordOf } from './site-record.ts'
import { hashSecret, newSecret } from './site-secret.ts'

/** A new site: what is left out gets its default (every known provider, no proof, the usual limits, enabled). */
export type NewSite = Pick<SiteFields, 'name' | 'redirectUrls'> & Partial<SiteFields>

/** A new secret is shown once, here; only its digest is kept. */
export interface WithSecret {
  readonly id: string
  readonly secret: string
}

/**
 * Registers a site under a new id.
 * @throws {SiteError} invalid; conflict: its name, or one of its URLs, belongs to another site
 */
export async function addSite(
  database: Database,
  site: NewSite,
  rules: SiteRules,
): Promise<SiteRecord & WithSecret> {
  const complete = withDefaults(site, rules)
  checkFields(complete, rules)
  const id = newSiteId()
  const secret = newSecret()
  const record = await changeSites(database, async (transaction) => {
    await refuseConflicts(transaction, [{ ...complete, id }])
    return insertSite(transaction, id, complete, secret)
  })
  return { ...record, secret }
}

/** A site with everything that was left out. */
export function withDefaults(site: NewSite, rules: SiteRules): SiteFields {
  return {
    name: site.name,
    redirectUrls: site.redirectUrls,
    providers: site.providers ?? rules.providers,
    requireSecret: site.requireSecret ?? false,
    limitFactor: site.limitFactor ?? 1,
    disabled: site.disabled ?? false,
  }
}

/** Every site, by name. */
export async function listSites(database: Database): Promise<readonly SiteRecord[]> {
  const rows = await database.prisma.site.findMany({ include: recordIncludes, orderBy: { name: 'asc' } })
  return rows.map(recordOf)
}

/**
 * The site as it is.
 * @throws {SiteError} not-found
 */
export function getSite({ prisma }: Database, id: string): Promise<SiteRecord> {
  return known(prisma, id)
}

/**
 * Changes what is given and leaves the rest; a list replaces the list. Holds on every replica after 2 s.
 * @param change the fields, or what makes them of the site as it is: nobody else changes it meanwhile
 * @throws {SiteError} invalid; not-found; conflict as for addSite
 */
export function updateSite(
  database: Database,
  id: string,
  change: Partial<SiteFields> | ((before: SiteRecord) => Partial<SiteFields>),
  rules: SiteRules,
): Promise<SiteRecord> {
  return changeSites(database, async (transaction) => {
    const before = await known(transaction, id)
    const changes = typeof change === 'function' ? change(before) : change
    checkFields(changes, rules)
    await refuseConflicts(transaction, [{ ...changes, id }])
    return changeSite(transaction, before, changes)
  })
}

/**
 * Gives the site a further secret. Two live: the one before goes on working, an older one no longer.
 * @throws {SiteError} not-found
 */
export async function rotateSecret(database: Database, id: string): Promise<WithSecret> {
  const secret = newSecret()
  await changeSites(database, async (transaction) => {
    await known(transaction, id)
    const [previous] = await transaction.siteSecret.findMany({
      where: { siteId: id },
      orderBy: { createdAt: 'desc' },
      take: 1,
    })
    const living = previous === undefined ? [] : [previous.hash]
    await transaction.siteSecret.deleteMany({ where: { siteId: id, hash: { notIn: living } } })
    // The time of this statement: that of the transaction may lie before its wait for the lock.
    await transaction.$executeRaw`
      INSERT INTO site_secrets (hash, site_id, created_at)
      VALUES (${hashSecret(secret)}, ${id}, clock_timestamp())`
  })
  return { id, secret }
}

/**
 * Removes a site for good: its URLs are free for others, its sessions end. A site may have very many sessions, so
 * it is disabled first and they go in batches; where this is interrupted, it can be called again.
 * @param deleteSessions deletes every session of the site
 * @throws {SiteError} not-found
 */
export async function removeSite(
  database: Database,
  id: string,
  deleteSessions: (siteId: string) => Promise<void>,
): Promise<void> {
  await changeSites(database, async (transaction) =>
    changeSite(transaction, await known(transaction, id), { disabled: true }),
  )
  await deleteSessions(id)
  await changeSites(database, (transaction) => transaction.site.deleteMany({ where: { id } }))
}

async function known(transaction: Pick<Prisma.TransactionClient, 'site'>, id: string): Promise<SiteRecord> {
  const row = siteId.test(id)
    ? await transaction.site.findUnique({ where: { id }, include: recordIncludes })
    : null
  if (row === null) throw new SiteError('not-found', `There is no site with the id "${shown(id)}".`)
  return recordOf(row)
}
