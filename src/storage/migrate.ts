import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { PrismaPg } from '@prisma/adapter-pg'
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils'
import type { MigrationList } from '@prisma/schema-engine-wasm'
import { SchemaEngine } from '@prisma/schema-engine-wasm'
import pg from 'pg'
import { connectionOf } from './database-url.ts'

const directory = fileURLToPath(new URL('../../prisma/migrations', import.meta.url))

// Any constant; Prisma's own `migrate deploy` takes 72707369 as well, under which the engine then works.
const lockKey = 7_413_001
const lockWithin = 60_000

/** The migrations were not applied; the message is a sentence for an operator, without address or password. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError'
}

/**
 * Brings the database to this version's schema. Two at once are safe: one waits for the other and then finds
 * nothing to do. Each migration is one transaction, and gives up rather than wait behind a long statement.
 * @param url a direct address, not through a pooler
 * @returns the names of those applied, in order; none where everything was up to date
 * @throws {MigrationError}
 */
export async function migrate(url: string): Promise<readonly string[]> {
  const { connectionString, schema } = connectionOf(url)
  const lock = await connect(connectionString)
  try {
    if (schema !== undefined) await lock.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`)
    await takeLock(lock)
    return await applyAll(connectionString, schema)
  } catch (error) {
    if (error instanceof MigrationError) throw error
    throw new MigrationError(`The migrations could not be applied: ${messageOf(error)}`, { cause: error })
  } finally {
    await lock.query('SELECT pg_advisory_unlock($1)', [lockKey]).catch(() => {})
    await lock.end().catch(() => {})
  }
}

/** The names of this version's migrations that the database does not have, in order. */
export async function pendingMigrations(pool: pg.Pool): Promise<readonly string[]> {
  const names = (await migrationNames()).toSorted()
  const { rows: tables } = await pool.query<{ found: boolean }>(
    `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS found`,
  )
  if (tables[0]?.found !== true) return names
  const { rows } = await pool.query<{ migration_name: string }>(
    'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
  )
  const applied = new Set(rows.map((row) => row.migration_name))
  return names.filter((name) => !applied.has(name))
}

/** The engine reports a missing database as an opaque error from WebAssembly; pg says what is the matter. */
async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000, keepAlive: true })
  client.on('error', () => {})
  try {
    await client.connect()
    return client
  } catch (error) {
    throw new MigrationError(`The database cannot be reached: ${messageOf(error)}`, { cause: error })
  }
}

/**
 * Tries rather than waits: a waiting statement would hold back `CREATE INDEX CONCURRENTLY` for ever. On the
 * embedded database all connections are one session, to which its own lock is no obstacle: hence the look
 * into pg_locks.
 */
async function takeLock(client: pg.Client): Promise<void> {
  const until = performance.now() + lockWithin
  for (;;) {
    const { rows } = await client.query<{ taken: boolean }>(
      `SELECT CASE WHEN EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = $1::int8::oid
         AND classid = 0 AND objsubid = 1 AND pid = pg_backend_pid())
       THEN false ELSE pg_try_advisory_lock($1::int8) END AS taken`,
      [lockKey],
    )
    if (rows[0]?.taken === true) return
    if (performance.now() > until)
      throw new MigrationError('Another migration has been running for a minute; try again when it has ended.')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function applyAll(connectionString: string, schema: string | undefined): Promise<readonly string[]> {
  const settings = { TimeZone: 'UTC', lock_timeout: 5_000, ...(schema !== undefined && { search_path: schema }) }
  const options = Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ')
  const adapter = new WholeScripts({ connectionString, options, max: 1 }, schema === undefined ? {} : { schema })
  const engine = await SchemaEngine.new(
    { datamodels: undefined },
    () => {},
    bindMigrationAwareSqlAdapterFactory(adapter),
  )
  const migrationsList = await readMigrations()
  const filters = { externalTables: [], externalEnums: [] }
  try {
    // One that broke off, or whose process died, left nothing behind (each is one transaction): try it again.
    const { failedMigrationNames } = await engine.diagnoseMigrationHistory({
      migrationsList,
      optInToShadowDatabase: false,
      filters,
    })
    for (const migrationName of failedMigrationNames) await engine.markMigrationRolledBack({ migrationName })
    return (await engine.applyMigrations({ migrationsList, filters })).appliedMigrationNames
  } finally {
    await adapter.close()
    engine.free()
  }
}

/**
 * Hands a migration to PostgreSQL as one message, which is one transaction. The adapter's own way is to cut it at
 * each semicolon, also inside a function's body, and to run the pieces one by one.
 */
class WholeScripts extends PrismaPg {
  private readonly open: (() => Promise<void>)[] = []

  override async connect() {
    const adapter = await super.connect()
    adapter.executeScript = async (script) => {
      await adapter.underlyingDriver().query(script)
    }
    this.open.push(() => adapter.dispose())
    return adapter
  }

  /** The engine leaves its connections open. */
  async close(): Promise<void> {
    await Promise.all(this.open.splice(0).map((dispose) => dispose()))
  }
}

async function migrationNames(): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
}

async function readMigrations(): Promise<MigrationList> {
  const names = (await migrationNames()).toSorted()
  return {
    baseDir: directory,
    lockfile: {
      path: 'migration_lock.toml',
      content: await readFile(`${directory}/migration_lock.toml`, 'utf8'),
    },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(
      names.map(async (name) => ({
        path: name,
        migrationFile: {
          path: 'migration.sql',
          content: { tag: 'ok' as const, value: await readFile(`${directory}/${name}/migration.sql`, 'utf8') },
        },
      })),
    ),
  }
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return error.errors[0].message
  return error instanceof Error ? error.message : String(error)
}
