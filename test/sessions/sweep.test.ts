import assert from 'node:assert/strict'
import t from 'tap'
import { startSweep, sweepSessions } from '../../src/sessions/sweep.ts'
import { sweepDeletions } from '../../src/users/personal-data.ts'
import { testDatabase } from '../support/database.ts'
import { eventually } from '../support/process.ts'
import { addSite, age, opened, refresh } from './test-sessions.ts'

const day = 86_400

t.test('sessions that ended over a day ago are swept, and all others stay', async (t) => {
  const database = await testDatabase(t)
  await addSite(database)
  const [living, old, expired, longExpired, revoked, longRevoked] = await Promise.all([
    opened(database),
    opened(database, { ttl: 100 * day, maxAge: 100 * day }),
    opened(database),
    opened(database),
    opened(database),
    opened(database, { ttl: 100 * day, maxAge: 100 * day }),
  ])
  await age(database, old.sessionId, 99 * day)
  await age(database, expired.sessionId, 3_600 + day - 60)
  await age(database, longExpired.sessionId, 3_600 + day + 60)
  for (const session of [revoked, longRevoked]) await refresh(database, session, 5)
  await age(database, revoked.sessionId, day - 60)
  await age(database, longRevoked.sessionId, day + 60)

  t.equal(await sweepSessions(database, { pageSize: 1 }), 2)
  const left = await database.prisma.session.findMany({ select: { id: true } })
  t.same(
    new Set(left.map(({ id }) => id)),
    new Set([living, old, expired, revoked].map(({ sessionId }) => sessionId)),
  )
  t.equal(await sweepSessions(database), 0)
})

t.test('only one replica sweeps at a time', async (t) => {
  const database = await testDatabase(t)
  const client = await database.pool.connect()
  await client.query('BEGIN')
  await client.query('SELECT pg_advisory_xact_lock(7413003)')
  t.equal(await sweepSessions(database), undefined)
  await client.query('COMMIT')
  client.release()
  t.equal(await sweepSessions(database), 0)
})

t.test('a sweep stops between two pages when the service stops', async (t) => {
  const database = await testDatabase(t)
  await addSite(database)
  const { sessionId } = await opened(database)
  await age(database, sessionId, 10 * day)
  t.equal(await sweepSessions(database, { signal: AbortSignal.abort() }), 0)
  t.equal(await database.prisma.session.count(), 1)
})

t.test('the sweep repeats until it is closed, even after a failure', async (t) => {
  const database = await testDatabase(t)
  await addSite(database)
  const said: string[] = []
  const log = {
    info: (fields: object) => void said.push(JSON.stringify(fields)),
    error: () => void said.push('failed'),
  }
  await database.pool.query('ALTER TABLE sessions RENAME TO away')
  const sweep = startSweep(database, log, { sweepDeletions: () => sweepDeletions(database), every: 20 })
  await eventually(() => assert(said.includes('failed')))
  await database.pool.query('ALTER TABLE away RENAME TO sessions')
  await eventually(() => assert(said.includes('{"deleted":0,"lines":0}')))
  const { sessionId } = await opened(database)
  await age(database, sessionId, 10 * day)
  await eventually(() => assert(said.includes('{"deleted":1,"lines":0}')))
  await sweep.close()
  const before = said.length
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.equal(said.length, before)
})
