import { Client } from 'pg'
import type { Test } from 'tap'
import t from 'tap'
import { deadlines } from '../../src/deadlines.ts'
import { migrate } from '../../src/storage/migrate.ts'
import { openTestDatabase } from '../support/database.ts'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import { finish, get, logIn, loginToFinish, post, start, text } from '../support/login-flow.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { eventually } from '../support/process.ts'
import { startDoubles, startTestService } from '../support/service.ts'
import { holdProfiles } from './held-profiles.ts'

const away: ExpectedProblem = {
  status: 503,
  type: 'dependency-unavailable',
  error: 'temporarily_unavailable',
  retryAfter: [1, 30],
}
const refreshPath = '/api/v1/oauth/refresh/'

/** A service whose requests for a profile can be held back. */
async function stage(t: Test, options: Parameters<typeof startTestService>[1] = {}) {
  const doubles = await startDoubles(t)
  const { toProfile, exchanged, env } = await holdProfiles(t, doubles)
  const service = await startTestService(t, { ...options, doubles, env })
  return { service, toProfile, exchanged }
}

/** Begins a finish and stops before the profile is there. */
async function underWay(t: Test, { service, toProfile, exchanged }: Awaited<ReturnType<typeof stage>>) {
  const login = await loginToFinish(service, 'yandex', { person: { id: '5005' } })
  service.doubles.yandex.requests.length = 0
  toProfile.pause()
  t.teardown(() => toProfile.resume())
  const answer = finish(service, login)
  await exchanged()
  return { answer }
}

t.test('a read-only database gives 503, and a finish that began before succeeds later', async (t) => {
  const staged = await stage(t)
  const { service, toProfile } = staged
  const tokens = await logIn(service)
  const admin = openTestDatabase(t, { url: service.database.url, poolMax: 1 })
  /** Sets the database read-only or not, and ends its other connections, as after a failover. */
  const readOnly = async (value: 'on' | 'off') => {
    await admin.pool.query('SET default_transaction_read_only = off')
    const [row] = (await admin.pool.query<{ name: string }>('SELECT current_database() AS name')).rows
    await admin.pool.query(`ALTER DATABASE ${row?.name} SET default_transaction_read_only = ${value}`)
    await admin.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    )
  }
  const { answer } = await underWay(t, staged)
  await readOnly('on')
  toProfile.resume()
  const refresh = () => post(service, refreshPath, { refresh_token: tokens.refreshToken })
  expectProblem(t, await refresh(), away, 'refresh')
  const authorization = `Bearer ${tokens.accessToken}`
  t.equal((await get(service, '/api/v1/me/', { authorization })).status, 200, 'what only reads goes on')
  t.ok(await start(service))
  t.equal(await service.database.prisma.session.count(), 1)
  await readOnly('off')
  const { status, text: said } = await answer
  t.equal(status, 200, said)
  t.equal(await service.database.prisma.session.count(), 2)
  t.equal((await refresh()).status, 200, 'the same refresh token')
})

t.test('a finish that is the victim of a deadlock is repeated and succeeds', async (t) => {
  const { service } = await stage(t)
  const { prisma } = service.database
  const person = { id: '6006' }
  t.equal((await finish(service, await loginToFinish(service, 'yandex', { person }))).status, 200)
  const rival = new Client({ connectionString: service.database.url })
  await rival.connect()
  t.teardown(() => rival.end())
  // This session does not detect deadlocks, so that the finish is the victim.
  await rival.query(`SET deadlock_timeout = '1min'`)
  await rival.query('BEGIN')
  // A finish locks the identity first and the user after it; this session locks them in reverse order.
  await rival.query('SELECT FROM users FOR UPDATE')
  const crossing = rival.query(`DO $$ BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
      AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))
    LOOP
      PERFORM pg_stat_clear_snapshot(), pg_sleep(0.01);
    END LOOP;
    UPDATE identities SET user_id = user_id;
  END $$`)
  const answer = finish(service, await loginToFinish(service, 'yandex', { person }))
  await crossing
  await rival.query('COMMIT')
  const { status, text: said } = await answer
  t.equal(status, 200, said)
  t.equal(await prisma.session.count(), 2)
  t.equal(await prisma.user.count(), 1)
  await eventually(async () => {
    const { rows } = await service.database.pool.query<{ deadlocks: string }>(
      'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
    )
    if (rows[0]?.deadlocks !== '1') throw new Error(`${rows[0]?.deadlocks} deadlocks`)
  })
})

t.test('with a server that stops and starts', async (t) => {
  const server = await startPostgres({ synchronous_commit: 'on' })
  t.teardown(() => server.remove())
  await migrate(server.url)
  const database = { ...openTestDatabase(t, { url: server.url, poolMax: 5, deadlines }), url: server.url }
  const staged = await stage(t, { database, deadlines })
  const { service, toProfile } = staged

  t.test('a login succeeds if the server crashes and restarts before its session is opened', async (t) => {
    const { answer } = await underWay(t, staged)
    await server.stop('SIGQUIT')
    toProfile.resume()
    await eventually(() => {
      if (service.doubles.yandex.requests.length < 2) throw new Error('the profile is not asked for yet')
    })
    await server.start()
    const { status, text: said } = await answer
    t.equal(status, 200, said)
    t.equal(await database.prisma.session.count(), 1)
    t.equal(await database.prisma.user.count(), 1)
  })

  t.test('without the server a finish gets 503, spends no code, and succeeds later', async (t) => {
    const tokens = await finish(service, await loginToFinish(service))
    const login = await loginToFinish(service)
    service.doubles.yandex.requests.length = 0
    await server.stop('SIGQUIT')
    // By then the service has forgotten the sites that it remembered.
    await new Promise((resolve) => setTimeout(resolve, 2_050))
    const asked = performance.now()
    expectProblem(t, await finish(service, login), away, 'finish')
    const authorization = `Bearer ${text(tokens, 'access_token')}`
    t.equal((await get(service, '/api/v1/me/', { authorization })).status, 503)
    expectProblem(t, await post(service, refreshPath, { refresh_token: text(tokens, 'refresh_token') }), away)
    t.ok(performance.now() - asked < 3_000)
    t.strictSame(service.doubles.yandex.requests, [], 'the provider was not asked')
    await server.start()
    await eventually(() => start(service), 5_000)
    t.equal((await finish(service, login)).status, 200)
    t.equal((await post(service, refreshPath, { refresh_token: text(tokens, 'refresh_token') })).status, 200)
  })
})
