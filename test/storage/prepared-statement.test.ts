import { randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import { Prisma } from '../../prisma/client/client.ts'
import { findSessionOfLogin, openSession } from '../../src/sessions/open-session.ts'
import { rotateSession } from '../../src/sessions/rotate-session.ts'
import { openDatabase } from '../../src/storage/postgres.ts'
import { prepareStatement } from '../../src/storage/prepared-statement.ts'
import { profileOf } from '../../src/users/me.ts'
import { testDatabase } from '../support/database.ts'
import { redirectUrl, registerSite } from '../support/service.ts'

const echo = prepareStatement<{ one: string; two: number }, { text: string; sum: number }>(
  'echo',
  (parameter) => {
    const two = Prisma.sql`${parameter('two')}::int`
    return Prisma.sql`SELECT ${parameter('one')}::text AS text, ${two} + ${two} AS sum`
  },
)

t.test('a parameter that occurs several times is sent once', async (t) => {
  const database = await testDatabase(t)
  t.strictSame(await echo(database, { two: 2, one: "it's" }), [{ text: "it's", sum: 4 }])
  t.strictSame(await echo({ ...database, namesStatements: false }, { one: '', two: -1 }), [
    { text: '', sum: -2 },
  ])
  const { rows } = await database.pool.query(
    "SELECT count(*)::int AS count FROM pg_prepared_statements WHERE name = 'echo' AND parameter_types = '{text,integer}'",
  )
  t.strictSame(rows, [{ count: 1 }], 'it had its name only where that is allowed')
})

t.test('a value that is no parameter is refused when the statement is prepared', async (t) => {
  t.throws(() => prepareStatement('wrong', () => Prisma.sql`SELECT ${7}`), /wrong holds a value/)
})

/** The columns of each statement in PostgreSQL's own types: what its row type in TypeScript relies on. */
const columns = {
  open_session: ['boolean', 'uuid', 'text', 'text', 'text', 'boolean', 'uuid', 'timestamp with time zone'],
  find_session_of_login: [
    'uuid',
    'uuid',
    'text',
    'integer',
    'timestamp with time zone',
    'text',
    'text',
    'text',
    'text',
    'text',
    'boolean',
    'double precision',
    'boolean',
  ],
  rotate_session: [
    'uuid',
    'uuid',
    'text',
    'integer',
    'timestamp with time zone',
    'text',
    'text',
    'boolean',
    'boolean',
  ],
  find_profile: [
    'uuid',
    'text',
    'text',
    'text',
    'boolean',
    'text',
    'uuid',
    'timestamp with time zone',
    'text',
  ],
}

t.test(
  'the statements of login, refresh and profile are prepared, and give columns of the types that their callers read',
  async (t) => {
    const { url } = await testDatabase(t)
    const database = openDatabase({ url, poolMax: 1 })
    t.teardown(() => database.close())
    const site = await registerSite({ ...database, url }, redirectUrl)
    const loginHash = randomBytes(32)
    const profile = { subject: '1', name: 'Anna', login: null, email: null, emailVerified: null }
    const lives = { ttl: 60, maxAge: 600 }
    const session = await openSession(database, {
      profile,
      provider: 'yandex',
      siteId: site.id,
      loginHash,
      refreshKid: 'kid',
      ...lives,
    })
    if (session.kind !== 'opened') throw new Error(session.kind)
    t.match(await findSessionOfLogin(database, loginHash), { sessionId: session.sessionId, living: true })
    t.match(await profileOf(database, session), { name: 'Anna', emailVerified: null })
    const rotation = { ...session, authenticatedSite: null, ttl: 60, grace: 0 }
    t.match(await rotateSession(database, rotation), { kind: 'rotated', session: { generation: 1 } })
    t.strictSame(await profileOf(database, { ...session, userId: randomUUID() }), undefined)
    const { rows } = await database.pool.query<{ name: string; types: string }>(
      'SELECT name, result_types::text AS types FROM pg_prepared_statements WHERE result_types IS NOT NULL',
    )
    const types = Object.fromEntries(
      rows.map(({ name, types }) => [name, types.replace(/[{}"]/g, '').split(',')]),
    )
    for (const [name, expected] of Object.entries(columns)) t.strictSame(types[name], expected, name)
  },
)
