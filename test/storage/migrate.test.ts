import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { PrismaPg } from '@prisma/adapter-pg'
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils'
import type { DiffTarget, MigrationList } from '@prisma/schema-engine-wasm'
import { SchemaEngine } from '@prisma/schema-engine-wasm'
import type { ClientConfig } from 'pg'
import { Client, Pool } from 'pg'
import t from 'tap'
import { migrate, pendingMigrations } from '../../src/storage/migrate.ts'
import { emptyDatabase } from '../support/database.ts'
import { freePort } from '../support/process.ts'

type Test = Pick<typeof t, 'teardown'>

const directory = new URL('../../prisma/migrations/', import.meta.url)
const names = (await readdir(directory)).filter((name) => !name.endsWith('.toml')).toSorted()
const filters = { externalTables: [], externalEnums: [] }

async function connect(test: Test, url: string): Promise<Pool> {
  const pool = new Pool({ connectionString: url })
  test.teardown(() => pool.end())
  return pool
}

/**
 * A client whose catalogue the engine can read. The engine stumbles over PostgreSQL's one-byte type "char" (18):
 * that is called text (25) as soon as the server describes it. It does not know either that PostgreSQL 18 keeps
 * NOT NULL as constraints of kind "n": it is not shown them.
 */
class LegibleClient extends Client {
  constructor(config?: string | ClientConfig) {
    super(config)
    const connection: unknown = Reflect.get(this, 'connection')
    if (!(connection instanceof EventEmitter)) throw new Error('pg has no connection of the known kind.')
    connection.on('rowDescription', ({ fields }: { fields: { dataTypeID: number }[] }) => {
      for (const field of fields) if (field.dataTypeID === 18) field.dataTypeID = 25
    })
    const parse: unknown = Reflect.get(connection, 'parse')
    if (typeof parse !== 'function') throw new Error('pg has no connection of the known kind.')
    Reflect.set(connection, 'parse', (query: { text: string }) => {
      const text = query.text.replace(`contype NOT IN ('p', 'u', 'f')`, `contype NOT IN ('p', 'u', 'f', 'n')`)
      Reflect.apply(parse, connection, [{ ...query, text }])
    })
  }
}

/** Prisma's own engine on a database. Host and name stand apart, as a connection string would override the shadow database's name. */
async function engineOn(url: string): Promise<SchemaEngine> {
  const { hostname, port, username, password, pathname } = new URL(url)
  const adapter = new PrismaPg({
    host: hostname,
    port: Number(port),
    user: username,
    password,
    database: pathname.slice(1),
    // Otherwise the shadow database could not be dropped, as it is still connected to.
    idleTimeoutMillis: 1,
    Client: LegibleClient,
  })
  const schema = await readFile(new URL('../schema.prisma', directory), 'utf8')
  return SchemaEngine.new(
    { datamodels: [['schema.prisma', schema]] },
    () => {},
    bindMigrationAwareSqlAdapterFactory(adapter),
  )
}

async function migrationsList(): Promise<MigrationList> {
  return {
    baseDir: directory.pathname,
    lockfile: {
      path: 'migration_lock.toml',
      content: await readFile(new URL('migration_lock.toml', directory), 'utf8'),
    },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(
      names.map(async (name) => {
        const value = await readFile(new URL(`${name}/migration.sql`, directory), 'utf8')
        return {
          path: name,
          migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value } },
        }
      }),
    ),
  }
}

async function difference(url: string, schema: string): Promise<string> {
  const engine = await engineOn(url)
  const from: DiffTarget = { tag: 'migrations', ...(await migrationsList()) }
  const to: DiffTarget = { tag: 'schemaDatamodel', files: [{ path: 'schema.prisma', content: schema }] }
  const { stdout } = await engine.diff({ from, to, script: true, exitCode: null, filters })
  return stdout ?? ''
}

t.test('the migrations make what the schema says', async (t) => {
  const url = await emptyDatabase(t)
  const schema = await readFile(new URL('../schema.prisma', directory), 'utf8')
  t.equal((await difference(url, schema)).trim(), '-- This is an empty migration.')
  t.match(await difference(url, `${schema}\nmodel Extra {\n  id Int @id\n}\n`), /CREATE TABLE "Extra"/)
})

t.test('Prisma’s engine finds our history to be its own', async (t) => {
  const url = await emptyDatabase(t)
  await migrate(url)
  const engine = await engineOn(url)
  const list = await migrationsList()
  const diagnosis = await engine.diagnoseMigrationHistory({
    migrationsList: list,
    optInToShadowDatabase: false,
    filters,
  })
  t.match(diagnosis, { editedMigrationNames: [], failedMigrationNames: [], hasMigrationsTable: true })
  t.notOk(diagnosis.history)
  t.same((await engine.applyMigrations({ migrationsList: list, filters })).appliedMigrationNames, [])
})

t.test('applies what is missing, once', async (t) => {
  const url = await emptyDatabase(t)
  const pool = await connect(t, url)
  t.same(await pendingMigrations(pool), names)
  t.same(await migrate(url), names)
  t.same(await pendingMigrations(pool), [])
  t.same(await migrate(url), [])
})

t.test('five at once apply each migration once', async (t) => {
  const url = await emptyDatabase(t)
  const applied = await Promise.all(Array.from({ length: 5 }, () => migrate(url)))
  t.same(applied.flat().toSorted(), names)
})

t.test('what fails leaves nothing behind, and works once the obstacle is gone', async (t) => {
  const url = await emptyDatabase(t)
  const pool = await connect(t, url)
  await pool.query('CREATE TABLE signing_keys (kid text)')
  await t.rejects(migrate(url), {
    name: 'MigrationError',
    message: /^Migration \d+_init was not applied: relation "signing_keys" already exists\.$/,
  })
  t.same((await pool.query(`SELECT to_regclass('sites') AS found`)).rows, [{ found: null }])
  t.same(await pendingMigrations(pool), names)
  await pool.query('DROP TABLE signing_keys')
  t.same(await migrate(url), names)
})

t.test('a role that does not own the tables learns which variable to set', async (t) => {
  const url = await emptyDatabase(t)
  const owner = await connect(t, url)
  const weak = new URL(url)
  weak.username = `weak_${randomUUID().replaceAll('-', '')}`
  weak.password = 'test-only'
  await owner.query(`CREATE ROLE ${weak.username} LOGIN PASSWORD 'test-only'`)
  const wanted = /^(Migration|The schema) \S+ was not (applied|made): permission denied .*DATABASE_DIRECT_URL/
  await t.rejects(migrate(weak.href), { name: 'MigrationError', message: wanted })
  weak.searchParams.set('schema', 'of_its_own')
  await t.rejects(migrate(weak.href), { name: 'MigrationError', message: wanted })
  await owner.query(`DROP ROLE ${weak.username}`)
})

t.test('gives up where a table is held', async (t) => {
  const url = await emptyDatabase(t)
  const pool = await connect(t, url)
  await migrate(url)
  await pool.query('DELETE FROM _prisma_migrations')
  const holder = await pool.connect()
  await holder.query('BEGIN; LOCK TABLE _prisma_migrations IN ACCESS EXCLUSIVE MODE')
  const from = performance.now()
  await t.rejects(migrate(url), { message: /lock timeout/ })
  t.ok(performance.now() - from < 8_000)
  holder.release(true)
})

t.test('refuses a history with another text', async (t) => {
  const url = await emptyDatabase(t)
  await migrate(url)
  const pool = await connect(t, url)
  await pool.query(`UPDATE _prisma_migrations SET checksum = 'other'`)
  await t.rejects(migrate(url), { name: 'MigrationError', message: /applied before with another text/ })
})

t.test('says that the database cannot be reached, without the password', async (t) => {
  const url = `postgresql://user:secret@127.0.0.1:${await freePort()}/auth`
  const error: unknown = await migrate(url).catch((reason: unknown) => reason)
  t.match(error, {
    name: 'MigrationError',
    message: /^The database cannot be used now \(connect ECONNREFUSED/,
  })
  t.notMatch(String(error), /secret/)
})
