import t from 'tap'
import { openTestDatabase, testDatabase } from '../support/database.ts'
import { testRedis, withoutRedis } from '../support/redis.ts'
import { startTestService } from '../support/service.ts'
import { startTripProxy } from '../support/trip-proxy.ts'
import { answered, authorize, logInByOpenid, loginUntilReturn, requestTokens } from './standard-client.ts'

for (const limit of ['off', 'on'] as const)
  t.test(
    `this door makes the round trips of the guide's start and finish, and no more; rate limits ${limit}`,
    { skip: withoutRedis },
    async (t) => {
      const redis = await testRedis(t)
      const direct = await testDatabase(t)
      const redisTrips = await startTripProxy(t, redis.url, /history:/)
      const sqlTrips = await startTripProxy(t, direct.url)
      const database = openTestDatabase(t, { url: sqlTrips.through(direct.url), poolMax: 1 })
      const service = await startTestService(t, {
        database: { ...database, url: direct.url },
        redis: { ...redis, url: redisTrips.through(redis.url) },
        env: { RATE_LIMIT: limit },
        siteKept: 600_000,
      })
      const { site } = service
      const take = async () => {
        const { awaited } = await redisTrips.take()
        const { awaited: sql } = await sqlTrips.take()
        return { redis: awaited, sql }
      }
      await logInByOpenid(service, site)
      await logInByOpenid(service, site)
      await take()
      const more = limit === 'on' ? 1 : 0
      t.equal((await authorize(service, site, { provider: '' })).status, 200)
      t.strictSame(await take(), { redis: 0, sql: 0 }, 'the page to choose')
      t.match(answered(await authorize(service, site)), { client_id: String })
      t.strictSame(await take(), { redis: 1, sql: 0 }, 'authorize, as start')
      const back = await loginUntilReturn(service, site)
      t.strictSame(await take(), { redis: 3, sql: 0 }, 'authorize and callback')
      const { code = '' } = answered(back)
      t.equal((await requestTokens(service, site, { code })).status, 200)
      t.strictSame(await take(), { redis: 2 + more, sql: 1 }, 'token, as finish')
      t.equal((await requestTokens(service, site, { code })).status, 400)
      const again = await take()
      t.ok(again.redis <= 2 + 2 * more && again.sql <= 1, 'a used code')
    },
  )
