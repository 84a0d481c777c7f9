import { randomBytes } from 'node:crypto'
import t from 'tap'
import { findSessionOfLogin, openSession } from '../../src/sessions/open-session.ts'
import { testDatabase } from '../support/database.ts'
import { addSite, age, login, opened } from './test-sessions.ts'

t.test(
  'a first login creates a user, an identity and a session; a second login finds the user',
  async (t) => {
    const database = await testDatabase(t)
    await addSite(database)
    const first = await opened(database)
    t.match(first, { kind: 'opened', siteId: 'site-1', generation: 0, living: true, refreshKid: 'kid-1' })
    const { profile } = login()
    const second = await opened(database, {
      profile: { ...profile, name: 'Ada L.', login: null, email: null, emailVerified: null },
    })
    t.equal(second.userId, first.userId)
    t.not(second.sessionId, first.sessionId)
    t.match(await database.prisma.user.findMany(), [
      { id: first.userId, name: 'Ada L.', login: null, email: null, emailVerified: null },
    ])
    t.match(await database.prisma.identity.findMany(), [
      { provider: 'alpha', subject: 'ada-1', userId: first.userId },
    ])
  },
)

t.test(
  'a session expires after REFRESH_TOKEN_TTL and at SESSION_MAX_AGE at the latest, by the database’s clock',
  async (t) => {
    const database = await testDatabase(t)
    await addSite(database)
    for (const [ttl, maxAge, life] of [
      [100, 1_000, 100],
      [1_000, 100, 100],
    ] as const) {
      const { sessionId } = await opened(database, { ttl, maxAge })
      const { createdAt, expiresAt, endsAt } = await database.prisma.session.findUniqueOrThrow({
        where: { id: sessionId },
      })
      t.equal(Math.round((expiresAt.getTime() - createdAt.getTime()) / 1000), life)
      t.equal(Math.round((endsAt.getTime() - createdAt.getTime()) / 1000), maxAge)
    }
  },
)

t.test(
  '50 parallel first logins of one person create one user and 50 sessions without an error',
  async (t) => {
    const database = await testDatabase(t, 20)
    await addSite(database)
    const sessions = await Promise.all(Array.from({ length: 50 }, () => opened(database)))
    t.equal(new Set(sessions.map(({ userId }) => userId)).size, 1)
    t.equal(new Set(sessions.map(({ sessionId }) => sessionId)).size, 50)
    t.equal(await database.prisma.user.count(), 1)
    t.equal(await database.prisma.session.count(), 50)
  },
)

t.test('1,000 logins of 25 people over 20 connections create 25 users and no orphan', async (t) => {
  const database = await testDatabase(t, 20)
  await addSite(database)
  const { profile } = login()
  const subjects = Array.from({ length: 1_000 }, (_, n) => `person-${n % 25}`)
  await Promise.all(subjects.map((subject) => opened(database, { profile: { ...profile, subject } })))
  t.equal(await database.prisma.user.count(), 25)
  t.equal(await database.prisma.user.count({ where: { identities: { none: {} } } }), 0)
  t.equal(await database.prisma.session.count(), 1_000)
})

t.test('one login opens one session, even if it is repeated or runs in parallel', async (t) => {
  const database = await testDatabase(t, 20)
  await addSite(database)
  const loginHash = randomBytes(32)
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, () => openSession(database, login({ loginHash }))),
  )
  t.equal(outcomes.filter(({ kind }) => kind === 'opened').length, 1)
  t.equal(outcomes.filter(({ kind }) => kind === 'exists').length, 19)
  t.equal(await database.prisma.session.count(), 1)
})

t.test('the same email at two providers creates two users, which are not linked', async (t) => {
  const database = await testDatabase(t)
  await addSite(database)
  const alpha = await opened(database)
  const beta = await opened(database, { provider: 'beta' })
  t.not(alpha.userId, beta.userId)
  t.equal(await database.prisma.user.count({ where: { email: 'ada@example.test' } }), 2)
})

t.test('a login of a disabled user opens no session and leaves the user’s row unchanged', async (t) => {
  const database = await testDatabase(t)
  await addSite(database)
  const { userId } = await opened(database)
  await database.prisma.user.update({ where: { id: userId }, data: { disabledAt: new Date() } })
  const { profile } = login()
  t.same(await openSession(database, login({ profile: { ...profile, name: 'New' } })), { kind: 'disabled' })
  t.match(await database.prisma.user.findMany(), [{ name: 'Ada' }])
  t.equal(await database.prisma.session.count(), 1)
})

t.test('a login at a site that was disabled or removed meanwhile writes nothing', async (t) => {
  const database = await testDatabase(t)
  await addSite(database)
  await database.prisma.site.update({ where: { id: 'site-1' }, data: { disabledAt: new Date() } })
  for (const siteId of ['site-1', 'no-site'])
    t.same(await openSession(database, login({ siteId })), { kind: 'site-gone' })
  t.equal(await database.prisma.user.count(), 0)
  t.equal(await database.prisma.identity.count(), 0)
})

t.test('subjects that differ in any character are different users', async (t) => {
  const database = await testDatabase(t)
  await addSite(database)
  const { profile } = login()
  const subjects = [
    '1',
    '01',
    ' 1',
    '1 ',
    'ADA',
    'ada',
    '\u00c9',
    'E\u0301',
    '9007199254740993',
    "'; DROP TABLE users; --",
  ]
  for (const subject of subjects) await opened(database, { profile: { ...profile, subject } })
  for (const subject of subjects) await opened(database, { profile: { ...profile, subject } })
  t.equal(await database.prisma.user.count(), subjects.length)
})

t.test(
  'the session of a login is found by the login’s hash, with its age and whether it lives',
  async (t) => {
    const database = await testDatabase(t)
    await addSite(database)
    const loginHash = randomBytes(32)
    t.equal(await findSessionOfLogin(database, loginHash), undefined)
    const { kind: _, ageSeconds: __, ...session } = { kind: '', ...(await opened(database, { loginHash })) }
    t.match(await findSessionOfLogin(database, loginHash), session)

    await age(database, session.sessionId, 50)
    const later = await findSessionOfLogin(database, loginHash)
    t.ok(later !== undefined && later.ageSeconds >= 50 && later.ageSeconds < 60)
    await age(database, session.sessionId, 3_600)
    t.match(await findSessionOfLogin(database, loginHash), { living: false })
  },
)

t.test('the session of a login is not living while its user is disabled', async (t) => {
  const database = await testDatabase(t)
  await addSite(database)
  const loginHash = randomBytes(32)
  const { userId } = await opened(database, { loginHash })
  await database.prisma.user.update({ where: { id: userId }, data: { disabledAt: new Date() } })
  t.match(await findSessionOfLogin(database, loginHash), { living: false })
})
