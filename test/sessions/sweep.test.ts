import t from 'tap'
import { startSweep, sweepSessions } from '../../src/sessions/sweep.ts'
import { testDatabase } from '../support/database.ts'
import { addSite, age, opened, refresh } from './test-sessions.ts'

const day = 86_400

t.test('sessions that ended a day ago go, all others stay', async (t) => {
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

t.test('one replica at a time', async (t) => {
  const database = await testDatabase(t)
  const client = await database.pool.connect()
  await client.query('BEGIN')
  await client.query('SELECT pg_advisory_xact_lock(7413003)')
  t.equal(await sweepSessions(database), undefined)
  await client.query('COMMIT')
  client.release()
  t.equal(await sweepSessions(database), 0)
})

t.test('stops between pages where the service stops', async (t) => {
  const database = await testDatabase(t)
  await addSite(database)
  const { sessionId } = await opened(database)
  await age(database, sessionId, 10 * day)
  t.equal(await sweepSessions(database, { signal: AbortSignal.abort() }), 0)
  t.equal(await database.prisma.session.count(), 1)
  const sweep = startSweep(database, { info() {}, error() {} })
  await sweep.close()
})
