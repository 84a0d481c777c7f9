import { join } from 'node:path'
import { Client } from 'pg'
import t from 'tap'
import { checkDatabaseUrl, connectionOf } from '../../src/storage/database-url.ts'
import { selfSigned } from '../providers/self-signed.ts'

const base = 'postgresql://user:secret@db.example:5432/auth'

t.test('a URL that pg understands is accepted', async (t) => {
  const certificate = join(t.testdir({ 'root.pem': selfSigned.cert }), 'root.pem')
  for (const url of [
    base,
    'postgres://user:p%40ss@[::1]/auth',
    'postgresql://user@db.example/auth?schema=login&sslmode=verify-full',
    `${base}?sslmode=require`,
    `${base}?sslmode=disable&application_name=auth`,
    `${base}?sslmode=verify-ca&sslrootcert=${certificate}`,
    `${base}?sslmode=require&sslnegotiation=direct`,
    'postgresql://user@localhost/auth?host=/var/run/postgresql',
    'postgresql://user@/auth?host=/var/run/postgresql&port=5433',
    'postgresql:///auth?host=%2Fvar%2Frun%2Fpostgresql',
    'postgresql://user:secret@%2Fvar%2Frun%2Fpostgresql/auth',
    'postgresql://user@nowhere.example/auth?host=db.example',
    'postgresql://user:%D0%BF%25%23%40%2F@db.example/auth',
  ])
    t.equal(checkDatabaseUrl(url), undefined, url)
})

t.test('pg connects to where libpq would connect', async (t) => {
  for (const [url, host, port, user] of [
    ['postgresql://user@/auth?host=/run/postgresql', '/run/postgresql', 5432, 'user'],
    ['postgresql://user:a%40b@/auth?host=/run&port=5433', '/run', 5433, 'user'],
    ['postgresql://user@%2Frun%2Fpostgresql/auth', '/run/postgresql', 5432, 'user'],
    ['postgresql://user@one.example:1/auth?host=two.example&port=2', 'two.example', 2, 'user'],
    ['postgresql://%D0%BF:x@[::1]:7/auth', '::1', 7, 'п'],
  ] as const) {
    t.equal(checkDatabaseUrl(url), undefined)
    const client = new Client(connectionOf(url))
    t.match(client, { host, port, user, database: 'auth' }, url)
  }
})

t.test('an unusable URL is refused in one sentence without the password', async (t) => {
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
    [`${base}?sslmode=verify-full&sslrootcert=/tmp`, /sslrootcert that cannot be read/],
    [`${base}?sslmode=verify-full&sslrootcert=package.json`, /sslrootcert that is not in the format PEM/],
    [`${base}?sslmode=verify-full&sslrootcert=system`, /sslrootcert=system/],
    [`${base}?sslmode=require&sslcert=package.json`, /both sslcert and sslkey/],
    [`${base}?sslmode=require&sslmode=disable`, /sslmode twice/],
    [`${base}?sslmode=disable&sslmode=require`, /sslmode twice/],
    [`${base}?sslmode=disable&sslrootcert=package.json`, /sslmode=disable and sslrootcert/],
    [`${base}?sslnegotiation=later`, /sslnegotiation/],
    [`${base}?sslmode=disable&sslnegotiation=direct`, /sslmode=disable and sslnegotiation/],
    [`${base}?host=/run/postgresql&sslmode=require`, /Unix socket/],
    [`${base}?host=one.example,two.example`, /one host/],
    [`${base}?host=one.example&host=two.example`, /host twice/],
    [`${base}?host=`, /name a host/],
    [`${base}?host=db.example&port=5432,5433`, /port/],
    [`${base}?port=0`, /port/],
    ['postgresql://user:secret@/auth', /name a host/],
    ['postgresql:///auth', /name a host/],
    ['postgresql://user:secret@', /name a database/],
    ['postgresql://user:secret%E9@db.example/auth', /percent-encoded/],
    ['postgresql://user:secret@db.example/auth%E9', /percent-encoded/],
    ['postgresql://user:100%secret@db.example/auth', /percent-encoded/],
    ['postgresql://user:secret%00@db.example/auth', /percent-encoded/],
    ['postgresql://user:5#secret@db.example/auth', /%23/],
    ['postgresql://user:5/secret@db.example/auth', /percent-encoded/],
    ['postgresql://user:5?secret@db.example/auth', /name a database/],
    ['postgresql://user:5/5?secret@db.example/auth', /not supported\. Supported are/],
  ] as const) {
    const sentence = checkDatabaseUrl(url) ?? ''
    t.match(sentence, flaw, url)
    t.match(sentence, /^[a-z].*\.$/)
    t.notMatch(sentence, /secret/)
  }
  t.match(checkDatabaseUrl(`${base}?schema=login`, 'transaction'), /search_path/)
})
