import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import t from 'tap'
import { openEmbedded } from '../../src/storage/embedded.ts'
import { migrate, pendingMigrations } from '../../src/storage/migrate.ts'
import { openDatabase } from '../../src/storage/postgres.ts'
import { emptyFolder } from '../support/npm-start.ts'
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

async function holder(directory: string): Promise<{ pid: number; startedAt: string; folder?: string }> {
  return JSON.parse(await readFile(join(directory, 'postgres.lock'), 'utf8'))
}

/** A process that has ended, but that nobody has asked for yet (a zombie, Z), is gone as well. */
async function untilGone(pid: number): Promise<void> {
  await eventually(async () => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    if (stat !== '' && !/\) Z /.test(stat)) throw new Error(`Process ${pid} lives.`)
  }, 30_000)
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
    await t.rejects(openEmbedded(directory, 'service'), {
      name: 'EmbeddedDatabaseError',
      message: new RegExp(
        `in use by another running service \\(process ${process.pid}, .*stop that one first`,
      ),
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
      JSON.stringify({ pid: process.pid, startedAt: '1', folder: '/nowhere' }),
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

/** Sends bytes and waits until the server has closed the connection, or `patience` ms. */
async function sendJunk(folder: string, bytes: Buffer, patience = 300): Promise<void> {
  const socket = connect(join(folder, '.s.PGSQL.5432'))
  socket.on('error', () => {})
  socket.resume()
  socket.write(bytes)
  const timer = setTimeout(() => socket.destroy(), patience)
  await once(socket, 'close')
  clearTimeout(timer)
}

/** A start-up packet of protocol 3 with these bytes in place of its parameters. */
function startUp(parameters: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.writeInt32BE(8 + parameters.length)
  head.writeInt32BE(196_608, 4)
  return Buffer.concat([head, parameters])
}

const started = startUp(Buffer.from('user\0postgres\0database\0postgres\0\0'))

/** A message of this type; `length` where it is to lie about its own. */
function message(type: string, body: Buffer, length = body.length + 4): Buffer {
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(length, 1)
  return Buffer.concat([head, body])
}

const junk: Readonly<Record<string, Buffer>> = {
  '64 zero bytes': Buffer.alloc(64),
  'all ones': Buffer.alloc(64, 0xff),
  'a request of HTTP': Buffer.from('GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'),
  'the greeting of TLS': Buffer.from('1603010200010001fc0303'.padEnd(128, '0'), 'hex'),
  'a start-up packet of junk': startUp(Buffer.alloc(100, 0xff)),
  'a start-up packet without parameters': startUp(Buffer.alloc(1)),
  'a password that nobody asked for': Buffer.concat([started, message('p', Buffer.from('secret\0'))]),
  'an unknown message': Buffer.concat([started, message('z', Buffer.alloc(64))]),
  'a negative length': Buffer.concat([started, message('Q', Buffer.alloc(64), -100)]),
  'a length of nothing': Buffer.concat([started, message('Q', Buffer.alloc(64), 0)]),
  'a message that never ends': Buffer.concat([started, message('Q', Buffer.alloc(64), 1_000_000)]),
  'COPY FROM STDIN': Buffer.concat([started, message('Q', Buffer.from('COPY sites FROM STDIN\0'))]),
  'a query of junk': Buffer.concat([started, message('Q', Buffer.alloc(64, 0xff))]),
  'a bind of junk': Buffer.concat([
    started,
    message('B', Buffer.alloc(64, 0xff)),
    message('S', Buffer.alloc(0)),
  ]),
  'a transaction that is left open': Buffer.concat([started, message('Q', Buffer.from('BEGIN\0'))]),
}

t.test('nobody but this user can reach it, and no junk ends it', async (t) => {
  const directory = await emptyFolder(t)
  const service = await openEmbedded(directory, 'service')
  t.teardown(() => service.close())
  const { pid, folder = '' } = await holder(directory)
  t.equal(folder, join(directory, 'socket'))
  t.equal((await stat(folder)).mode & 0o777, 0o700)
  for (const [name, bytes] of Object.entries(junk)) {
    await sendJunk(folder, bytes)
    t.same(await query(service.url, 'SELECT 1 AS one'), [{ one: 1 }], name)
  }
  t.equal((await holder(directory)).pid, pid, 'the same process')
})

t.test('a path that is too long for a socket', async (t) => {
  const directory = join(t.testdir(), 'd'.repeat(100))
  const service = await openEmbedded(directory, 'service')
  t.same(await query(service.url, 'SELECT 1 AS one'), [{ one: 1 }])
  const { folder = '' } = await holder(directory)
  t.equal((await stat(folder)).mode & 0o777, 0o700)
  const command = await openEmbedded(directory, 'command')
  t.equal(command.url, service.url)
  await service.close()
  await t.rejects(stat(folder), { code: 'ENOENT' })
})

t.test('a lock that cannot be taken stays with whoever has it', async (t) => {
  // As long as a name may be: the draft beside it cannot be written.
  const lock = join(t.testdir(), 'l'.repeat(255))
  await writeFile(lock, 'of another process')
  const server = fileURLToPath(new URL('../../src/storage/embedded-server.ts', import.meta.url))
  const child = fork(server, [t.testdirName, lock, join(t.testdirName, 'socket')], { execArgv: [] })
  const [report]: unknown[] = await once(child, 'message')
  t.match(report, { kind: 'broken', reason: /ENAMETOOLONG/ })
  t.equal(await readFile(lock, 'utf8'), 'of another process')
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
