import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import t from 'tap'
import { openEmbedded } from '../../src/storage/embedded.ts'
import { migrate, pendingMigrations } from '../../src/storage/migrate.ts'
import { openDatabase } from '../../src/storage/postgres.ts'
import { eventually } from '../support/process.ts'

async function query(url: string, text: string, values: unknown[] = []): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text, values)).rows
  } finally {
    await client.end()
  }
}

async function holder(directory: string): Promise<{ pid: number; startedAt: string; port?: number }> {
  return JSON.parse(await readFile(join(directory, 'postgres.lock'), 'utf8'))
}

/** Signal 0 asks for the process and touches nothing. */
async function untilGone(pid: number): Promise<void> {
  await eventually(() => {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    throw new Error(`Process ${pid} lives.`)
  }, 3_000)
}

t.test('serves our schema to many connections, and keeps the data', async (t) => {
  const directory = t.testdir()
  const first = await openEmbedded(directory, 'service')
  await migrate(first.url)
  const database = openDatabase({ url: first.url, poolMax: 5, embedded: true })
  t.same(await pendingMigrations(database.pool), [])

  const ids = Array.from({ length: 50 }, (_, index) => `site-${index}`)
  await Promise.all(ids.map((id) => database.prisma.site.create({ data: { id, name: id, providers: [id] } })))
  const answers = await Promise.all(
    ids.flatMap((id) => [
      database.prisma.site.findUnique({ where: { id } }).then((site) => site?.name),
      database.pool
        .query<{ text: string }>('SELECT $1::text AS text', [id])
        .then(({ rows }) => rows[0]?.text),
      database.prisma.$queryRaw<{ name: string }[]>`SELECT name FROM sites WHERE id = ${id}`.then(
        (rows) => rows[0]?.name,
      ),
    ]),
  )
  t.same(
    answers,
    ids.flatMap((id) => [id, id, id]),
    'parallel statements do not mix',
  )
  const { createdAt } = await database.prisma.site.findUniqueOrThrow({ where: { id: 'site-0' } })
  t.ok(Math.abs(createdAt.getTime() - Date.now()) < 60_000)
  await database.close()

  const from = performance.now()
  await first.close()
  t.ok(performance.now() - from < 1_500, 'stops in time')
  await t.rejects(query(first.url, 'SELECT 1'))

  const second = await openEmbedded(directory, 'service')
  t.same(await query(second.url, 'SELECT count(*)::int AS count FROM sites'), [{ count: 50 }])

  t.test('a second service is refused, a command joins', async (t) => {
    const { pid } = await holder(directory)
    await t.rejects(openEmbedded(directory, 'service'), {
      name: 'EmbeddedDatabaseError',
      message: new RegExp(`in use by another running service .*process ${pid}`),
    })
    const command = await openEmbedded(directory, 'command')
    t.equal(command.url, second.url)
    await command.close()
    t.same(await query(second.url, 'SELECT 1 AS one'), [{ one: 1 }], 'the service has its database still')
    t.same(await migrate(command.url), [])
  })

  t.test('killed at any moment, it loses nothing that it had acknowledged', async (t) => {
    await query(second.url, 'CREATE TABLE marks (n int)')
    const { pid } = await holder(directory)
    for (let n = 0; n < 20; n++) await query(second.url, 'INSERT INTO marks VALUES ($1)', [n])
    process.kill(pid, 'SIGKILL')
    await untilGone(pid)
    const third = await openEmbedded(directory, 'service')
    t.same(await query(third.url, 'SELECT count(*)::int AS count FROM marks'), [{ count: 20 }])
    await third.close()
    await second.close()
  })

  t.test('a command opens the data itself where no service runs', async (t) => {
    const command = await openEmbedded(directory, 'command')
    t.same(await query(command.url, 'SELECT count(*)::int AS count FROM sites'), [{ count: 50 }])
    await command.close()
    await t.rejects(query(command.url, 'SELECT 1'))
  })

  t.test('a lock whose process number belongs to another by now is nobody’s', async (t) => {
    await writeFile(
      join(directory, 'postgres.lock'),
      JSON.stringify({ pid: process.pid, startedAt: '1', port: 1 }),
    )
    const service = await openEmbedded(directory, 'service')
    await service.close()
    await writeFile(join(directory, 'postgres.lock'), '{')
    await (await openEmbedded(directory, 'service')).close()
    t.pass('opened twice')
  })

  t.test('two services at the same moment: one is refused', async (t) => {
    const outcomes = await Promise.allSettled([1, 2].map(() => openEmbedded(directory, 'service')))
    t.same(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
    for (const outcome of outcomes) if (outcome.status === 'fulfilled') await outcome.value.close()
  })

  t.test('the database ends with a parent that was killed', async (t) => {
    const script = join(t.testdir({ 'parent.ts': parent }), 'parent.ts')
    const child = fork(script, [directory], { execArgv: [] })
    await once(child, 'message')
    const { pid } = await holder(directory)
    child.kill('SIGKILL')
    await untilGone(pid)
    await (await openEmbedded(directory, 'service')).close()
    t.pass('and its data can be opened again')
  })

  t.test('broken data is one sentence', async (t) => {
    await writeFile(join(directory, 'postgres/global/pg_control'), 'nonsense')
    await t.rejects(openEmbedded(directory, 'service'), {
      name: 'EmbeddedDatabaseError',
      message:
        /^The database in .*postgres cannot be opened \(.*\); to start afresh, move that folder away\.$/,
    })
  })
})

t.test('a folder that cannot be made is one sentence', async (t) => {
  const directory = t.testdir({ file: '' })
  await t.rejects(openEmbedded(join(directory, 'file'), 'service'), {
    name: 'EmbeddedDatabaseError',
    message: /cannot be made/,
  })
})

const parent = `
import { openEmbedded } from ${JSON.stringify(new URL('../../src/storage/embedded.ts', import.meta.url).href)}
await openEmbedded(process.argv[2], 'service')
process.send('open')
setInterval(() => {}, 1000)
`
