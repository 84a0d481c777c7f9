import t from 'tap'
import { endOwnSession, endOwnSessions, listOwnSessions } from '../../src/sessions/own-sessions.ts'
import { profileOf } from '../../src/users/me.ts'
import { testDatabase } from '../support/database.ts'
import { addSite, age, opened, refresh } from './test-sessions.ts'

t.test('a user sees their own living sessions at this site, newest first', async (t) => {
  const database = await testDatabase(t)
  await addSite(database)
  await addSite(database, 'site-2')
  const first = await opened(database)
  const second = await opened(database)
  const elsewhere = await opened(database, { siteId: 'site-2' })
  const somebody = await opened(database, { provider: 'beta' })
  await age(database, first.sessionId, 100)
  await refresh(database, first, 0)

  const listed = await listOwnSessions(database, first)
  t.match(listed, [
    { id: second.sessionId, provider: 'alpha', current: false },
    { id: first.sessionId, provider: 'alpha', current: true },
  ])
  t.equal(listed?.length, 2)
  const own = listed?.[1]
  t.ok(own && own.lastUsedAt.getTime() - own.createdAt.getTime() >= 100_000)
  t.equal((await listOwnSessions(database, elsewhere))?.length, 1)
  t.equal((await listOwnSessions(database, somebody))?.length, 1)
})

t.test('no site and no user can end another’s session or learn that it exists', async (t) => {
  const database = await testDatabase(t)
  await addSite(database)
  await addSite(database, 'site-2')
  const mine = await opened(database)
  const elsewhere = await opened(database, { siteId: 'site-2' })
  const somebody = await opened(database, { provider: 'beta' })
  const ids = [
    elsewhere.sessionId,
    somebody.sessionId,
    '0199c0de-0000-7000-8000-000000000009',
    'x',
    "' OR 1=1--",
    '',
  ]
  for (const id of ids) t.equal(await endOwnSession(database, mine, id), 'not-found')
  t.equal(await endOwnSessions(database, mine), 1)
  t.ok(await profileOf(database, elsewhere))
  t.ok(await profileOf(database, somebody))
  // Claims that do not belong together (this service issues no such token) open nothing.
  t.equal(
    await endOwnSession(database, { ...elsewhere, siteId: 'site-1' }, elsewhere.sessionId),
    'bearer-ended',
  )
  t.equal(await profileOf(database, { ...elsewhere, userId: somebody.userId }), undefined)
})

t.test('after a logout the session can be used for nothing', async (t) => {
  const database = await testDatabase(t)
  await addSite(database)
  const session = await opened(database)
  const other = await opened(database)
  t.equal(await endOwnSession(database, session, other.sessionId), 'ended')
  t.equal(await endOwnSession(database, session, other.sessionId), 'not-found')
  t.equal(await endOwnSession(database, session, session.sessionId), 'ended')
  t.equal(await endOwnSession(database, session, session.sessionId), 'bearer-ended')
  t.equal(await endOwnSessions(database, session), undefined)
  t.equal(await listOwnSessions(database, session), undefined)
  t.equal(await profileOf(database, session), undefined)
  t.same(await refresh(database, session, 0), { kind: 'refused', reason: 'ended' })
})

t.test('the profile is that of the last login; a disabled user or site has none', async (t) => {
  const database = await testDatabase(t)
  await addSite(database)
  const session = await opened(database)
  t.match(await profileOf(database, session), {
    userId: session.userId,
    sessionId: session.sessionId,
    name: 'Ada',
    login: 'ada',
    email: 'ada@example.test',
    emailVerified: true,
    provider: 'alpha',
  })
  const id = session.userId
  await database.prisma.user.update({ where: { id }, data: { disabledAt: new Date() } })
  t.equal(await profileOf(database, session), undefined)
  await database.prisma.user.update({ where: { id }, data: { disabledAt: null } })
  await database.prisma.site.update({ where: { id: 'site-1' }, data: { disabledAt: new Date() } })
  t.equal(await profileOf(database, session), undefined)
})
