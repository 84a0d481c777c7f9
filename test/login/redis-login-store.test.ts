import { Redis } from 'ioredis'
import type { Test } from 'tap'
import t from 'tap'
import type { Login } from '../../src/login/login.ts'
import { digest, newState } from '../../src/login/login.ts'
import { createRedisLoginStore } from '../../src/login/redis-login-store.ts'
import { tryRedis } from '../../src/redis-start-check.ts'
import { connectRedis } from '../../src/storage/redis.ts'
import { StoreUnavailable } from '../../src/storage/redis-errors.ts'
import { patient } from '../support/deadlines.ts'
import { eventually } from '../support/process.ts'
import { startRedis, testRedis, withoutRedis } from '../support/redis.ts'
import { runLoginStoreConformance } from './login-store-conformance.ts'

const login: Login = {
  provider: 'yandex',
  siteId: 'site-marker',
  redirectUrl: 'https://marker.example/',
  nonce: 'nonce-marker',
  codeVerifier: 'verifier-marker',
  startedAt: 1,
  answerBy: 2,
}

/** A store in Redis, and a client that looks at its keys. */
async function openStore(t: Test) {
  const { url, prefix } = await testRedis(t)
  const client = new Redis(url)
  t.teardown(() => client.disconnect())
  return { client, keys: () => client.keys(`${prefix}*`), logins: createRedisLoginStore(client, prefix) }
}

t.test('Redis passes the conformance suite of login stores', { skip: withoutRedis }, async (t) => {
  const { url, prefix } = await testRedis(t)
  const client = await connectRedis({
    url,
    prefix,
    tryOut: tryRedis,
    onWarning: () => {},
    deadlines: patient,
  })
  t.teardown(() => client.disconnect())
  await runLoginStoreConformance(t, async () => createRedisLoginStore(client, prefix))
})

t.test('a dump of Redis holds neither state, code nor verifier', { skip: withoutRedis }, async (t) => {
  const { client, keys, logins } = await openStore(t)
  const state = newState()
  await logins.start(state, login, 60)
  const codeDigest = digest('1234567')
  await logins.recordResponse(state, { kind: 'code', codeDigest, kept: {}, finishBy: 3 }, 60)
  const found = await keys()
  t.equal(found.length, 1)
  const dump = JSON.stringify([found, await client.hgetall(found[0] ?? '')])
  for (const marker of [state, 'marker', '1234567', codeDigest]) t.notMatch(dump, marker)
  t.ok((await client.ttl(found[0] ?? '')) > 0, 'it has a ttl')
})

t.test(
  'a record that is copied to the key of another login is not found there',
  { skip: withoutRedis },
  async (t) => {
    const { client, keys, logins } = await openStore(t)
    const [one, other] = [newState(), newState()]
    await logins.start(one, login, 60)
    const [key = ''] = await keys()
    await logins.start(other, login, 60)
    const otherKey = (await keys()).find((name) => name !== key) ?? ''
    await client.copy(key, otherKey, 'REPLACE')
    t.equal(await logins.find(other), undefined)
  },
)

t.test(
  'a claim of an older version is found, and cannot be released by a token',
  { skip: withoutRedis },
  async (t) => {
    const { client, keys, logins } = await openStore(t)
    const state = newState()
    await logins.start(state, login, 60)
    const [key = ''] = await keys()
    const at = Date.now()
    await client.hset(key, { claim: String(at) })
    t.match(await logins.find(state), { claimed: true })
    t.match(await logins.claim(state, 'token'), { won: false, at: new Date(at) })
    await logins.release(state, 'token', 60)
    t.match(await logins.find(state), { claimed: true })
    // The older version releases its own claim by removing this field alone.
    await client.hdel(key, 'claim')
    t.match(await logins.claim(state, 'other'), { won: true })
  },
)

t.test(
  'a claim is written so that an older version finds it, and removed so that it no longer does',
  { skip: withoutRedis },
  async (t) => {
    const { client, keys, logins } = await openStore(t)
    const state = newState()
    await logins.start(state, login, 60)
    const [key = ''] = await keys()
    const claim = await logins.claim(state, 'token')
    t.equal(
      await client.hget(key, 'claim'),
      String(claim?.at.getTime()),
      'the time, in the form that the older version reads',
    )
    await logins.release(state, 'token', 60)
    t.equal(await client.hexists(key, 'claim'), 0)
  },
)

t.test(
  'while Redis is away every call fails within its deadline, and works again when Redis is back',
  { skip: withoutRedis },
  async (t) => {
    const server = await startRedis(t)
    const client = await connectRedis({ url: server.url, prefix: '', tryOut: tryRedis, onWarning: () => {} })
    t.teardown(() => client.disconnect())
    const logins = createRedisLoginStore(client, '')
    const state = newState()
    await logins.start(state, login, 60)

    const failsQuickly = async () => {
      const before = performance.now()
      await t.rejects(logins.find(state), StoreUnavailable)
      await t.rejects(logins.start(newState(), login, 60), StoreUnavailable)
      await t.rejects(logins.claim(state, 'token'), StoreUnavailable)
      await t.rejects(logins.release(state, 'token', 60), StoreUnavailable)
      await t.rejects(logins.fail(state, 'token'), StoreUnavailable)
      t.ok(performance.now() - before < 5 * 700, 'each within the deadline of a command')
    }
    server.pause()
    await failsQuickly()
    server.resume()
    await server.stop('SIGKILL')
    await failsQuickly()
    await server.start()
    const found = await eventually(() => logins.find(state), 5_000)
    t.equal(found, undefined, 'restarted empty: the login is unknown, not an error')
  },
)
