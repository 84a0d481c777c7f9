import { createHash, randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { PoolClient } from 'pg'
import { Client } from 'pg'
import t from 'tap'
import type { Deadlines } from '../../src/deadlines.ts'
import { migrate } from '../../src/storage/migrate.ts'
import type { Database, DatabaseOptions } from '../../src/storage/postgres.ts'
import { openDatabase } from '../../src/storage/postgres.ts'
import { patient } from './deadlines.ts'
import { startPostgres } from './postgres-server.ts'

type Test = Pick<typeof t, 'teardown'>

/** A database with this version's schema, and its URL. */
export type TestDatabase = Database & { readonly url: string }

/**
 * A new, empty, migrated database on real PostgreSQL; dropped when `test` ends.
 * @param poolMax connections of its pool
 * @param deadlines long ones by default, for tests that are not about deadlines
 */
export async function testDatabase(
  test: Test,
  poolMax = 10,
  deadlines: Deadlines = patient,
): Promise<TestDatabase> {
  const url = await emptyDatabase(test, await template())
  return { ...openTestDatabase(test, { url, poolMax, deadlines }), url }
}

/**
 * Opens a database as the service does, with patient deadlines unless others are given. Closed when `test` ends, even
 * where a failed assertion kept a test from giving a connection back: closing would wait for it for ever.
 */
export function openTestDatabase(test: Test, options: DatabaseOptions): Database {
  const database = openDatabase({ deadlines: patient, ...options })
  const held = new Set<PoolClient>()
  database.pool.on('acquire', (client) => held.add(client))
  database.pool.on('release', (_error, client) => held.delete(client))
  test.teardown(async () => {
    const timer = setTimeout(() => {
      for (const client of held) client.release(true)
    }, 5_000)
    await database.close()
    clearTimeout(timer)
  })
  return database
}

/** Makes a database as a copy of `source` (by default PostgreSQL's own empty one); dropped when `test` ends. @returns its URL */
export async function emptyDatabase(test: Test, source = 'template1'): Promise<string> {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await administer((client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${source}`))
  test.teardown(() => administer((client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)))
  return withName(await serverUrl(), name)
}

/** `url` with another database's name. */
export function withName(url: string, name: string): string {
  const other = new URL(url)
  other.pathname = `/${name}`
  return other.href
}

let server: Promise<string> | undefined

/** TEST_DATABASE_URL, which `npm test` sets. A file that is run without it starts a server of its own. */
function serverUrl(): Promise<string> {
  server ??=
    process.env.TEST_DATABASE_URL === undefined ? ownServer() : Promise.resolve(process.env.TEST_DATABASE_URL)
  return server
}

async function ownServer(): Promise<string> {
  const own = await startPostgres()
  t.teardown(() => own.remove())
  return own.url
}

/** The migrated database from which the tests' databases are copied, one per schema: copying is faster than migrating. */
async function template(): Promise<string> {
  const name = `auth_movies_template_${await migrationsDigest()}`
  const url = withName(await serverUrl(), `${name}_new`)
  await administer(async (client) => {
    // Two test files may run this at the same time.
    await client.query('SELECT pg_advisory_lock(20261125)')
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name])
    if (rowCount !== 0) return
    await client.query(`DROP DATABASE IF EXISTS ${name}_new WITH (FORCE)`)
    await client.query(`CREATE DATABASE ${name}_new`)
    await migrate(url)
    await client.query(`ALTER DATABASE ${name}_new RENAME TO ${name}`)
  })
  return name
}

async function migrationsDigest(): Promise<string> {
  const directory = new URL('../../prisma/migrations/', import.meta.url)
  const hash = createHash('sha256')
  for (const name of (await readdir(directory)).toSorted())
    if (!name.endsWith('.toml')) hash.update(await readFile(new URL(`${name}/migration.sql`, directory)))
  return hash.digest('hex').slice(0, 16)
}

async function administer(work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: await serverUrl() })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
