import type { Test } from 'tap'
import t from 'tap'
import { openTestDatabase, testDatabase } from '../support/database.ts'
import {
  basic,
  finish,
  get,
  locationFields,
  logIn,
  openCallback,
  post,
  start,
  text,
} from '../support/login-flow.ts'
import { testRedis, withoutRedis } from '../support/redis.ts'
import { startTestService } from '../support/service.ts'
import { startTripProxy } from '../support/trip-proxy.ts'

/** Starts a service behind counters, after two logins, so that its connections are open and its caches are filled. */
async function startCounted(t: Test, env: Readonly<Record<string, string>>) {
  const redis = await testRedis(t)
  const direct = await testDatabase(t)
  const redisTrips = await startTripProxy(t, redis.url, /history:/)
  const sqlTrips = await startTripProxy(t, direct.url)
  // One connection, so that none is opened during the count.
  const database = openTestDatabase(t, { url: sqlTrips.through(direct.url), poolMax: 1 })
  const service = await startTestService(t, {
    database: { ...database, url: direct.url },
    redis: { ...redis, url: redisTrips.through(redis.url) },
    env,
    // Sites stay cached however slow the machine is, so that none is read during the count.
    siteKept: 600_000,
  })
  const { requests } = service.doubles.yandex
  await logIn(service)
  await logIn(service)
  const take = async () => {
    const { awaited: redis, background: history } = await redisTrips.take()
    const { awaited: sql } = await sqlTrips.take()
    const trips = { redis, history, sql, provider: requests.length }
    requests.length = 0
    return trips
  }
  await take()
  return { service, take }
}

// `history` counts the writes of the history of logins, for which no request waits.
for (const limit of ['off', 'on'] as const)
  t.test(
    `each request of a login makes no more round trips than it should; rate limits ${limit}`,
    { skip: withoutRedis },
    async (t) => {
      const { service, take } = await startCounted(t, { RATE_LIMIT: limit })
      // Codes of a network that sent too many rejected ones are refused, by a limit of thirty.
      const more = limit === 'on' ? 1 : 0
      const { authorizeUrl } = await start(service)
      t.strictSame(await take(), { redis: 1, history: 1, sql: 0, provider: 0 }, 'start')

      const back = await openCallback(service, await service.doubles.yandex.consent(authorizeUrl))
      t.strictSame(await take(), { redis: 2, history: 1, sql: 0, provider: 0 }, 'callback')

      const finished = await finish(service, locationFields(back))
      t.equal(finished.status, 200, finished.text)
      t.strictSame(await take(), { redis: 2 + more, history: 1, sql: 1, provider: 2 }, 'finish')

      const refreshed = await post(service, '/api/v1/oauth/refresh/', {
        refresh_token: text(finished, 'refresh_token'),
      })
      t.equal(refreshed.status, 200, refreshed.text)
      t.strictSame(await take(), { redis: 0, history: 0, sql: 1, provider: 0 }, 'refresh')

      const authorization = `Bearer ${text(refreshed, 'access_token')}`
      t.equal((await get(service, '/api/v1/me/', { authorization })).status, 200)
      t.strictSame(await take(), { redis: 0, history: 0, sql: 1, provider: 0 }, 'me')

      t.equal((await get(service, '/.well-known/jwks.json')).status, 200)
      t.strictSame(await take(), { redis: 0, history: 0, sql: 0, provider: 0 }, 'the keys')
    },
  )

t.test(
  'a released, a repeated and an unknown login make no more round trips than they should',
  { skip: withoutRedis },
  async (t) => {
    const { service, take } = await startCounted(t, { RATE_LIMIT: 'off' })
    const headers = basic(service.site)
    const loginFields = async () => {
      const { authorizeUrl } = await start(service, 'yandex', {}, headers)
      t.strictSame(
        await take(),
        { redis: 1, history: 1, sql: 0, provider: 0 },
        'a start with credentials makes no more',
      )
      const back = await openCallback(service, await service.doubles.yandex.consent(authorizeUrl))
      await take()
      return locationFields(back)
    }
    const released = await loginFields()
    service.doubles.yandex.answer('token', { status: 429, headers: { 'retry-after': '1' }, body: '{}' }, 1)
    t.equal((await finish(service, released, headers)).status, 503)
    t.strictSame(await take(), { redis: 3, history: 1, sql: 0, provider: 1 }, 'one more for the release')

    await new Promise((resolve) => setTimeout(resolve, 1_050))
    t.equal((await finish(service, released, headers)).status, 200)
    await take()
    t.equal((await finish(service, released, headers)).status, 200)
    t.strictSame(await take(), { redis: 2, history: 1, sql: 1, provider: 0 }, 'a repeat with credentials')
    t.equal((await finish(service, released)).status, 400)
    t.strictSame(await take(), { redis: 2, history: 1, sql: 1, provider: 0 }, 'a repeat without credentials')

    for (const state of ['x', 'x'.repeat(44), '*'.repeat(43)])
      t.equal((await finish(service, { provider: 'yandex', state, code: 'c' })).status, 400)
    t.strictSame(
      await take(),
      { redis: 0, history: 0, sql: 0, provider: 0 },
      'a malformed state is not looked up',
    )
    t.equal((await finish(service, { provider: 'yandex', state: 'A'.repeat(43), code: 'c' })).status, 400)
    t.strictSame(await take(), { redis: 1, history: 0, sql: 0, provider: 0 }, 'an unknown state')
  },
)

t.test(
  'small limits are counted in Redis at once, larger ones after each hundredth',
  { skip: withoutRedis },
  async (t) => {
    const { service, take } = await startCounted(t, {})
    const headers = basic(service.site)
    const { accessToken, refreshToken } = await logIn(service)
    await start(service, 'yandex', {}, headers)
    await take()
    const send = (path: string, fields: Readonly<Record<string, string>>, as = headers) =>
      post(service, `/api/v1/oauth/${path}/`, fields, { headers: as })
    const authorization = `Bearer ${accessToken}`

    await start(service, 'yandex', { user_ip: '192.0.2.1' }, headers)
    t.strictSame(
      await take(),
      { redis: 1, history: 1, sql: 0, provider: 0 },
      'a start, counted by site and by visitor',
    )
    t.equal((await send('introspect', { token: accessToken })).status, 200)
    t.strictSame(
      await take(),
      { redis: 0, history: 0, sql: 1, provider: 0 },
      'an introspection, counted by site and by session',
    )
    for (let asked = 0; asked < 4; asked++) {
      t.equal((await get(service, '/api/v1/me/sessions/', { authorization })).status, 200)
      t.match(await take(), { redis: 0 }, 'of the same session, as it is again asked about')
    }
    t.equal((await get(service, '/api/v1/me/sessions/', { authorization })).status, 200)
    t.strictSame(
      await take(),
      { redis: 1, history: 0, sql: 1, provider: 0 },
      'the sixth request about a session, whose limit is 600',
    )
    t.equal((await send('introspect', { token: 'junk' })).status, 200)
    t.strictSame(
      await take(),
      { redis: 0, history: 0, sql: 0, provider: 0 },
      'a token that is none is not counted',
    )
    t.equal((await send('revoke', { token: refreshToken }, {})).status, 200)
    t.strictSame(
      await take(),
      { redis: 0, history: 0, sql: 1, provider: 0 },
      'a revocation, counted by site and by IP',
    )
  },
)
