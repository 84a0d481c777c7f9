import { createHash, randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { Pool } from 'pg'
import { Client } from 'pg'
import { isReadOnly, lacksRights, takesNoWrites, unavailableBecause } from './database-errors.ts'
import { connectionOf } from './database-url.ts'

const directory = new URL('../../prisma/migrations/', import.meta.url)

// The key under which Prisma's `migrate deploy` works too: it and we never run at once.
const lockKey = 72_707_369
const lockWithin = '60s'
// A statement that waits for a table blocks all who come after it: rather give up and be started again.
const tableWithin = '5s'

// Prisma's own table, so that its tools understand a database of ours and the other way round.
const table = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id VARCHAR(36) PRIMARY KEY NOT NULL,
  checksum VARCHAR(64) NOT NULL,
  finished_at TIMESTAMPTZ,
  migration_name VARCHAR(255) NOT NULL,
  logs TEXT,
  rolled_back_at TIMESTAMPTZ,
  started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  applied_steps_count INTEGER NOT NULL DEFAULT 0
)`

/** What an operator is told where a service or a command begins before its migrations. */
export const notAtThisVersion =
  'The database is not at this version: run `node src/cli.ts migrate` first, with the same variables (`node --env-file=.env` where they stand in that file).'

/** The migrations were not applied; the message is a sentence for an operator, without address or password. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError'
}

/**
 * Brings the database to this version's schema. Each migration and its record are one transaction, so that a
 * failure or a crash leaves nothing half done; two at once are safe: one waits, then finds nothing to do.
 * Migrations that this version does not know are left alone: a newer version applied them.
 * @param url a direct address, not through a pooler
 * @returns the names of those applied, in order; none where everything was up to date
 * @throws {MigrationError}
 */
export async function migrate(url: string): Promise<readonly string[]> {
  const { connectionString, schema } = connectionOf(url)
  const client = await connect(connectionString)
  try {
    if (schema !== undefined) {
      await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`).catch((error: unknown) => {
        throw new MigrationError(`The schema ${schema} was not made: ${reasonOf(error)}`, { cause: error })
      })
      await client.query(`SET search_path = ${schema}`)
    }
    const applied: string[] = []
    for (const migration of await readMigrations())
      if (await applyOnce(client, migration)) applied.push(migration.name)
    return applied
  } finally {
    await client.end().catch(() => {})
  }
}

/** The names of this version's migrations that the database does not have, in order. */
export async function pendingMigrations(pool: Pool): Promise<readonly string[]> {
  const migrations = await readMigrations()
  const { rows } = await pool.query<{ found: boolean }>(
    `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS found`,
  )
  const done = rows[0]?.found === true ? await finished(pool) : new Map()
  return migrations.filter(({ name }) => !done.has(name)).map(({ name }) => name)
}

interface Migration {
  readonly name: string
  readonly sql: string
  /** As Prisma computes it. */
  readonly checksum: string
}

async function readMigrations(): Promise<Migration[]> {
  const entries = await readdir(directory, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  return Promise.all(
    names.toSorted().map(async (name) => {
      const sql = await readFile(new URL(`${name}/migration.sql`, directory), 'utf8')
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}

async function connect(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString, connectionTimeoutMillis: 5_000, keepAlive: true })
  client.on('error', () => {})
  try {
    await client.connect()
    return client
  } catch (error) {
    throw new MigrationError(unavailableBecause(error), { cause: error })
  }
}

/**
 * Applies one migration unless it is there, in one transaction together with its record. The lock belongs to
 * the transaction, so that it ends with it in every case; on the embedded database, where all connections are
 * one session, the open transaction itself keeps others out.
 * @returns whether it was applied now
 */
async function applyOnce(client: Client, { name, sql, checksum }: Migration): Promise<boolean> {
  try {
    await client.query('BEGIN')
    await client.query(`SET LOCAL lock_timeout = '${lockWithin}'`)
    await client.query('SELECT pg_advisory_xact_lock($1)', [lockKey])
    await client.query(`SET LOCAL lock_timeout = '${tableWithin}'`)
    await client.query(`SET LOCAL client_min_messages = 'warning'`)
    await client.query(table)
    const known = (await finished(client)).get(name)
    if (known !== undefined && known !== checksum)
      throw new MigrationError(
        `it was applied before with another text; an applied migration must not change`,
      )
    if (known === undefined) {
      // Without parameters it is one message of many statements, function bodies with semicolons included.
      await client.query(sql)
      await client.query(
        `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
         VALUES ($1, $2, $3, now(), clock_timestamp(), 1)`,
        [randomUUID(), checksum, name],
      )
    }
    await client.query('COMMIT')
    return known === undefined
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw new MigrationError(`Migration ${name} was not applied: ${reasonOf(error)}`, { cause: error })
  }
}

/** Checksum by name. A row that Prisma's tools left unfinished does not count. */
async function finished(client: Client | Pool): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<{ migration_name: string; checksum: string }>(
    `SELECT migration_name, checksum FROM _prisma_migrations
     WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL`,
  )
  return new Map(rows.map((row) => [row.migration_name, row.checksum]))
}

/** Why the database refused a change of the schema, and what to do where we know it. */
function reasonOf(error: unknown): string {
  if (isReadOnly(error)) return takesNoWrites
  const message = error instanceof Error ? error.message : String(error)
  return lacksRights(error)
    ? `${message}. Migrations need the role that owns the tables: set DATABASE_DIRECT_URL with it.`
    : `${message}.`
}
