import type { Prisma } from '../../prisma/client/client.ts'
import { advisoryLocks } from '../storage/advisory-locks.ts'
import type { Database } from '../storage/postgres.ts'
import { transactionOptions } from '../storage/postgres.ts'
import { hostOf } from './redirect-url.ts'
import type { NewSite, SiteFields, SiteRecord } from './site.ts'
import { hashSecret, idTokenAlgOf, newSecret, newSiteId, SiteError, siteId } from './site.ts'
import type { SiteRules } from './validate.ts'
import { checkChanges, checkFields, printable } from './validate.ts'

/** A new secret is shown once, here; only its digest is stored. */
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
  const record = await underSitesLock(database, async (transaction) => {
    await refuseConflicts(transaction, [{ ...complete, id }])
    return insertRow(transaction, id, complete, secret)
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
    postLogoutRedirectUrls: site.postLogoutRedirectUrls ?? [],
    native: site.native ?? false,
    idTokenAlg: site.idTokenAlg ?? 'RS256',
  }
}

/** Every site, by name. */
export async function listSites(database: Database): Promise<readonly SiteRecord[]> {
  const rows = await database.prisma.site.findMany({ include: recordIncludes, orderBy: { name: 'asc' } })
  return rows.map(recordOf)
}

/**
 * The site of this id.
 * @throws {SiteError} not-found
 */
export function getSite({ prisma }: Database, id: string): Promise<SiteRecord> {
  return findRecord(prisma, id)
}

/**
 * Changes the fields that are given and leaves the rest; a list replaces the list. Every replica follows within 2 s.
 * @param change the fields, or a function that gives them for the site as it is: nothing else changes it meanwhile
 * @throws {SiteError} invalid; not-found; conflict as for addSite
 */
export function updateSite(
  database: Database,
  id: string,
  change: Partial<SiteFields> | ((before: SiteRecord) => Partial<SiteFields>),
  rules: SiteRules,
): Promise<SiteRecord> {
  return underSitesLock(database, async (transaction) => {
    const before = await findRecord(transaction, id)
    const changes = typeof change === 'function' ? change(before) : change
    checkChanges(before, changes, rules)
    await refuseConflicts(transaction, [{ ...changes, id }])
    return updateRow(transaction, before, changes)
  })
}

/**
 * Gives the site a further secret. At most two are live: the previous one goes on working, an older one is deleted.
 * @throws {SiteError} not-found
 */
export async function rotateSecret(database: Database, id: string): Promise<WithSecret> {
  const secret = newSecret()
  await underSitesLock(database, async (transaction) => {
    await findRecord(transaction, id)
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
  await underSitesLock(database, async (transaction) =>
    updateRow(transaction, await findRecord(transaction, id), { disabled: true }),
  )
  await deleteSessions(id)
  await underSitesLock(database, (transaction) => transaction.site.deleteMany({ where: { id } }))
}

/**
 * Runs a change of sites in a transaction of its own, one change after the other in the whole deployment: what it
 * looked up (whose URL is this?) then holds until it commits. Logins only read and do not wait.
 */
export function underSitesLock<Result>(
  database: Database,
  work: (transaction: Prisma.TransactionClient) => Promise<Result>,
): Promise<Result> {
  return database.prisma.$transaction(async (transaction) => {
    await transaction.$executeRaw`SELECT pg_advisory_xact_lock(${advisoryLocks.sites}::int8)`
    return work(transaction)
  }, transactionOptions)
}

/**
 * Refuses a name or URL that belongs to a site other than these; between these sites they may move.
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

/** What a query must include to make a record. */
export const recordIncludes = {
  redirectUrls: { orderBy: { url: 'asc' } },
  secrets: { select: { hash: true } },
} as const satisfies Prisma.SiteInclude

type SiteRow = Prisma.SiteGetPayload<{ include: typeof recordIncludes }>

/** The record in a row that was read with `recordIncludes`. */
export function recordOf(row: SiteRow): SiteRecord {
  return {
    id: row.id,
    name: row.name,
    redirectUrls: row.redirectUrls.map(({ url }) => url),
    providers: row.providers,
    requireSecret: row.requireSecret,
    limitFactor: row.limitFactor,
    disabled: row.disabledAt !== null,
    postLogoutRedirectUrls: row.postLogoutRedirectUrls,
    native: row.native,
    idTokenAlg: idTokenAlgOf(row.idTokenAlg),
    createdAt: row.createdAt,
    liveSecrets: row.secrets.length,
  }
}

async function findRecord(
  transaction: Pick<Prisma.TransactionClient, 'site'>,
  id: string,
): Promise<SiteRecord> {
  const row = siteId.test(id)
    ? await transaction.site.findUnique({ where: { id }, include: recordIncludes })
    : null
  if (row === null) throw new SiteError('not-found', `There is no site with the id "${printable(id)}".`)
  return recordOf(row)
}

/** Writes a new site, whose fields have been checked. */
export async function insertRow(
  transaction: Prisma.TransactionClient,
  id: string,
  site: SiteFields,
  secret: string,
): Promise<SiteRecord> {
  const row = await transaction.site.create({
    data: {
      id,
      name: site.name,
      providers: [...site.providers],
      requireSecret: site.requireSecret,
      limitFactor: site.limitFactor,
      disabledAt: site.disabled ? new Date() : null,
      postLogoutRedirectUrls: [...site.postLogoutRedirectUrls],
      native: site.native,
      idTokenAlg: site.idTokenAlg,
      redirectUrls: { createMany: { data: site.redirectUrls.map(urlRow) } },
      secrets: { create: { hash: hashSecret(secret) } },
    },
    include: recordIncludes,
  })
  return recordOf(row)
}

/** Writes the given fields, which have been checked, of a site that exists. */
export async function updateRow(
  transaction: Prisma.TransactionClient,
  before: SiteRecord,
  { name, redirectUrls, providers, requireSecret, limitFactor, disabled, ...openid }: Partial<SiteFields>,
): Promise<SiteRecord> {
  const row = await transaction.site.update({
    where: { id: before.id },
    data: {
      ...(name !== undefined && { name }),
      ...(providers !== undefined && { providers: [...providers] }),
      ...(requireSecret !== undefined && { requireSecret }),
      ...(limitFactor !== undefined && { limitFactor }),
      ...(openid.native !== undefined && { native: openid.native }),
      ...(openid.idTokenAlg !== undefined && { idTokenAlg: openid.idTokenAlg }),
      ...(openid.postLogoutRedirectUrls !== undefined && {
        postLogoutRedirectUrls: [...openid.postLogoutRedirectUrls],
      }),
      // A site that is disabled a second time keeps the time of the first.
      ...(disabled !== undefined &&
        disabled !== before.disabled && { disabledAt: disabled ? new Date() : null }),
      ...(redirectUrls !== undefined && {
        redirectUrls: {
          deleteMany: { url: { notIn: [...redirectUrls] } },
          createMany: { data: redirectUrls.filter((url) => !before.redirectUrls.includes(url)).map(urlRow) },
        },
      }),
    },
    include: recordIncludes,
  })
  return recordOf(row)
}

function urlRow(url: string): { url: string; host: string } {
  return { url, host: hostOf(url) ?? '' }
}
