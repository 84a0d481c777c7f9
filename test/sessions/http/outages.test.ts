import { decodeJwt } from 'jose'
import t from 'tap'
import { deadlines } from '../../../src/deadlines.ts'
import { openTestDatabase, testDatabase } from '../../support/database.ts'
import type { Answer } from '../../support/login-flow.ts'
import { basic, get } from '../../support/login-flow.ts'
import { startRedis, withoutRedis } from '../../support/redis.ts'
import type { TestService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import type { Pair } from './session-requests.ts'
import { introspect, logInAt, me, pairOf, problemOf, refresh, revoke, rowOf } from './session-requests.ts'

/** A service that reaches PostgreSQL through a proxy that can cut, and the same database without the proxy. */
async function behindProxy(t: Pick<typeof import('tap').default, 'teardown'>, poolMax: number) {
  const direct = await testDatabase(t)
  const proxy = await startTcpProxy(t, direct.url)
  const url = proxy.through(direct.url)
  const database = openTestDatabase(t, { url, poolMax, deadlines })
  const service = await startTestService(t, { database: { ...database, url }, deadlines })
  return { service, proxy, direct }
}

/** 503 with Retry-After, soon enough for a caller who waits. */
function holdAway(t: Pick<typeof import('tap').default, 'match' | 'ok'>, answer: Answer, since: number) {
  t.match([answer.status, problemOf(answer)], [503, 'dependency-unavailable'])
  t.match(answer.json, { error: 'temporarily_unavailable' })
  t.match(answer.headers.get('retry-after'), /^[1-9]\d?$/)
  t.ok(performance.now() - since < 3_000, `${Math.round(performance.now() - since)} ms`)
}

t.test('nobody is logged out when backends are killed under a load of refreshes', async (t) => {
  const service = await startTestService(t)
  const { pool } = service.database
  const kill = () =>
    pool
      .query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      )
      .catch(() => {})
  const pairs = await Promise.all(Array.from({ length: 6 }, () => logInAt(service)))
  const over = new AbortController()
  const statuses = new Map<number, number>()
  const killer = (async () => {
    // At least twenty times, and on a slow machine until there was enough load.
    for (let n = 0; n < 20 || (statuses.get(200) ?? 0) <= 60; n++) {
      await kill()
      await new Promise((resolve) => setTimeout(resolve, 75))
    }
    over.abort()
  })()
  /** As the guide tells sites: the same token again after 503, the new pair after 200. */
  const chain = async (first: Pair): Promise<Pair> => {
    let pair = first
    while (!over.signal.aborted) {
      const answer = await refresh(service, pair.refreshToken)
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      if (answer.status === 200) pair = pairOf(answer)
      else if (answer.status !== 503) throw new Error(`${answer.status} ${problemOf(answer)}`)
    }
    return pair
  }
  const last = await Promise.all(pairs.map(chain))
  await killer
  t.ok((statuses.get(200) ?? 0) > 60, `${statuses.get(200)} refreshes, ${statuses.get(503) ?? 0} times 503`)
  for (const pair of last) {
    t.ok(Number(decodeJwt(pair.refreshToken).gen) > 5)
    t.equal((await refresh(service, pair.refreshToken)).status, 200)
  }
  t.equal(await service.database.prisma.session.count({ where: { revokedAt: null } }), 6)
})

t.test(
  'the service repeats a refresh whose connection is cut between COMMIT and response, and the user stays logged in',
  async (t) => {
    const { service, proxy, direct } = await behindProxy(t, 1)
    const pair = await logInAt(service)
    proxy.cutAtAnswer()
    const answer = await refresh(service, pair.refreshToken)
    t.equal(answer.status, 200)
    t.match(decodeJwt(pairOf(answer).refreshToken), { gen: 1 })
    t.equal((await refresh(service, pairOf(answer).refreshToken)).status, 200)
    t.equal(await direct.prisma.session.count({ where: { revokedAt: null, generation: 2 } }), 1)
  },
)

t.test('a site that lost the response sends the same token again within the grace', async (t) => {
  const service = await startTestService(t)
  const proxy = await startTcpProxy(t, service.url)
  const pair = await logInAt(service)
  const far: TestService = { ...service, url: proxy.through(service.url) }
  proxy.cutAtAnswer()
  await t.rejects(refresh(far, pair.refreshToken))
  t.match(await rowOf(service, pair), { generation: 1 }, 'the service had done it')
  const again = pairOf(await refresh(far, pair.refreshToken))
  t.match(decodeJwt(again.refreshToken), { gen: 1 })
  t.equal((await refresh(far, again.refreshToken)).status, 200)
})

t.test(
  'while PostgreSQL refuses or is silent a refresh is 503 soon, and the old token works afterwards',
  async (t) => {
    const { service, proxy } = await behindProxy(t, 5)
    const pair = await logInAt(service)
    proxy.pause()
    const since = performance.now()
    const [silent, profile, asked, logout] = await Promise.all([
      refresh(service, pair.refreshToken),
      me(service, pair.accessToken),
      introspect(service, pair.accessToken),
      revoke(service, pair.refreshToken),
    ])
    holdAway(t, silent, since)
    for (const answer of [profile, asked, logout])
      t.match([answer.status, problemOf(answer)], [503, 'dependency-unavailable'])
    t.equal((await get(service, '/.well-known/jwks.json')).status, 200)
    proxy.cut()
    proxy.resume()
    t.equal((await refresh(service, pair.refreshToken)).status, 200, 'the same token, once it is back')
  },
)

t.test(
  'refresh, me, introspection and JWKS work while Redis is stopped or halted',
  { skip: withoutRedis },
  async (t) => {
    const redis = await startRedis(t)
    const service = await startTestService(t, {
      redis: { url: redis.url, prefix: 'outage:' },
      deadlines,
    })
    let pair = await logInAt(service)
    const works = async (how: string) => {
      const answer = await refresh(service, pair.refreshToken, { headers: basic(service.site) })
      t.equal(answer.status, 200, `refresh, ${how}: ${problemOf(answer)}`)
      pair = pairOf(answer)
      t.equal((await refresh(service, 'junk')).status, 400, how)
      t.equal((await me(service, pair.accessToken)).status, 200, how)
      t.match((await introspect(service, pair.accessToken)).json, { active: true }, how)
      t.equal((await get(service, '/.well-known/jwks.json')).status, 200, how)
      const wrong = await refresh(service, pair.refreshToken, {
        headers: basic({ ...service.site, secret: 'wrong' }),
      })
      t.match([wrong.status, problemOf(wrong)], [401, 'wrong-credentials'], how)
    }
    await works('up')
    redis.pause()
    await works('halted')
    redis.resume()
    await redis.stop('SIGKILL')
    await works('gone')
    await redis.start()
    await works('back')
  },
)
