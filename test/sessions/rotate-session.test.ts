import t from 'tap'
import type { Database } from '../../src/storage/postgres.ts'
import { testDatabase } from '../support/database.ts'
import { addSite, age, opened, refresh } from './test-sessions.ts'

async function siteAndSession(t: Pick<typeof import('tap').default, 'teardown'>, poolMax = 10) {
  const database = await testDatabase(t, poolMax)
  await addSite(database)
  return { database, session: await opened(database) }
}

const rowOf = (database: Database, id: string) => database.prisma.session.findUniqueOrThrow({ where: { id } })

t.test(
  'a refresh rotates the session: next generation, later expiry, and the key that signs it',
  async (t) => {
    const { database, session } = await siteAndSession(t)
    await age(database, session.sessionId, 1_000)
    const outcome = await refresh(database, session, 0, { refreshKid: 'kid-2' })
    t.match(outcome, {
      kind: 'rotated',
      session: {
        sessionId: session.sessionId,
        userId: session.userId,
        siteId: 'site-1',
        generation: 1,
        refreshKid: 'kid-2',
      },
    })
    const row = await rowOf(database, session.sessionId)
    t.equal(row.refreshKid, 'kid-2')
    t.equal(Math.round((row.expiresAt.getTime() - row.rotatedAt.getTime()) / 1000), 3_600)
    t.match(await refresh(database, session, 1), { kind: 'rotated', session: { generation: 2 } })
  },
)

t.test('a refresh never moves the expiry beyond SESSION_MAX_AGE', async (t) => {
  const { database, session } = await siteAndSession(t)
  for (let hours = 1; hours < 24; hours++) {
    await age(database, session.sessionId, 3_599)
    t.match(await refresh(database, session, hours - 1), { kind: 'rotated' })
  }
  const row = await rowOf(database, session.sessionId)
  t.ok(row.expiresAt <= row.endsAt)
  await age(database, session.sessionId, 3_599)
  t.match(await refresh(database, session, 23), { kind: 'rotated' })
  t.same(
    (await rowOf(database, session.sessionId)).expiresAt,
    (await rowOf(database, session.sessionId)).endsAt,
  )
  await age(database, session.sessionId, 30)
  t.same(await refresh(database, session, 24), { kind: 'refused', reason: 'ended' })
})

t.test('an unused session expires', async (t) => {
  const { database, session } = await siteAndSession(t)
  await age(database, session.sessionId, 3_601)
  t.same(await refresh(database, session, 0), { kind: 'refused', reason: 'ended' })
})

t.test('50 parallel refreshes of one token leave one living generation, and all 50 get it', async (t) => {
  const { database, session } = await siteAndSession(t, 20)
  const outcomes = await Promise.all(Array.from({ length: 50 }, () => refresh(database, session, 0)))
  for (const outcome of outcomes) t.match(outcome, { session: { generation: 1 } })
  t.match(await rowOf(database, session.sessionId), { generation: 1, revokedAt: null })
  t.match(await refresh(database, session, 1), { kind: 'rotated', session: { generation: 2 } })
})

t.test('the previous token gets the same generation again within the grace', async (t) => {
  const { database, session } = await siteAndSession(t)
  await refresh(database, session, 0)
  await age(database, session.sessionId, 8)
  const before = await rowOf(database, session.sessionId)
  t.match(await refresh(database, session, 0, { refreshKid: 'kid-2' }), {
    kind: 'repeated',
    session: { generation: 1, refreshKid: 'kid-1', expiresAt: before.expiresAt },
  })
  t.same(await rowOf(database, session.sessionId), before, 'nothing moves, the grace neither')
  await age(database, session.sessionId, 3)
  t.match(await refresh(database, session, 0), { kind: 'reused', siteId: 'site-1' })
  t.same(await refresh(database, session, 1), { kind: 'refused', reason: 'ended' })
})

t.test('a token two generations old ends the session, even within the grace', async (t) => {
  const { database, session } = await siteAndSession(t)
  await refresh(database, session, 0)
  await refresh(database, session, 1)
  t.match(await refresh(database, session, 0), {
    kind: 'reused',
    sessionId: session.sessionId,
  })
  for (const generation of [0, 1, 2])
    t.same(await refresh(database, session, generation), { kind: 'refused', reason: 'ended' })
})

t.test('without a grace the second of two parallel refreshes ends the session', async (t) => {
  const { database, session } = await siteAndSession(t, 20)
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, () => refresh(database, session, 0, { grace: 0 })),
  )
  t.equal(outcomes.filter(({ kind }) => kind === 'rotated').length, 1)
  t.equal(outcomes.filter(({ kind }) => kind === 'reused').length, 1)
  t.equal(outcomes.filter(({ kind }) => kind === 'refused').length, 18)
})

t.test(
  'without a grace a refresh that a demoted primary refused is repeated, as it was not carried out',
  async (t) => {
    const { database, session } = await siteAndSession(t, 3)
    const clients = await Promise.all(Array.from({ length: 3 }, () => database.pool.connect()))
    for (const client of clients) {
      await client.query('SET default_transaction_read_only = on')
      client.release()
    }
    t.match(await refresh(database, session, 0, { grace: 0 }), {
      kind: 'rotated',
      session: { generation: 1 },
    })
  },
)

t.test(
  'without a grace the second refresh ends the session, even if its statement began before the first one committed',
  async (t) => {
    const { database, session } = await siteAndSession(t)
    const first = await database.pool.connect()
    await first.query('BEGIN')
    await first.query('SELECT FROM sessions FOR UPDATE')
    const second = refresh(database, session, 0, { grace: 0 })
    await new Promise((resolve) => setTimeout(resolve, 200))
    await first.query('UPDATE sessions SET generation = 1, rotated_at = clock_timestamp()')
    await first.query('COMMIT')
    first.release()
    t.match(await second, { kind: 'reused' })
  },
)

t.test(
  'a token newer than its session, as after a restore of the database, ends the session with an outcome of its own',
  async (t) => {
    const { database, session } = await siteAndSession(t)
    t.match(await refresh(database, session, 5), {
      kind: 'ahead',
      sessionId: session.sessionId,
    })
    t.same(await refresh(database, session, 0), { kind: 'refused', reason: 'ended' })
  },
)

t.test(
  'a refresh without the secret that the site requires is refused before anything is changed',
  async (t) => {
    const database = await testDatabase(t)
    await addSite(database, 'site-1', { requireSecret: true })
    await addSite(database, 'site-2')
    const session = await opened(database)
    const before = await rowOf(database, session.sessionId)
    for (const generation of [0, 7])
      t.same(await refresh(database, session, generation), { kind: 'refused', reason: 'secret-required' })
    t.same(await refresh(database, session, 0, { authenticatedSite: 'site-2' }), {
      kind: 'refused',
      reason: 'other-site',
    })
    t.same(await rowOf(database, session.sessionId), before)
    t.match(await refresh(database, session, 0, { authenticatedSite: 'site-1' }), { kind: 'rotated' })
  },
)

t.test('another site’s credentials are refused even if the site requires none', async (t) => {
  const { database, session } = await siteAndSession(t)
  await addSite(database, 'site-2')
  t.same(await refresh(database, session, 0, { authenticatedSite: 'site-2' }), {
    kind: 'refused',
    reason: 'other-site',
  })
  t.match(await refresh(database, session, 0, { authenticatedSite: 'site-1' }), { kind: 'rotated' })
})

t.test('a refresh is refused if the user or the site is disabled or the session is unknown', async (t) => {
  const { database, session } = await siteAndSession(t)
  const disabledAt = new Date()
  await database.prisma.user.update({ where: { id: session.userId }, data: { disabledAt } })
  t.same(await refresh(database, session, 0), { kind: 'refused', reason: 'user-disabled' })
  await database.prisma.site.update({ where: { id: 'site-1' }, data: { disabledAt } })
  t.same(await refresh(database, session, 0), { kind: 'refused', reason: 'site-disabled' })
  await database.prisma.user.update({ where: { id: session.userId }, data: { disabledAt: null } })
  await database.prisma.site.update({ where: { id: 'site-1' }, data: { disabledAt: null } })
  t.match(await refresh(database, session, 0), { kind: 'rotated' }, 'nothing was revoked meanwhile')
  const nowhere = { sessionId: '0199c0de-0000-7000-8000-000000000009' }
  t.same(await refresh(database, nowhere, 0), { kind: 'refused', reason: 'unknown' })
})

t.test('a refresh changes in place: PostgreSQL touches no index (HOT)', async (t) => {
  const { database, session } = await siteAndSession(t)
  for (let generation = 0; generation < 20; generation++) await refresh(database, session, generation)
  await database.pool.query('SELECT pg_stat_force_next_flush()')
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  const { rows } = await database.pool.query<{ updates: number; hot: number }>(
    `SELECT n_tup_upd::int AS updates, n_tup_hot_upd::int AS hot FROM pg_stat_user_tables WHERE relname = 'sessions'`,
  )
  t.ok((rows[0]?.hot ?? 0) > 0)
  t.equal(rows[0]?.hot, rows[0]?.updates)
})
