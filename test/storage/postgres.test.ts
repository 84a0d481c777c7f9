import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import t from 'tap'
import { deadlines } from '../../src/deadlines.ts'
import { isDatabaseUnavailable, isTransient } from '../../src/storage/database-errors.ts'
import { migrate } from '../../src/storage/migrate.ts'
import type { Database } from '../../src/storage/postgres.ts'
import { openDatabase, takesWrites } from '../../src/storage/postgres.ts'
import { emptyDatabase, openTestDatabase, testDatabase } from '../support/database.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { eventually } from '../support/process.ts'

type Test = Pick<typeof t, 'ok' | 'notOk' | 'equal' | 'teardown'>

/** The same query by each client: through Prisma, as a raw query of Prisma, and through pg. */
const queries = [
  (database: Database) => database.prisma.site.findMany(),
  (database: Database) => database.prisma.$queryRaw`SELECT id FROM sites`,
  (database: Database) => database.pool.query('SELECT id FROM sites'),
]

/** Every query fails within `limit` ms, and with an error after which the caller may retry. */
async function unavailable(test: Test, database: Database, limit: number) {
  for (const query of queries) {
    const from = performance.now()
    const error: unknown = await query(database).then(
      () => undefined,
      (failure: unknown) => failure,
    )
    test.ok(isDatabaseUnavailable(error), `unavailable: ${String(error)}`)
    test.ok(isTransient(error))
    test.ok(performance.now() - from < limit, `within ${limit} ms`)
  }
}

async function add(database: Database, id: string) {
  return database.prisma.site.create({ data: { id, name: id, providers: [] } })
}

t.test('times are right on a server whose time zone is not UTC', async (t) => {
  const server = await startPostgres({ timezone: 'Asia/Vladivostok' })
  t.teardown(() => server.remove())
  await migrate(server.url)
  const database = openTestDatabase(t, { url: server.url, poolMax: 2 })
  const { createdAt } = await add(database, 'a')
  t.ok(Math.abs(createdAt.getTime() - Date.now()) < 60_000, createdAt.toISOString())
  const at = new Date('2026-03-29T01:30:00.123Z')
  await database.prisma.site.update({ where: { id: 'a' }, data: { disabledAt: at } })
  const { rows } = await database.pool.query<{ exact: boolean }>(
    `SELECT disabled_at = '2026-03-29T01:30:00.123Z' AS exact FROM sites`,
  )
  t.equal(rows[0]?.exact, true)
  t.same((await database.prisma.site.findUniqueOrThrow({ where: { id: 'a' } })).disabledAt, at)
})

t.test('statements are named only where each connection has its own session', async (t) => {
  const database = await testDatabase(t, 1)
  await add(database, 'a')
  const prepared = 'SELECT count(*)::int AS count FROM pg_prepared_statements'
  t.ok((await database.pool.query<{ count: number }>(prepared)).rows[0]?.count)
  const pooled = openTestDatabase(t, { url: database.url, poolMax: 1, pooler: 'transaction' })
  t.equal((await pooled.prisma.site.findMany()).length, 1)
  t.equal((await pooled.pool.query<{ count: number }>(prepared)).rows[0]?.count, 0)
  t.same((await pooled.pool.query('SHOW TimeZone')).rows, [{ TimeZone: 'UTC' }])
})

t.test('connections to a read-only server are replaced at its first refusal', async (t) => {
  const database = await testDatabase(t, 5)
  /** As after a failover: the old primary still runs, and new connections lead to the new one. */
  const demote = async () => {
    const clients = await Promise.all(Array.from({ length: 5 }, () => database.pool.connect()))
    for (const client of clients) {
      await client.query('SET default_transaction_read_only = on')
      client.release()
    }
  }
  await demote()
  const refused: unknown = await add(database, 'a').catch((error: unknown) => error)
  t.ok(isDatabaseUnavailable(refused), String(refused))
  await Promise.all(['b', 'c', 'd', 'e', 'f'].map((id) => add(database, id)))
  await demote()
  t.equal(await takesWrites(database), false, 'a look is as good as a refusal')
  await Promise.all(['g', 'h', 'i', 'j', 'k'].map((id) => add(database, id)))
  t.equal(await takesWrites(database), true)
})

t.test('a connection whose settings a pooler dropped is not used', async (t) => {
  const database = await testDatabase(t, 1)
  // As a pooler does that is configured to ignore them (PgBouncer's ignore_startup_parameters).
  database.pool.options.options = ''
  await unavailable(t, database, 1_000)
})

t.test('another schema is used by Prisma, by pg and by the migrations', async (t) => {
  const url = `${await emptyDatabase(t)}?schema=login`
  t.same(await migrate(url), await migrationsOf(url))
  const database = openTestDatabase(t, { url, poolMax: 2 })
  await add(database, 'a')
  t.equal((await database.pool.query('SELECT FROM login.sites')).rowCount, 1)
  for (const query of queries) t.ok(await query(database))
})

async function migrationsOf(url: string): Promise<string[]> {
  const database = openDatabase({ url, poolMax: 1 })
  const { rows } = await database.pool.query<{ migration_name: string }>(
    'SELECT migration_name FROM _prisma_migrations ORDER BY 1',
  )
  await database.close()
  return rows.map((row) => row.migration_name)
}

t.test('faults of the server', async (t) => {
  const server = await startPostgres()
  t.teardown(() => server.remove())
  await migrate(server.url)
  const database = openTestDatabase(t, { url: server.url, poolMax: 3, deadlines })
  await add(database, 'a')
  const recovers = async (test: Test) => {
    for (const query of queries) await eventually<unknown>(() => query(database), 5_000)
    test.ok(true, 'recovers by itself')
  }

  t.test('connections killed under a query', async (t) => {
    const sleepers = [
      database.prisma.$queryRaw`SELECT 1 FROM pg_sleep(1.5)`,
      database.pool.query('SELECT pg_sleep(1.5)'),
    ].map((query) => query.catch((error: unknown) => error))
    await sleep(300)
    const other = openDatabase({ url: server.url, poolMax: 1 })
    await other.pool.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()',
    )
    await other.close()
    for (const error of await Promise.all(sleepers)) t.ok(isDatabaseUnavailable(error), String(error))
    await recovers(t)
  })

  t.test('idle connections killed', async (t) => {
    await Promise.all(queries.map((query) => query(database)))
    await server.stop()
    await server.start()
    await recovers(t)
  })

  t.test('the server stopped', async (t) => {
    await server.stop()
    await unavailable(t, database, 1_000)
    await server.start()
    await recovers(t)
  })

  t.test('the server halted', async (t) => {
    server.pause()
    await unavailable(t, database, 4_000)
    server.resume()
    await recovers(t)
  })

  t.test('a lock that is held', async (t) => {
    const holder = await database.pool.connect()
    await holder.query('BEGIN')
    await holder.query('LOCK TABLE sites IN ACCESS EXCLUSIVE MODE')
    await unavailable(t, database, 2_500)
    await holder.query('ROLLBACK')
    holder.release()
    await recovers(t)
  })

  t.test('a statement that takes too long', async (t) => {
    await t.rejects(database.pool.query('SELECT pg_sleep(5)'), { code: '57014' })
    await recovers(t)
  })

  t.test('the pool exhausted', async (t) => {
    const holders: pg.PoolClient[] = []
    for (let index = 0; index < 3; index++) holders.push(await database.pool.connect())
    await unavailable(t, database, 1_500)
    for (const holder of holders) holder.release()
    await recovers(t)
  })

  t.test('the server read-only', async () => {
    const set = async (value: string) => {
      await database.pool.query(`ALTER SYSTEM SET default_transaction_read_only = ${value}`)
      await database.pool.query('SELECT pg_reload_conf()')
    }
    await set('on')
    await eventually(async () => {
      const error: unknown = await add(database, 'b').catch((failure: unknown) => failure)
      if (!isDatabaseUnavailable(error)) throw new Error(`not read-only yet: ${String(error)}`)
    })
    await set('off')
    await eventually(() => add(database, 'c'))
  })

  t.test('a deadlock', async (t) => {
    await add(database, 'd')
    const [one, two] = [await database.pool.connect(), await database.pool.connect()]
    await one.query('BEGIN')
    await two.query(`BEGIN; UPDATE sites SET name = name WHERE id = 'd'`)
    await one.query(`UPDATE sites SET name = name WHERE id = 'a'`)
    const outcomes = await Promise.allSettled([
      one.query(`UPDATE sites SET name = name WHERE id = 'd'`),
      two.query(`UPDATE sites SET name = name WHERE id = 'a'`),
    ])
    const victim = outcomes.find((outcome) => outcome.status === 'rejected')
    t.ok(isTransient(victim?.reason))
    t.notOk(isDatabaseUnavailable(victim?.reason))
    for (const client of [one, two]) {
      await client.query('ROLLBACK')
      client.release()
    }
  })

  t.test('errors of a statement are not taken for an unavailable database', async (t) => {
    const failures: (() => Promise<unknown>)[] = [
      () => add(database, 'a'),
      () => database.pool.query('SELECT nothing FROM sites'),
      () => database.prisma.$queryRaw`SELECT 1/0`,
    ]
    for (const failure of failures) {
      const error: unknown = await failure().catch((reason: unknown) => reason)
      t.type(error, Error)
      t.notOk(isTransient(error), String(error))
    }
    for (const value of [undefined, null, 'text', 7]) t.notOk(isTransient(value))
  })
})
