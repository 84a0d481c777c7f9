import t from 'tap'
import { checkDatabaseUrl } from '../../src/storage/database-url.ts'

const base = 'postgresql://user:secret@db.example:5432/auth'

t.test('accepts', async (t) => {
  for (const url of [
    base,
    'postgres://user:p%40ss@[::1]/auth',
    'postgresql://user@db.example/auth?schema=login&sslmode=verify-full',
    `${base}?sslmode=require`,
    `${base}?sslmode=disable&application_name=auth`,
    `${base}?sslmode=verify-ca&sslrootcert=package.json`,
    'postgresql://user@localhost/auth?host=/var/run/postgresql',
  ])
    t.equal(checkDatabaseUrl(url), undefined, url)
})

t.test('refuses in one sentence, which holds no password', async (t) => {
  for (const [url, flaw] of [
    ['mysql://user:secret@db.example/auth', /form postgresql:/],
    ['postgresql://user:secret@one.example:5432,two.example:5432/auth', /one host/],
    ['postgresql://user:secret@db.example:port/auth', /not a URL/],
    ['postgresql://user:secret@db.example', /name a database/],
    [`${base}?connection_limit=5`, /not supported: connection_limit/],
    [`${base}?pgbouncer=true`, /not supported: pgbouncer/],
    [`${base}?schema=A%20b`, /schema/],
    [`${base}?sslmode=prefer`, /sslmode/],
    [`${base}?sslmode=verify-ca`, /sslrootcert/],
    [`${base}?sslmode=verify-full&sslrootcert=/no/such/file`, /does not exist/],
  ] as const) {
    const sentence = checkDatabaseUrl(url) ?? ''
    t.match(sentence, flaw, url)
    t.match(sentence, /^[a-z].*\.$/)
    t.notMatch(sentence, /secret/)
  }
  t.match(checkDatabaseUrl(`${base}?schema=login`, 'transaction'), /search_path/)
})
