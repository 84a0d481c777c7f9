import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

const repository = fileURLToPath(new URL('../../', import.meta.url))

/** The version that the copy calls itself. */
export const nextVersion = '99.0.0'

/** What its migration does: it only adds, as every migration must, so that the version before goes on working. */
const migration = `ALTER TABLE sessions ADD COLUMN rehearsal TEXT;
CREATE TABLE rehearsals (id UUID PRIMARY KEY, at TIMESTAMPTZ NOT NULL DEFAULT now());
`

/**
 * Makes a copy of the code as the next version would be: another number and one more migration. Removed when `test` ends.
 * @returns its folder, and the name of the migration
 */
export async function makeNextVersion(test: Pick<Test, 'teardown'>) {
  const root = await mkdtemp(join(tmpdir(), 'auth-movies-next-'))
  test.teardown(() => rm(root, { recursive: true, force: true }))
  for (const folder of ['src', 'plugins', 'prisma'])
    await cp(join(repository, folder), join(root, folder), { recursive: true })
  await symlink(join(repository, 'node_modules'), join(root, 'node_modules'))
  const manifest: object = JSON.parse(await readFile(join(repository, 'package.json'), 'utf8'))
  await writeFile(join(root, 'package.json'), JSON.stringify({ ...manifest, version: nextVersion }))
  const name = '99991231000000_rehearsal'
  await mkdir(join(root, 'prisma/migrations', name))
  await writeFile(join(root, 'prisma/migrations', name, 'migration.sql'), migration)
  return { root, migration: name }
}
