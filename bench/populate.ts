import { createHash } from 'node:crypto'
import { Client } from 'pg'

/** How many rows a database is filled with. */
export interface Population {
  readonly users: number
  readonly sessions: number
}

/** The id that the provider gives to a person, by their number from 0; as good as random, so that the index is. */
export function personOf(user: number): string {
  return createHash('md5').update(String(user)).digest('hex').slice(0, 16)
}

/** The id of a user by their number from 0. */
export function userIdOf(user: number): string {
  return uuidOf(user)
}

/** The id of a session by its number from 0; it belongs to user `number modulo users`. */
export function sessionIdOf(session: number): string {
  return uuidOf(session)
}

/** Ids grow with time, as those of the service do. */
function uuidOf(number: number): string {
  const hex = number.toString(16).padStart(32, '0')
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5')
}

/** Fills an empty database, indexes last, and leaves it vacuumed and analysed. */
export async function populate(
  url: string,
  { users, sessions, siteId, refreshKid }: Population & { siteId: string; refreshKid: string },
): Promise<void> {
  // Without the deadlines of the service's own connections.
  const client = new Client({ connectionString: url })
  await client.connect()
  const run = (text: string, values: readonly unknown[] = []) => client.query(text, [...values])
  try {
    // Foreign keys are not checked: every row that is named exists.
    await run('SET session_replication_role = replica')
    await run(
      `INSERT INTO users (id, name, login, email)
       SELECT lpad(to_hex(n), 32, '0')::uuid, 'Anna', p, p || '@example.org'
       FROM generate_series(0, $1::int - 1) AS n, substr(md5(n::text), 1, 16) AS p`,
      [users],
    )
    await run(
      `INSERT INTO identities (provider, subject, user_id)
       SELECT 'yandex', substr(md5(n::text), 1, 16), lpad(to_hex(n), 32, '0')::uuid
       FROM generate_series(0, $1::int - 1) AS n`,
      [users],
    )
    const { rows } = await run(
      `SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'sessions' AND indexname <> 'sessions_pkey'`,
    )
    for (const { indexname } of rows) await run(`DROP INDEX ${indexname}`)
    await run(
      `INSERT INTO sessions (id, user_id, site_id, provider, login_hash, refresh_kid, created_at, rotated_at, expires_at, ends_at)
       SELECT lpad(to_hex(n), 32, '0')::uuid, lpad(to_hex(n % $2::int), 32, '0')::uuid, $3, 'yandex',
         sha256(n::text::bytea), $4, now() - interval '1 day', now() - interval '1 day',
         now() + interval '29 days', now() + interval '179 days'
       FROM generate_series(0, $1::int - 1) AS n`,
      [sessions, users, siteId, refreshKid],
    )
    for (const { indexdef } of rows) await run(indexdef)
    await run('VACUUM ANALYZE')
    await run('CHECKPOINT')
  } finally {
    await client.end()
  }
}
