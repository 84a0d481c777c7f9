import { Value } from 'typebox/value'
import type { Prisma } from '../../prisma/client/client.ts'
import type { Database } from '../storage/postgres.ts'
import type { NewSite, SiteEntry, SiteFields, SiteRecord } from './site.ts'
import { fieldsFromJson, newSecret, newSiteId, SiteError, SitesDocument } from './site.ts'
import {
  insertRow,
  recordIncludes,
  recordOf,
  refuseConflicts,
  underSitesLock,
  updateRow,
  withDefaults,
} from './store.ts'
import type { SiteRules } from './validate.ts'
import { checkChanges, checkFields, checkId, invalid, printable } from './validate.ts'

/** What applying a document did, or in a dry run would do. */
export interface Applied {
  readonly dry_run: boolean
  /** In a dry run without a secret, and without an id where one would be generated. */
  readonly created: readonly { readonly id?: string; readonly name: string; readonly secret?: string }[]
  readonly updated: readonly { readonly id: string; readonly name: string; readonly changes: SiteChanges }[]
  readonly unchanged: readonly { readonly id: string; readonly name: string }[]
}

/** How to apply. */
export interface ApplyOptions extends SiteRules {
  readonly dryRun: boolean
}

/**
 * Brings sites to what a document says, all or nothing; the same document again changes nothing. A site is found
 * by its id, or by its name where the entry has no id; an id that no site has creates a site with that id. A field that
 * an entry leaves out, and a site that no entry names, stays as it is. A URL or a name may move between sites of the
 * document.
 * @param document the parsed JSON, unchecked
 * @throws {SiteError} invalid, naming the place; conflict: a name or URL belongs to a site outside the document
 */
export async function applySites(
  database: Database,
  document: unknown,
  options: ApplyOptions,
): Promise<Applied> {
  const entries = readDocument(document, options)
  return underSitesLock(database, async (transaction) => {
    const plan = await makePlan(transaction, entries, options)
    await refuseConflicts(transaction, [
      ...plan.created.map(({ id, entry }) => ({ ...fieldsOf(entry), id: id ?? '' })),
      ...plan.known.map(({ before, fields }) => ({ ...fields, id: before.id })),
    ])
    const changed = plan.known.map((site) => ({ ...site, changes: changesBetween(site.before, site.fields) }))
    const updated = changed.filter(({ changes }) => Object.keys(changes).length > 0)
    const created = options.dryRun
      ? plan.created.map(({ id, entry }) => ({ ...(id !== undefined && { id }), name: entry.name }))
      : await write(transaction, plan.created, updated, options)
    return {
      dry_run: options.dryRun,
      created,
      updated: updated.map(({ before, fields, changes }) => ({ id: before.id, name: fields.name, changes })),
      unchanged: changed
        .filter(({ changes }) => Object.keys(changes).length === 0)
        .map(({ before }) => ({ id: before.id, name: before.name })),
    }
  })
}

interface Plan {
  readonly created: readonly { readonly id: string | undefined; readonly entry: SiteEntry }[]
  readonly known: readonly { readonly before: SiteRecord; readonly fields: NewSite }[]
}

async function makePlan(
  transaction: Prisma.TransactionClient,
  entries: readonly SiteEntry[],
  rules: SiteRules,
): Promise<Plan> {
  const rows = await transaction.site.findMany({
    where: {
      OR: [
        { id: { in: entries.flatMap(({ id }) => id ?? []) } },
        { name: { in: entries.map(({ name }) => name) } },
      ],
    },
    include: recordIncludes,
  })
  const records = rows.map(recordOf)
  const byId = new Map(records.map((record) => [record.id, record]))
  const byName = new Map(records.map((record) => [record.name, record]))
  const created: Plan['created'][number][] = []
  const known: Plan['known'][number][] = []
  const seen = new Set<string>()
  for (const entry of entries) {
    const before = entry.id === undefined ? byName.get(entry.name) : byId.get(entry.id)
    if (before === undefined) {
      checkFields(fieldsOf(entry), rules)
      created.push({ id: entry.id, entry })
    } else if (seen.has(before.id))
      throw invalid(`Two entries are about site ${before.id} ("${before.name}").`)
    else {
      seen.add(before.id)
      const fields = fieldsOf(entry)
      checkChanges(before, fields, rules)
      known.push({ before, fields })
    }
  }
  return { created, known }
}

/** First frees names and URLs, then gives them to the sites that take them. */
async function write(
  transaction: Prisma.TransactionClient,
  planned: Plan['created'],
  updated: Plan['known'],
  rules: SiteRules,
): Promise<Applied['created']> {
  for (const { before, fields } of updated) {
    const staying = before.redirectUrls.filter((url) => fields.redirectUrls.includes(url))
    await updateRow(transaction, before, {
      redirectUrls: staying,
      // Two sites may exchange their names, so the old name is replaced by one that no site can have.
      ...(fields.name !== before.name && { name: `\n${before.id}` }),
    })
  }
  for (const { before, fields } of updated) {
    const staying = before.redirectUrls.filter((url) => fields.redirectUrls.includes(url))
    await updateRow(transaction, { ...before, redirectUrls: staying }, fields)
  }
  const created: Applied['created'][number][] = []
  for (const { id = newSiteId(), entry } of planned) {
    const secret = newSecret()
    await insertRow(transaction, id, withDefaults(fieldsOf(entry), rules), secret)
    created.push({ id, name: entry.name, secret })
  }
  return created
}

/**
 * Checks everything that can be checked without the database.
 * @throws {SiteError} invalid, naming the place
 */
function readDocument(document: unknown, rules: SiteRules): readonly SiteEntry[] {
  if (!Value.Check(SitesDocument, document)) {
    const [error] = Value.Errors(SitesDocument, document)
    throw invalid(
      `The document does not fit: ${error?.instancePath || 'it'} ${error?.message ?? 'is wrong'}.`,
    )
  }
  const seen = {
    id: new Map<string, number>(),
    name: new Map<string, number>(),
    url: new Map<string, number>(),
  }
  const once = (kind: keyof typeof seen, value: string, place: number) => {
    const other = seen[kind].get(value)
    if (other !== undefined)
      throw invalid(`sites/${other} and sites/${place} have the same ${kind}: ${printable(value)}`)
    seen[kind].set(value, place)
  }
  for (const [place, entry] of document.sites.entries()) {
    try {
      if (entry.id !== undefined) checkId(entry.id)
      // Whether a site that is known already is native, only the database can tell: then the plan checks its URLs.
      checkFields({ native: true, ...fieldsOf(entry) }, rules)
    } catch (error) {
      if (error instanceof SiteError) throw invalid(`sites/${place}: ${error.message}`)
      throw error
    }
    if (entry.id !== undefined) once('id', entry.id, place)
    once('name', entry.name, place)
    for (const url of entry.redirect_urls) once('url', url, place)
  }
  return document.sites
}

function fieldsOf(entry: SiteEntry): NewSite {
  return { ...fieldsFromJson(entry), name: entry.name, redirectUrls: entry.redirect_urls }
}

interface Replaced<Value> {
  readonly from: Value
  readonly to: Value
}

interface ListChange {
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

/** What changes of a site, as JSON; empty where nothing changes. */
export interface SiteChanges {
  readonly name?: Replaced<string>
  readonly redirect_urls?: ListChange
  readonly providers?: ListChange
  readonly require_secret?: Replaced<boolean>
  readonly limit_factor?: Replaced<number>
  readonly disabled?: Replaced<boolean>
  readonly post_logout_redirect_urls?: ListChange
  readonly native?: Replaced<boolean>
  readonly id_token_alg?: Replaced<string>
}

/** How the fields differ from what the site was. Lists are compared as sets: their order does not matter. */
export function changesBetween(before: SiteFields, after: Partial<SiteFields>): SiteChanges {
  const name = replaced(before.name, after.name)
  const redirectUrls = listChange(before.redirectUrls, after.redirectUrls)
  const providers = listChange(before.providers, after.providers)
  const requireSecret = replaced(before.requireSecret, after.requireSecret)
  const limitFactor = replaced(before.limitFactor, after.limitFactor)
  const disabled = replaced(before.disabled, after.disabled)
  const logoutUrls = listChange(before.postLogoutRedirectUrls, after.postLogoutRedirectUrls)
  const native = replaced(before.native, after.native)
  const idTokenAlg = replaced(before.idTokenAlg, after.idTokenAlg)
  return {
    ...(name && { name }),
    ...(redirectUrls && { redirect_urls: redirectUrls }),
    ...(providers && { providers }),
    ...(requireSecret && { require_secret: requireSecret }),
    ...(limitFactor && { limit_factor: limitFactor }),
    ...(disabled && { disabled }),
    ...(logoutUrls && { post_logout_redirect_urls: logoutUrls }),
    ...(native && { native }),
    ...(idTokenAlg && { id_token_alg: idTokenAlg }),
  }
}

function replaced<Value>(from: Value, to: Value | undefined): Replaced<Value> | undefined {
  return to === undefined || to === from ? undefined : { from, to }
}

function listChange(from: readonly string[], to: readonly string[] | undefined): ListChange | undefined {
  if (to === undefined) return undefined
  const added = to.filter((value) => !from.includes(value))
  const removed = from.filter((value) => !to.includes(value))
  return added.length + removed.length === 0 ? undefined : { added, removed }
}
