import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createLocalJWKSet, jwtVerify } from 'jose'
import t from 'tap'
import { revokeKey, rotateKey } from '../../src/keys/commands.ts'
import { UnusableKey } from '../../src/keys/material.ts'
import { createSigningKeys } from '../../src/keys/ring.ts'
import { issueAccessToken, verifyAccessToken } from '../../src/tokens/access-token.ts'
import { testDatabase } from '../support/database.ts'
import { eventually } from '../support/process.ts'
import { accessKids, revoking, settings, testClock, testKeys } from './test-keys.ts'

const subject = {
  userId: '0199c0de-0000-7000-8000-000000000001',
  sessionId: '0199c0de-0000-7000-8000-000000000002',
  siteId: 'site-1',
}

t.test('ten first starts at once make one key of each kind', async (t) => {
  const database = await testDatabase(t, 20)
  const replicas = await Promise.all(Array.from({ length: 10 }, () => testKeys(t, { database })))
  for (const kind of ['access', 'refresh'] as const)
    t.equal(new Set(replicas.map((keys) => keys.active(kind).kid)).size, 1)
  for (const alg of ['RS256', 'ES256', 'EdDSA'] as const)
    t.equal(new Set(replicas.map((keys) => keys.activeId(alg).kid)).size, 1)
  t.equal(await database.prisma.signingKey.count(), 5)
})

t.test(
  'a start fails if SECRET_KEYS no longer opens some keys, and the error names each of them',
  async (t) => {
    const database = await testDatabase(t)
    const keys = await testKeys(t, { database })
    const [access, refresh] = [keys.active('access').kid, keys.active('refresh').kid]
    const start = createSigningKeys({
      ...settings,
      database,
      secretKeys: [randomBytes(32)],
      log: { error() {}, info() {} },
    })
    await t.rejects(start, UnusableKey)
    for (const kid of [access, refresh])
      await t.rejects(start, { message: new RegExp(`key ${kid} .*SECRET_KEYS.*keys revoke ${kid}`) })
  },
)

t.test('a key whose stored public part is not its own is refused', async (t) => {
  const database = await testDatabase(t)
  const foreign = await testDatabase(t)
  const mine = (await testKeys(t, { database })).active('access')
  const other = (await testKeys(t, { database: foreign })).active('access')
  await database.pool.query('UPDATE signing_keys SET public_jwk = $1 WHERE kid = $2', [
    JSON.stringify({ ...other.publicJwk, kid: mine.kid }),
    mine.kid,
  ])
  await t.rejects(testKeys(t, { database }), { name: 'UnusableKey', kid: mine.kid })
})

t.test('the JWKS holds only public members, and only of access and id keys', async (t) => {
  for (const tokenAlg of ['EdDSA', 'ES256'] as const) {
    const keys = await testKeys(t, { database: await testDatabase(t), tokenAlg })
    const published = keys.jwks().keys
    t.strictSame(
      published.map(({ alg }) => alg),
      [tokenAlg, 'RS256', 'ES256', 'EdDSA'],
    )
    t.same(Object.keys(published[1] ?? {}).toSorted(), ['alg', 'e', 'kid', 'kty', 'n', 'use'])
    t.notOk(published.some(({ kid }) => kid === keys.active('refresh').kid))
    t.same(
      Object.keys(published[0] ?? {}).toSorted(),
      ['alg', 'crv', 'kid', 'kty', 'use', 'x', ...(tokenAlg === 'ES256' ? ['y'] : [])].toSorted(),
    )
    t.match(published[0], { alg: tokenAlg, use: 'sig', kid: keys.active('access').kid })
  }
})

t.test('a site that caches the JWKS for 300 s verifies every token across a rotation', async (t) => {
  const database = await testDatabase(t)
  const clock = testClock()
  const options = { database, now: clock.now }
  const replicas = [await testKeys(t, options), await testKeys(t, options)] as const
  // The test's clock does not move the database's, so each poll moves the rows back instead.
  const poll = async (seconds: number) => {
    await database.pool.query(
      `UPDATE signing_keys SET activates_at = activates_at - $1::int * interval '1 second'`,
      [seconds],
    )
    for (const keys of replicas) await keys.reload()
  }
  const site = { cachedAt: 0, getKey: createLocalJWKSet({ keys: [...replicas[0].jwks().keys] }) }
  const kids = new Map<string, number>()
  await rotateKey('access', { ...settings, database })
  for (let second = 3; second <= 750; second += 3) {
    clock.advance(3)
    if (second % 60 === 0) await poll(60)
    if (second - site.cachedAt >= 300) {
      site.cachedAt = second
      site.getKey = createLocalJWKSet({ keys: [...replicas[1].jwks().keys] })
    }
    for (let n = 0; n < 8; n++) {
      const issuer = replicas[n % 2 === 0 ? 0 : 1]
      const token = issueAccessToken(issuer, subject)
      if (n < 2) for (const verifier of replicas) verifyAccessToken(verifier, token)
      const { protectedHeader } = await jwtVerify(token, site.getKey, {
        issuer: settings.publicUrl,
        audience: subject.siteId,
        typ: 'at+jwt',
        currentDate: new Date(issuer.now()),
      })
      const kid = String(protectedHeader.kid)
      kids.set(kid, (kids.get(kid) ?? 0) + 1)
    }
  }
  t.equal(kids.size, 2, 'both keys signed')
  t.equal(
    [...kids.values()].reduce((sum, count) => sum + count),
    2_000,
  )
})

t.test(
  'the next key is published before it signs, and a retired one verifies until its last token expires',
  async (t) => {
    const database = await testDatabase(t)
    const clock = testClock()
    const keys = await testKeys(t, { database, now: clock.now })
    const old = keys.active('access').kid
    const token = issueAccessToken(keys, subject)
    const next = (await rotateKey('access', { ...settings, database })).kid
    t.equal(keys.find('access', next), undefined)
    await keys.reload()
    t.same(new Set(accessKids(keys)), new Set([old, next]))
    t.match(keys.summary(), { access: { current: old, next }, refresh: { next: null } })

    clock.advance(415)
    t.equal(keys.active('access').kid, old)
    clock.advance(10)
    t.equal(keys.active('access').kid, next)
    t.match(keys.summary().access, { current: next, next: null })
    t.equal(verifyAccessToken(keys, token).sub, subject.userId)

    clock.advance(900)
    t.ok(keys.find('access', old))
    t.throws(() => verifyAccessToken(keys, token), { name: 'InvalidToken', flaw: 'expired' })
    clock.advance(420)
    t.equal(keys.find('access', old), undefined)
    t.same(accessKids(keys), [next])
  },
)

t.test(
  'polls notice rotations and revocations by others, even after the table could not be read',
  async (t) => {
    const database = await testDatabase(t)
    const said: string[] = []
    const log = { info() {}, error: (...all: unknown[]) => void said.push(String(all[1])) }
    const keys = await testKeys(t, { database, log, pollEvery: 50 })
    await database.pool.query('ALTER TABLE signing_keys RENAME TO away')
    await eventually(() => assert.match(said.join(), /could not be read/))
    await database.pool.query('ALTER TABLE away RENAME TO signing_keys')
    const options = { ...settings, database }
    const { kid } = await rotateKey('access', options)
    await eventually(() => assert(keys.find('access', kid)))
    await revokeKey(kid, revoking(options))
    await eventually(() => assert.equal(keys.find('access', kid), undefined))
  },
)

t.test('a kid does not find a key of another kind', async (t) => {
  const keys = await testKeys(t, { database: await testDatabase(t) })
  t.equal(keys.find('access', keys.active('refresh').kid), undefined)
  t.equal(keys.find('refresh', keys.active('access').kid), undefined)
})

t.test('the loaded keys stay in use while the table cannot be read', async (t) => {
  const database = await testDatabase(t)
  const keys = await testKeys(t, { database })
  const { kid } = keys.active('access')
  await database.pool.query('ALTER TABLE signing_keys RENAME TO away')
  await t.rejects(keys.reload())
  t.equal(keys.active('access').kid, kid)
  await database.pool.query('ALTER TABLE away RENAME TO signing_keys')
  await keys.reload()
  t.equal(keys.active('access').kid, kid)
})

t.test('a running replica leaves out a key that it cannot open, and logs its kid', async (t) => {
  const database = await testDatabase(t)
  const said: string[] = []
  const clock = testClock()
  const log = { info() {}, error: (fields: object) => void said.push(JSON.stringify(fields)) }
  const keys = await testKeys(t, { database, log, now: clock.now })
  const { kid } = keys.active('access')
  const strange = await rotateKey('access', { ...settings, database, secretKeys: [randomBytes(32)] })
  await keys.reload()
  t.same(said, [JSON.stringify({ kid: strange.kid })])
  clock.advance(500)
  t.equal(keys.active('access').kid, kid, 'goes on to sign by the key that it has')
})

t.test('keys follow the database’s clock, not the process’s', async (t) => {
  const database = await testDatabase(t)
  const keys = await testKeys(t, { database, now: () => 12_345 })
  const { rows } = await database.pool.query<{ now: Date }>('SELECT now()')
  t.ok(Math.abs(keys.now() - Number(rows[0]?.now)) < 5_000)
})
