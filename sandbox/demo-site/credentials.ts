import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { providers } from '../../plugins/index.ts'
import { addSite, listSites, rotateSecret, updateSite } from '../../src/sites/store.ts'
import type { Database } from '../../src/storage/postgres.ts'

/** The demo site's id and secret, as `site add` would have printed them. */
export interface DemoCredentials {
  readonly id: string
  readonly secret: string
}

const Saved = Type.Object({ id: Type.String(), secret: Type.String() })
const name = 'Demo site'

/**
 * The demo site, registered once and kept over restarts. Only the hash of its secret is in the database, so the
 * secret itself lies beside it (mode 0600): this is a sandbox.
 * @param redirectUrl where it listens this time; the sandbox takes the next free port
 */
export async function demoCredentials(
  database: Database,
  directory: string,
  redirectUrl: string,
): Promise<DemoCredentials> {
  const rules = { loopback: true, providers: providers.map((provider) => provider.name) }
  const path = join(directory, 'demo-site.json')
  // Before anything is registered whose secret could then not be kept.
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
