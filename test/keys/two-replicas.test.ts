import { randomBytes } from 'node:crypto'
import { createRemoteJWKSet, decodeProtectedHeader, errors, jwtVerify } from 'jose'
import t from 'tap'
import { resealKeys, revokeKey, rotateKey } from '../../src/keys/commands.ts'
import { introspect, logInAt, me, pairOf, problemOf, refresh } from '../sessions/http/session-requests.ts'
import { testDatabase } from '../support/database.ts'
import { eventually } from '../support/process.ts'
import { testRedis, withoutRedis } from '../support/redis.ts'
import type { TestService, TestServiceOptions } from '../support/service.ts'
import {
  publicUrl,
  redirectUrl,
  registerSite,
  sharedSecretKeys,
  startDoubles,
  startTestService,
} from '../support/service.ts'
import { revoking, testClock } from './test-keys.ts'

type Test = Pick<typeof t, 'teardown' | 'intercept'>

/** Two replicas of the service over one database and one Redis. */
async function replicas(
  t: Test,
  options: TestServiceOptions = {},
): Promise<readonly [TestService, TestService]> {
  const shared = { ...options, redis: await testRedis(t) }
  const one = await startTestService(t, shared)
  const { database, doubles, site } = one
  return [one, await startTestService(t, { ...shared, database, doubles, site })]
}

/** Many replicas that start for the first time at the same moment. */
async function startTogether(t: Test, count: number): Promise<readonly TestService[]> {
  const [database, doubles] = [await testDatabase(t, 20), await startDoubles(t)]
  const { id, secret } = await registerSite(database, redirectUrl)
  const shared = { database, doubles, site: { id, secret } }
  return await Promise.all(Array.from({ length: count }, () => startTestService(t, shared)))
}

const commands = ({ config, database }: TestService, secretKeys = sharedSecretKeys) => ({
  ...config,
  database,
  secretKeys,
})

/** The keys that a site caches for the 300 s that Cache-Control allows; an unknown kid does not make it fetch them. */
const cachedKeys = (service: TestService) =>
  createRemoteJWKSet(new URL(`${service.url}/.well-known/jwks.json`), {
    cooldownDuration: Number.POSITIVE_INFINITY,
    cacheMaxAge: Number.POSITIVE_INFINITY,
  })

const options = { skip: withoutRedis }

t.test('ten thousand verifications by jose across a rotation all succeed', options, async (t) => {
  const clock = testClock()
  const both = await replicas(t, { now: clock.now })
  const [one, two] = both
  let pair = await logInAt(one)
  // The test's clock does not move the database's, so each poll moves the rows back instead.
  const poll = async () => {
    await one.database.pool.query(
      `UPDATE signing_keys SET activates_at = activates_at - interval '60 seconds'`,
    )
    for (const { keys } of both) await keys.reload()
  }
  await rotateKey('access', commands(one))
  let keys = cachedKeys(one)
  const kids = new Map<string, number>()
  let verified = 0
  for (let second = 5; second <= 750; second += 5) {
    clock.advance(5)
    if (second % 60 === 0) await poll()
    if (second % 300 === 0) keys = cachedKeys(two)
    pair = pairOf(await refresh(second % 10 === 0 ? one : two, pair.refreshToken))
    const { kid } = decodeProtectedHeader(pair.accessToken)
    for (let n = 0; n < 67; n++) {
      await jwtVerify(pair.accessToken, keys, {
        issuer: publicUrl,
        audience: one.site.id,
        typ: 'at+jwt',
        algorithms: ['EdDSA', 'ES256'],
        currentDate: new Date(one.keys.now()),
      })
      verified += 1
    }
    kids.set(String(kid), (kids.get(String(kid)) ?? 0) + 1)
    t.equal((await me(second % 10 === 0 ? two : one, pair.accessToken)).status, 200, 'the other replica too')
  }
  t.ok(verified >= 10_000, String(verified))
  t.equal(kids.size, 2, 'both keys signed')
  t.ok([...kids.values()].every((count) => count > 20))
})

t.test('a revoked key of either kind is refused by every replica within 60 s', options, async (t) => {
  const [database, doubles] = [await testDatabase(t), await startDoubles(t)]
  const site = await registerSite(database, redirectUrl)
  // The timers of the polls run forty times as fast: 60 s are 1.5 s.
  const { setTimeout: original } = globalThis
  t.intercept(globalThis, 'setTimeout', {
    value: Object.assign(
      (work: () => void, delay = 0, ...rest: []) =>
        original(work, delay >= 20_000 ? delay / 40 : delay, ...rest),
      original,
    ),
  })
  const both = await replicas(t, { database, doubles, site })
  const [one, two] = both
  const before = await logInAt(one)
  const strange = await logInAt(two)
  const [access, renewing] = [one.keys.active('access').kid, one.keys.active('refresh').kid]

  const { successor } = await revokeKey(access, revoking(commands(one)))
  const revokedAt = performance.now()
  for (const replica of both)
    await eventually(async () => {
      const answer = await me(replica, before.accessToken)
      if (answer.status !== 401) throw new Error(String(answer.status))
    })
  const took = performance.now() - revokedAt
  t.ok(took < 2_000, `${Math.round(took)} ms of 1,500, and what a busy machine adds`)
  const next = pairOf(await refresh(two, before.refreshToken))
  t.equal(decodeProtectedHeader(next.accessToken).kid, successor, 'the successor signs at once')
  for (const replica of both) {
    t.equal((await me(replica, next.accessToken)).status, 200)
    await t.rejects(jwtVerify(before.accessToken, cachedKeys(replica)), errors.JWKSNoMatchingKey)
  }

  const ended = await revokeKey(renewing, revoking(commands(one)))
  t.equal(ended.sessions_ended, 2)
  for (const token of [next.refreshToken, strange.refreshToken])
    for (const replica of both) {
      const answer = await refresh(replica, token)
      t.match([answer.status, answer.json.error], [400, 'invalid_grant'])
      t.strictSame((await introspect(replica, token)).json, { active: false })
    }
  await eventually(async () => {
    for (const { keys } of both)
      if (keys.find('refresh', renewing) !== undefined) throw new Error('not polled yet')
  })
  for (const replica of both)
    t.equal(problemOf(await refresh(replica, next.refreshToken)), 'refresh-token-invalid', 'by its key alone')
  const fresh = await logInAt(two)
  t.equal((await refresh(one, fresh.refreshToken)).status, 200)
})

t.test('reseal lets the old entry of SECRET_KEYS go, and every token stays good', options, async (t) => {
  const [old, young] = [randomBytes(32), randomBytes(32)]
  const one = await startTestService(t, { secretKeys: [old] })
  const pair = await logInAt(one)
  const { database, doubles, site } = one
  const shared = { database, doubles, site }
  const redis = await testRedis(t)
  await t.rejects(startTestService(t, { ...shared, redis, secretKeys: [young] }), { name: 'UnusableKey' })
  await startTestService(t, { ...shared, secretKeys: [young, old] })
  await resealKeys(commands(one, [young, old]))
  const last = await startTestService(t, { ...shared, secretKeys: [young] })
  t.equal((await me(last, pair.accessToken)).status, 200)
  const next = pairOf(await refresh(last, pair.refreshToken))
  t.equal((await me(one, next.accessToken)).status, 200, 'a replica that runs on with the old entry agrees')
  await one.keys.reload()
  t.equal((await me(one, next.accessToken)).status, 200)
})

t.test(
  'ten replicas that start at once on an empty database make one key of each kind, and of ID tokens one per algorithm',
  async (t) => {
    const [first, ...others] = await startTogether(t, 10)
    if (first === undefined) throw new Error('nothing started')
    const made = await first.database.prisma.signingKey.findMany({
      orderBy: [{ kind: 'asc' }, { alg: 'asc' }],
    })
    t.strictSame(
      made.map(({ kind, alg }) => `${kind} ${alg}`),
      ['access EdDSA', 'id ES256', 'id EdDSA', 'id RS256', 'refresh HS256'],
    )
    const sets = await Promise.all(
      [first, ...others].map(async ({ url }) => (await fetch(`${url}/.well-known/jwks.json`)).text()),
    )
    t.equal(new Set(sets).size, 1)
    const pair = await logInAt(first)
    for (const replica of others) t.equal((await me(replica, pair.accessToken)).status, 200)
  },
)
