import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { providers } from '../../plugins/index.ts'
import { hashSecret, newSecret, newSiteId, SiteError, siteId } from '../../src/sites/site.ts'
import {
  insertRow,
  recordIncludes,
  recordOf,
  refuseConflicts,
  underSitesLock,
  updateRow,
  withDefaults,
} from '../../src/sites/store.ts'
import { checkFields, siteRules } from '../../src/sites/validate.ts'
import type { Database } from '../../src/storage/postgres.ts'

/** The demo site's id and secret, as `site add` would have printed them. */
export interface DemoCredentials {
  readonly id: string
  readonly secret: string
}

const Saved = Type.Object({ id: Type.String(), secret: Type.String() })
const name = 'Demo site'

/** How the demo site is registered. */
export interface DemoRegistration {
  /** Where the demo site listens this time (the sandbox may use the next free port), and URLs of a site of one's own. */
  readonly redirectUrls: readonly string[]
  /** An id and a secret of one's own; made where absent. */
  readonly id?: string | undefined
  readonly secret?: string | undefined
}

/**
 * Checks what can be checked of a registration without a database.
 * @throws {SiteError} a redirect URL or the id cannot be used
 */
export function checkRegistration({ redirectUrls, id }: DemoRegistration): void {
  if (id !== undefined && !siteId.test(id))
    throw new SiteError('invalid', 'The id of the site has letters, digits, _ and - alone.')
  const rules = siteRules('development', providers)
  if (redirectUrls.length > 0) checkFields(withDefaults({ name, redirectUrls }, rules), rules)
}

/**
 * Registers the demo site once and keeps its credentials over restarts. The database has only the hash of the secret, so
 * the secret itself is in a file (mode 0600), which is acceptable in a sandbox.
 * @throws {SiteError} a redirect URL or the id cannot be used
 */
export async function demoCredentials(
  database: Database,
  directory: string,
  { redirectUrls, id, secret }: DemoRegistration,
): Promise<DemoCredentials> {
  checkRegistration({ redirectUrls, id })
  const rules = siteRules('development', providers)
  const path = join(directory, 'demo-site.json')
  // First make sure that the file can be written, so that no site is registered whose secret would be lost.
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const known = await database.prisma.site.findFirst({ where: { name } })
  const saved = await read(path)
  const wantedId = id ?? known?.id ?? newSiteId()
  const savedSecret = saved?.id === wantedId ? saved.secret : undefined
  const wanted = { id: wantedId, secret: secret ?? savedSecret ?? newSecret() }
  const site = withDefaults({ name, redirectUrls }, rules)
  await underSitesLock(database, async (transaction) => {
    // Of an earlier start with another id.
    await transaction.site.deleteMany({ where: { name, id: { not: wanted.id } } })
    await refuseConflicts(transaction, [{ ...site, id: wanted.id }])
    const row = await transaction.site.findUnique({ where: { id: wanted.id }, include: recordIncludes })
    if (row === null) await insertRow(transaction, wanted.id, site, wanted.secret)
    else {
      await updateRow(transaction, recordOf(row), { redirectUrls })
      const hash = hashSecret(wanted.secret)
      await transaction.siteSecret.deleteMany({ where: { siteId: wanted.id, hash: { not: hash } } })
      await transaction.siteSecret.upsert({
        where: { hash },
        create: { hash, siteId: wanted.id },
        update: {},
      })
    }
  })
  return await save(path, wanted)
}

async function read(path: string): Promise<DemoCredentials | undefined> {
  try {
    return Value.Parse(Saved, JSON.parse(await readFile(path, 'utf8')))
  } catch {
    return undefined
  }
}

async function save(path: string, credentials: DemoCredentials): Promise<DemoCredentials> {
  await writeFile(path, JSON.stringify(credentials), { mode: 0o600 })
  return credentials
}
