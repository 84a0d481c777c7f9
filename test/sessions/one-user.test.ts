import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import t from 'tap'
import type { TestDatabase } from '../support/database.ts'
import { openTestDatabase, testDatabase } from '../support/database.ts'
import { get, logIn, post, text } from '../support/login-flow.ts'
import { eventually } from '../support/process.ts'
import { startTestService } from '../support/service.ts'
import { opened, refresh } from './test-sessions.ts'

// Users, identities and sessions can be distributed by user only while each statement of a login and of a refresh touches the
// rows of one user. PostgreSQL itself watches: a policy of row security sees every row that a statement reads or changes.

const people = 2_000

/**
 * A statement that meets rows of two users fails. The policies hold for the service's role, which does not own the tables.
 * PostgreSQL also shows them the row that an INSERT only proposes; the id that a login proposes for a person whom it then
 * finds is nobody's.
 */
const watch = `
  CREATE FUNCTION one_user(id uuid) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
  DECLARE seen text := current_setting('watch.user', true);
  BEGIN
    IF NOT EXISTS (SELECT FROM users AS u WHERE u.id = one_user.id) THEN
      RETURN true;
    ELSIF seen IS NULL OR seen = '' THEN
      PERFORM set_config('watch.user', id::text, true);
    ELSIF seen <> id::text THEN
      RAISE EXCEPTION 'the rows of two users: % and %', seen, id;
    END IF;
    RETURN true;
  END $$;
  ALTER TABLE users ENABLE ROW LEVEL SECURITY;
  ALTER TABLE identities ENABLE ROW LEVEL SECURITY;
  ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
  CREATE POLICY watched ON users USING (one_user(id)) WITH CHECK (true);
  CREATE POLICY watched ON identities USING (one_user(user_id)) WITH CHECK (true);
  CREATE POLICY watched ON sessions USING (one_user(user_id)) WITH CHECK (true);`

/** A database of many people, each with a session, and the same database by a role that the policies watch. */
async function watched(t: Test): Promise<{ readonly owner: TestDatabase; readonly database: TestDatabase }> {
  const role = `watched_${randomBytes(6).toString('hex')}`
  // Before the database, as it can be dropped only after it.
  t.teardown(async () => {
    const { pool } = openTestDatabase(t, { url: server, poolMax: 1 })
    await pool.query(`DROP ROLE IF EXISTS ${role}`)
  })
  const owner = await testDatabase(t)
  const server = new URL('/postgres', owner.url).href
  await owner.pool.query(`
    INSERT INTO sites (id, name, providers) VALUES ('other', 'other', '{yandex}');
    INSERT INTO users (id, name) SELECT gen_random_uuid(), n::text FROM generate_series(1, ${people}) AS n;
    INSERT INTO identities (provider, subject, user_id) SELECT 'yandex', name, id FROM users;
    INSERT INTO sessions (id, user_id, site_id, provider, login_hash, refresh_kid, expires_at, ends_at)
      SELECT gen_random_uuid(), id, 'other', 'yandex', decode(md5(name), 'hex'), 'kid', now() + '1 day', now() + '1 day'
      FROM users;
    ANALYZE;
    ${watch}
    CREATE ROLE ${role} LOGIN PASSWORD 'watched';
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}`)
  const url = new URL(owner.url)
  url.username = role
  url.password = 'watched'
  return { owner, database: { ...openTestDatabase(t, { url: url.href, poolMax: 5 }), url: url.href } }
}

t.test('each statement of a login, a refresh and a profile touches the rows of one user', async (t) => {
  const { owner, database } = await watched(t)
  const service = await startTestService(t, { database })

  await t.test('the watch does see the rows of two users', async (t) => {
    for (const table of ['users', 'identities', 'sessions'])
      await t.rejects(database.pool.query(`SELECT count(*) FROM ${table}`), /the rows of two users/, table)
    await t.rejects(database.pool.query(`UPDATE sessions SET rotated_at = now()`), /the rows of two users/)
    await t.rejects(
      database.pool.query(`SELECT FROM sessions WHERE expires_at > now()`),
      /the rows of two users/,
      'also where a condition names no row',
    )
  })

  await t.test('the first login of a person, and further ones', async () => {
    // More than five, after which PostgreSQL may use one plan for all values.
    for (let n = 0; n < 12; n++) await logIn(service, 'yandex', { person: { id: 'ada' } })
    await Promise.all(
      Array.from({ length: 10 }, (_, n) => logIn(service, 'google', { person: { id: `new-${n % 3}` } })),
    )
  })

  await t.test('refresh: rotated, repeated, reused and refused', async (t) => {
    const ask = (refresh_token: string) => post(service, '/api/v1/oauth/refresh/', { refresh_token })
    const { accessToken, refreshToken } = await logIn(service)
    let latest = refreshToken
    for (let n = 0; n < 12; n++) {
      const before = latest
      latest = text(await ask(latest), 'refresh_token')
      t.equal((await ask(before)).status, 200, 'repeated within the grace')
    }
    const me = await get(service, '/api/v1/me/', { authorization: `Bearer ${accessToken}` })
    t.equal(me.status, 200)
    t.match((await ask(refreshToken)).json, { error: 'invalid_grant' }, 'reused')
    t.match((await ask(latest)).json, { error: 'invalid_grant' }, 'ended')
  })

  await t.test('a refresh names its user, and finds nothing under another one', async (t) => {
    const { siteId, ...session } = await eventually(() => opened(owner, { siteId: 'other' }))
    t.equal(siteId, 'other')
    const { rows } = await owner.pool.query<{ id: string }>('SELECT id FROM users WHERE name = $1', ['7'])
    const { userId } = session
    t.match(await refresh(database, session, 0, { userId: rows[0]?.id ?? '' }), { kind: 'refused' })
    t.match(await refresh(database, session, 0, { userId }), { kind: 'rotated' })
    t.match(
      await refresh(database, session, 1),
      { kind: 'rotated' },
      'a token of an older version names none',
    )
  })
})
