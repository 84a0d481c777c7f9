import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { providers } from '../../plugins/index.ts'
import { addSite, listSites, rotateSecret, updateSite } from '../../src/sites/store.ts'
import { siteRules } from '../../src/sites/validate.ts'
import type { Database } from '../../src/storage/postgres.ts'

/** The demo site's id and secret, as `site add` would have printed them. */
export interface DemoCredentials {
  readonly id: string
  readonly secret: string
}

const Saved = Type.Object({ id: Type.String(), secret: Type.String() })
const name = 'Demo site'

/**
 * Registers the demo site once and keeps its credentials over restarts. The database has only the hash of the secret, so
 * the secret itself is in a file (mode 0600), which is acceptable in a sandbox.
 * @param redirectUrl where the demo site listens this time: the sandbox uses the next free port
 */
export async function demoCredentials(
  database: Database,
  directory: string,
  redirectUrl: string,
): Promise<DemoCredentials> {
  const rules = siteRules('development', providers)
  const path = join(directory, 'demo-site.json')
  // First make sure that the file can be written, so that no site is registered whose secret would be lost.
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const known = (await listSites(database)).find((site) => site.name === name)
  if (known === undefined) {
    const { id, secret } = await addSite(database, { name, redirectUrls: [redirectUrl] }, rules)
    return await save(path, { id, secret })
  }
  if (known.redirectUrls.join() !== redirectUrl)
    await updateSite(database, known.id, { redirectUrls: [redirectUrl] }, rules)
  const saved = await read(path)
  if (saved?.id === known.id) return saved
  const { id, secret } = await rotateSecret(database, known.id)
  return await save(path, { id, secret })
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
