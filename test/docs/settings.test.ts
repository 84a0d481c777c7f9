import { Client } from 'pg'
import t from 'tap'
import { advisoryLocks } from '../../src/storage/advisory-locks.ts'
import { readTracingSettings } from '../../src/tracing/settings.ts'
import { emptyDatabase } from '../support/database.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { codeBlocks, readText } from './markdown.ts'

// Settings and statements that pages show, given to those for whom they are.

async function block(page: string, begin: string): Promise<string> {
  const found = codeBlocks(await readText(`docs/en/${page}.md`)).find(({ text }) => text.startsWith(begin))
  if (found === undefined) throw new Error(`${page}.md has no block that begins with ${begin}.`)
  return found.text
}

/** Lines of `NAME=value` or `name = value`. */
const assignments = (text: string): Record<string, string> =>
  Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => {
        const [, name = '', value = ''] = /^(\w+) ?= ?(.*)$/.exec(line) ?? []
        return [name, value.replace(/^'(.*)'$/, '$1')]
      }),
  )

t.test('the variables of traces switch them on, without a warning', async (t) => {
  const warnings: string[] = []
  const settings = readTracingSettings(assignments(await block('monitoring', 'OTEL_')), warnings)
  t.match(settings, { url: 'http://collector:4318/v1/traces' })
  t.strictSame(warnings, [])
})

t.test('PostgreSQL takes the settings of an archive', async (t) => {
  const server = await startPostgres(assignments(await block('backup', 'wal_level')))
  t.teardown(() => server.remove())
  const client = new Client({ connectionString: server.url })
  await client.connect()
  const { rows } = await client.query<{ archive_command: string }>('SHOW archive_command')
  await client.end()
  t.match(rows[0]?.archive_command, '/archive/%f')
})

t.test('the two roles of PostgreSQL: what the owner makes, the service may use', async (t) => {
  const url = new URL(await emptyDatabase(t))
  const administrator = new Client({ connectionString: url.href })
  await administrator.connect()
  t.teardown(() => administrator.end())
  // Roles and databases are of the whole server, which other tests use, too.
  const suffix = url.pathname.slice(1, 20)
  const rename = (sql: string) => sql.replaceAll(/auth_movies(_owner)?/g, `$&_${suffix}`)
  const as = async (name: string, password: string) => {
    const own = new URL(url)
    own.username = rename(name)
    own.password = password
    own.pathname = rename('/auth_movies')
    const client = new Client({ connectionString: own.href })
    await client.connect()
    return client
  }
  const statements = rename(await block('operators', 'CREATE ROLE')).split('\n')
  // A database is not made inside a transaction, which several statements at once are.
  for (const statement of statements) if (statement !== '') await administrator.query(statement)
  t.teardown(async () => {
    await administrator.query(rename('DROP DATABASE auth_movies'))
    await administrator.query(rename('DROP ROLE auth_movies; DROP ROLE auth_movies_owner'))
  })
  await administrator.query(rename(await block('operators', 'ALTER ROLE')))
  const owner = await as('auth_movies_owner', 'one')
  await owner.query(rename(await block('operators', 'ALTER DEFAULT')))
  await owner.query('CREATE TABLE made (id INTEGER)')
  const service = await as('auth_movies', 'another')
  await service.query('INSERT INTO made VALUES (1)')
  t.equal((await service.query('SELECT FROM made')).rowCount, 1)
  await t.rejects(service.query('DROP TABLE made'), /owner/)
  const { rows } = await service.query<{ statement_timeout: string }>('SHOW statement_timeout')
  t.strictSame(rows, [{ statement_timeout: '2s' }])
  await Promise.all([owner.end(), service.end()])
})

t.test('the statement of the runbook finds who holds the lock of the sweep', async (t) => {
  const client = new Client({ connectionString: await emptyDatabase(t) })
  await client.connect()
  t.teardown(() => client.end())
  const statement = await block('runbooks', 'SELECT a.pid')
  const before = await client.query(statement)
  await client.query('SELECT pg_advisory_lock($1)', [advisoryLocks.sweep])
  const { rows } = await client.query<{ pid: number }>(statement)
  const own = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  t.ok(rows.some(({ pid }) => pid === own.rows[0]?.pid) && rows.length > (before.rowCount ?? 0))
})
