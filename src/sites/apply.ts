import { Value } from 'typebox/value'
import type { Prisma } from '../../prisma/client/client.ts'
import type { Database } from '../storage/postgres.ts'
import { changeSites, refuseConflicts } from './change-sites.ts'
import type { SiteFields, SiteRules } from './check-site.ts'
import { checkFields, checkId, shown } from './check-site.ts'
import type { NewSite } from './manage.ts'
import { withDefaults } from './manage.ts'
import type { SiteChanges } from './site-changes.ts'
import { changesBetween } from './site-changes.ts'
import type { SiteEntry } from './site-document.ts'
import { SitesDocument } from './site-document.ts'
import { SiteError } from './site-error.ts'
import type { SiteRecord } from './site-record.ts'
import { changeSite, insertSite, newSiteId, recordIncludes, recordOf } from './site-record.ts'
import { newSecret } from './site-secret.ts'

/** What an application of a file did, or in a dry run would do. */
export interface Applied {
  readonly dry_run: boolean
  /** Without a secret in a dry run, and without an id that would be made. */
  readonly created: readonly { readonly id?: string; readonly name: string; readonly secret?: string }[]
  readonly updated: readonly { readonly id: string; readonly name: string; readonly changes: SiteChanges }[]
  readonly unchanged: readonly { readonly id: string; readonly name: string }[]
}

/** How to apply. */
export interface ApplyOptions extends SiteRules {
  readonly dryRun: boolean
}

/**
 * Brings sites to what a document says, all or nothing; the same document again changes nothing. A site is known
 * by its id, or by its name where the entry has no id; an id that nobody has makes a site of that id. What an entry
 * leaves out, and a site that no entry names, stays as it is. A URL or a name may move between sites of the document.
 * @param document the parsed JSON, unchecked
 * @throws {SiteError} invalid, naming the place; conflict: a name or URL belongs to a site outside the document
 */
export async function applySites(
  database: Database,
  document: unknown,
  options: ApplyOptions,
): Promise<Applied> {
  const entries = readDocument(document, options)
  return changeSites(database, async (transaction) => {
    const plan = await makePlan(transaction, entries)
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

async function makePlan(transaction: Prisma.TransactionClient, entries: readonly SiteEntry[]): Promise<Plan> {
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
  const met = new Set<string>()
  for (const entry of entries) {
    const before = entry.id === undefined ? byName.get(entry.name) : byId.get(entry.id)
    if (before === undefined) created.push({ id: entry.id, entry })
    else if (met.has(before.id)) throw invalid(`Two entries are about site ${before.id} ("${before.name}").`)
    else {
      met.add(before.id)
      known.push({ before, fields: fieldsOf(entry) })
    }
  }
  return { created, known }
}

/** First what frees names and URLs, then what takes them. */
async function write(
  transaction: Prisma.TransactionClient,
  planned: Plan['created'],
  updated: Plan['known'],
  rules: SiteRules,
): Promise<Applied['created']> {
  for (const { before, fields } of updated) {
    const kept = before.redirectUrls.filter((url) => fields.redirectUrls.includes(url))
    await changeSite(transaction, before, {
      redirectUrls: kept,
      // Two sites may exchange their names; no name begins with a line end.
      ...(fields.name !== before.name && { name: `\n${before.id}` }),
    })
  }
  for (const { before, fields } of updated) {
    const kept = before.redirectUrls.filter((url) => fields.redirectUrls.includes(url))
    await changeSite(transaction, { ...before, redirectUrls: kept }, fields)
  }
  const created: Applied['created'][number][] = []
  for (const { id = newSiteId(), entry } of planned) {
    const secret = newSecret()
    await insertSite(transaction, id, withDefaults(fieldsOf(entry), rules), secret)
    created.push({ id, name: entry.name, secret })
  }
  return created
}

/** Everything that can be said against a document without the database. */
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
      throw invalid(`sites/${other} and sites/${place} have the same ${kind}: ${shown(value)}`)
    seen[kind].set(value, place)
  }
  for (const [place, entry] of document.sites.entries()) {
    try {
      if (entry.id !== undefined) checkId(entry.id)
      checkFields(fieldsOf(entry), rules)
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

function fieldsOf(entry: SiteEntry): NewSite & Partial<SiteFields> {
  return {
    name: entry.name,
    redirectUrls: entry.redirect_urls,
    ...(entry.providers !== undefined && { providers: entry.providers }),
    ...(entry.require_secret !== undefined && { requireSecret: entry.require_secret }),
    ...(entry.limit_factor !== undefined && { limitFactor: entry.limit_factor }),
    ...(entry.disabled !== undefined && { disabled: entry.disabled }),
  }
}

function invalid(sentence: string): SiteError {
  return new SiteError('invalid', sentence)
}
