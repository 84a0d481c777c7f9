import { randomBytes } from 'node:crypto'
import t from 'tap'
import { KeyCommandError, listKeys, resealKeys, revokeKey, rotateKey } from '../../src/keys/commands.ts'
import { issueAccessToken, verifyAccessToken } from '../../src/tokens/access-token.ts'
import { verifyRefreshToken } from '../../src/tokens/refresh-token.ts'
import { issueTokenPair } from '../../src/tokens/token-pair.ts'
import { addSite, opened, refresh } from '../sessions/test-sessions.ts'
import { testDatabase } from '../support/database.ts'
import { accessKids, revoking, settings, testClock, testKeys } from './test-keys.ts'

const subject = {
  userId: '0199c0de-0000-7000-8000-000000000001',
  sessionId: '0199c0de-0000-7000-8000-000000000002',
  siteId: 'site-1',
}

t.test('the first key signs at once, and a rotated key waits 420 s, as the list shows', async (t) => {
  const database = await testDatabase(t)
  const options = { ...settings, database }
  t.same(await listKeys(options), [])
  const first = await rotateKey('access', options)
  const before = Date.now()
  const second = await rotateKey('access', { ...options, tokenAlg: 'ES256' })
  t.match(second, { kind: 'access', alg: 'ES256' })
  const wait = (Date.parse(second.activates_at) - before) / 1000
  t.ok(wait > 415 && wait < 425)
  const listed = await listKeys(options)
  t.match(listed, [
    { kid: first.kid, kind: 'access', alg: 'EdDSA', state: 'active', revoked_at: null },
    { kid: second.kid, kind: 'access', alg: 'ES256', state: 'next', verifies_until: null, revoked_at: null },
  ])
  t.equal(Date.parse(listed[0]?.verifies_until ?? ''), Date.parse(second.activates_at) + (900 + 420) * 1000)
  t.notMatch(JSON.stringify(listed), /PRIVATE|sealed/i)
})

t.test('a second rotation is refused while a key waits', async (t) => {
  const options = { ...settings, database: await testDatabase(t) }
  await rotateKey('refresh', options)
  const next = await rotateKey('refresh', options)
  await t.rejects(rotateKey('refresh', options), KeyCommandError)
  await t.rejects(rotateKey('refresh', options), { message: new RegExp(`${next.kid} waits already`) })
  await rotateKey('access', options)
})

t.test('a revoked active access key is refused after a reload, and a new key signs at once', async (t) => {
  const database = await testDatabase(t)
  const keys = await testKeys(t, { database })
  const { kid } = keys.active('access')
  const token = issueAccessToken(keys, subject)
  const answer = await revokeKey(kid, revoking({ ...settings, database }))
  t.match(answer, { kid, kind: 'access', sessions_ended: 0 })
  await keys.reload()
  t.throws(() => verifyAccessToken(keys, token), { name: 'InvalidToken', flaw: 'unknown-key' })
  t.equal(keys.active('access').kid, answer.successor)
  t.same(accessKids(keys), [answer.successor])
  verifyAccessToken(keys, issueAccessToken(keys, subject))
  const listed = await listKeys({ ...settings, database })
  t.equal(listed.find((key) => key.kid === kid)?.state, 'revoked')
  const row = await database.prisma.signingKey.findUniqueOrThrow({ where: { kid } })
  t.equal(row.sealedSecret.length, 0, 'the secret is gone')
})

t.test(
  'revoking the active key activates the waiting one; revoking a waiting key changes nothing else',
  async (t) => {
    const database = await testDatabase(t)
    const options = { ...settings, database }
    const keys = await testKeys(t, { database })
    const active = keys.active('access').kid
    const unwanted = await rotateKey('access', options)
    t.match(await revokeKey(unwanted.kid, revoking(options)), { successor: null })
    await keys.reload()
    t.equal(keys.active('access').kid, active)
    const waiting = await rotateKey('access', options)
    t.match(await revokeKey(active, revoking(options)), { successor: waiting.kid })
    await keys.reload()
    t.equal(keys.active('access').kid, waiting.kid)
  },
)

t.test('revoking a refresh key ends only the sessions that it signed for', async (t) => {
  const database = await testDatabase(t)
  const options = { ...settings, database }
  const keys = await testKeys(t, { database })
  await addSite(database)
  const old = keys.active('refresh').kid
  const session = await opened(database, { refreshKid: old })
  const moved = await opened(database, { refreshKid: old })
  await refresh(database, moved, 0, { refreshKid: 'another' })
  const token = issueTokenPair(keys, session).refresh_token
  t.match(await revokeKey(old, revoking(options)), { kind: 'refresh', sessions_ended: 1 })
  t.match(await revokeKey(old, revoking(options)), { successor: null, sessions_ended: 0 }, 'may be repeated')
  t.same(await refresh(database, session, 0), { kind: 'refused', reason: 'ended' })
  t.match(await refresh(database, moved, 1), { kind: 'rotated' })
  await keys.reload()
  t.throws(() => verifyRefreshToken(keys, token), { name: 'InvalidToken', flaw: 'unknown-key' })
})

t.test('revoking an unknown kid is refused', async (t) => {
  const options = { ...settings, database: await testDatabase(t) }
  await t.rejects(revokeKey('nothing', revoking(options)), {
    name: 'KeyCommandError',
    message: /There is no key nothing/,
  })
})

t.test('after a reseal the keys open without the old entry of SECRET_KEYS', async (t) => {
  const database = await testDatabase(t)
  const [old, fresh] = [randomBytes(32), randomBytes(32)]
  const keys = await testKeys(t, { database, secretKeys: [old] })
  const token = issueAccessToken(keys, subject)
  const { kid } = await rotateKey('access', { ...settings, database, secretKeys: [old] })
  await revokeKey(kid, revoking({ ...settings, database, secretKeys: [old] }))
  t.equal((await resealKeys({ ...settings, database, secretKeys: [fresh, old] })).resealed.length, 5)
  const later = await testKeys(t, { database, secretKeys: [fresh] })
  t.equal(verifyAccessToken(later, token).sub, subject.userId)
  await t.rejects(testKeys(t, { database, secretKeys: [old] }), { name: 'UnusableKey' })
})

t.test('a reseal that cannot open some keys names each of them and changes nothing', async (t) => {
  const database = await testDatabase(t)
  await testKeys(t, { database })
  const before = await database.prisma.signingKey.findMany()
  t.equal(before.length, 5)
  for (const { kid } of before)
    await t.rejects(resealKeys({ ...settings, database, secretKeys: [randomBytes(32)] }), {
      name: 'UnusableKey',
      message: new RegExp(kid),
    })
  t.same(await database.prisma.signingKey.findMany(), before)
})

t.test('keys whose last token has expired are removed at the next rotation', async (t) => {
  const database = await testDatabase(t)
  const options = { ...settings, database }
  const first = await rotateKey('access', options)
  await rotateKey('access', options)
  await database.pool.query(`UPDATE signing_keys SET activates_at = activates_at - interval '1 day'`)
  t.match(await listKeys(options), [{ kid: first.kid, state: 'ended' }, { state: 'active' }])
  await rotateKey('access', options)
  t.equal(await database.prisma.signingKey.count({ where: { kid: first.kid } }), 0)
})

t.test('of parallel rotations one makes a key, and the others are refused', async (t) => {
  const database = await testDatabase(t)
  const clock = testClock()
  const keys = await testKeys(t, { database, now: clock.now })
  const outcomes = await Promise.allSettled(
    Array.from({ length: 8 }, () => rotateKey('access', { ...settings, database })),
  )
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  await keys.reload()
  t.equal(accessKids(keys).length, 2)
})
