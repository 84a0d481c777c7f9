import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import t from 'tap'
import { strictEnv } from '../cli/run-cli.ts'
import { emptyDatabase, testDatabase } from '../support/database.ts'
import { logIn } from '../support/login-flow.ts'
import { startProcess } from '../support/process-service.ts'
import { testRedis, withoutRedis } from '../support/redis.ts'
import { redirectUrl, registerSite, startDoubles } from '../support/service.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const execute = promisify(execFile)

/** A next version of the service, with one migration more. @returns what runs its `src/cli.ts` */
async function nextVersion(test: Pick<Test, 'teardown'>, sql: string) {
  const folder = await mkdtemp(join(tmpdir(), 'auth-movies-next-'))
  test.teardown(() => rm(folder, { recursive: true, force: true }))
  for (const path of ['src', 'plugins', 'prisma', 'package.json'])
    await cp(join(root, path), join(folder, path), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  const migration = join(folder, 'prisma/migrations/99990101000000_next')
  await mkdir(migration)
  await writeFile(join(migration, 'migration.sql'), sql)
  return async (args: readonly string[], env: Record<string, string>): Promise<string> => {
    const options = { cwd: folder, env, timeout: 60_000 }
    const { stdout } = await execute(process.execPath, ['src/cli.ts', ...args], options)
    return stdout
  }
}

t.test('five processes that migrate at once apply each migration once', async (t) => {
  const env = strictEnv(await emptyDatabase(t))
  const next = await nextVersion(t, 'ALTER TABLE sites ADD COLUMN next INTEGER')
  const said = await Promise.all(Array.from({ length: 5 }, () => next(['migrate'], env)))
  const applied = said.flatMap((text) => (JSON.parse(text) as { applied: string[] }).applied)
  t.ok(applied.includes('99990101000000_next'))
  t.equal(new Set(applied).size, applied.length, applied.join(', '))
})

t.test(
  'a migration that fails, or waits for a table, leaves the version before it serving',
  {
    skip: withoutRedis,
  },
  async (t) => {
    const database = await testDatabase(t)
    await registerSite(database, redirectUrl)
    const service = await startProcess(t, {
      databaseUrl: database.url,
      redis: await testRedis(t),
      doubles: await startDoubles(t),
    })
    const env = strictEnv(database.url)
    const columns = async () => {
      const { rows } = await database.pool.query<{ name: string }>(
        `SELECT attname AS name FROM pg_attribute WHERE attrelid = 'sites'::regclass AND attname = 'next'`,
      )
      return rows.map(({ name }) => name)
    }
    const wrong = await nextVersion(t, 'ALTER TABLE sites ADD COLUMN next INTEGER; SELECT 1 / 0')
    await t.rejects(wrong(['migrate'], env), {
      code: 1,
      stderr: /Migration 9999\w+ was not applied: division by/,
    })
    t.strictSame(await columns(), [], 'nothing of it is left')
    await logIn(service)

    const slow = await nextVersion(t, 'ALTER TABLE sites ADD COLUMN next INTEGER')
    const reader = await database.pool.connect()
    try {
      await reader.query('BEGIN; SELECT FROM sites')
      const from = performance.now()
      await t.rejects(slow(['migrate'], env), { code: 1, stderr: /was not applied: .*lock timeout/ })
      t.ok(performance.now() - from < 15_000, 'it gives up, so that logins do not wait behind it')
      t.strictSame(await columns(), [])
    } finally {
      await reader.query('ROLLBACK')
      reader.release()
    }
    await logIn(service)

    t.match(await slow(['migrate'], env), /99990101000000_next/, 'repeated, it is applied')
    await logIn(service)
    const ready = await fetch(`${service.managementUrl}/health/ready`)
    t.equal(ready.status, 200, 'and the version before stays ready on the newer schema')
  },
)

t.test('the previous release works on this schema', { skip: withoutRedis }, async (t) => {
  const script = join(root, 'scripts/previous-release.ts')
  // tap's own variables would make its runner a part of this one.
  const kept = Object.entries(process.env).filter(([name]) => /^(PATH|HOME|TEST_\w+)$/.test(name))
  const env = Object.fromEntries(kept)
  const options = { cwd: root, env, timeout: 900_000, maxBuffer: 64 * 1024 * 1024 }
  const { stdout } = await execute(process.execPath, [script], options)
  t.match(stdout, /on the schema with \d{14}_/)
  t.match(stdout, /^[1-9]\d* passed, 0 failed, 0 skipped$/m)
})
