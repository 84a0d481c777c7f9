import { Redis } from 'ioredis'
import type { Test } from 'tap'
import t from 'tap'
import { deadlines } from '../../src/deadlines.ts'
import { openTestDatabase, testDatabase } from '../support/database.ts'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import type { Answer } from '../support/login-flow.ts'
import {
  basic,
  finish,
  get,
  locationFields,
  logIn,
  loginToFinish,
  openCallback,
  post,
  start,
} from '../support/login-flow.ts'
import { eventually } from '../support/process.ts'
import { startRedis, withoutRedis } from '../support/redis.ts'
import { redirectUrl, registerSite, startTestService } from '../support/service.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

t.jobs = 3
const away: ExpectedProblem = {
  status: 503,
  type: 'dependency-unavailable',
  error: 'temporarily_unavailable',
  retryAfter: [1, 30],
}
const grant = (type: ExpectedProblem['type']) => ({ status: 400, type, error: 'invalid_grant' }) as const
const startPath = '/api/v1/oauth/authorize-url/'
const body = { provider: 'yandex', client_redirect_url: redirectUrl }

/** The deadlines of the service, three times as long, so that the delays of a busy machine do not matter. */
const slower = { ...deadlines, start: 6_000, callback: 3_000, redisCommand: 1_500 }

/** Checks for a 503 with Retry-After within `limit` seconds. */
async function isUnavailableSoon(t: Test, name: string, limit: number, work: () => Promise<Answer>) {
  const before = performance.now()
  expectProblem(t, await work(), away, name)
  const seconds = (performance.now() - before) / 1000
  t.ok(seconds < limit, `${name} after ${seconds} s`)
}

t.test(
  'while Redis is away every step of a login gets 503, and succeeds when Redis is back',
  { skip: withoutRedis, buffered: true },
  async (t) => {
    const redis = await startRedis(t)
    const service = await startTestService(t, { redis: { url: redis.url, prefix: '' }, deadlines })
    const { yandex } = service.doubles
    const { accessToken, refreshToken } = await logIn(service)
    const started = await start(service)
    const callbackUrl = await yandex.consent(started.authorizeUrl)
    const login = await loginToFinish(service)

    const everyStep = async (how: string) => {
      yandex.requests.length = 0
      await isUnavailableSoon(t, `${how}: start`, 2.5, () => post(service, startPath, body))
      await isUnavailableSoon(t, `${how}: callback`, 1.5, () => openCallback(service, callbackUrl))
      await isUnavailableSoon(t, `${how}: finish`, 1.5, () => finish(service, login))
      await isUnavailableSoon(t, `${how}: authenticated finish`, 1.5, () =>
        finish(service, login, basic(service.site)),
      )
      t.strictSame(yandex.requests, [], 'the provider was not asked')
      const authorization = `Bearer ${accessToken}`
      t.equal(
        (await get(service, '/api/v1/me/', { authorization })).status,
        200,
        'requests that need no Redis succeed',
      )
      t.equal((await get(service, '/.well-known/jwks.json')).status, 200)
    }
    redis.pause()
    await everyStep('halted')
    const page = await openCallback(service, callbackUrl, { accept: 'text/html', 'accept-language': 'ru' })
    t.equal(page.status, 503)
    t.match(page.headers.get('content-type'), /^text\/html/)
    t.match(page.headers.get('retry-after'), /^\d+$/)
    redis.resume()
    await eventually(() => start(service), 5_000)

    const back = await openCallback(service, callbackUrl)
    t.equal(back.status, 303, 'the login is unchanged')
    t.equal((await finish(service, locationFields(back))).status, 200)
    t.equal((await finish(service, login)).status, 200)

    await redis.stop('SIGKILL')
    await everyStep('dead')
    const refreshed = await post(service, '/api/v1/oauth/refresh/', { refresh_token: refreshToken })
    t.equal(refreshed.status, 200, 'its limits are counted in the process meanwhile')
    await redis.start()
    await eventually(() => start(service), 5_000)
    expectProblem(t, await finish(service, login), grant('unknown-login'), 'restarted empty')
    expectProblem(t, await openCallback(service, callbackUrl), grant('unknown-login'))
    t.ok(await logIn(service), 'without a restart')
  },
)

t.test(
  'a login succeeds with a slow Redis, and gets 503 from a full or read-only one',
  { skip: withoutRedis, buffered: true },
  async (t) => {
    const redis = await startRedis(t)
    const proxy = await startTcpProxy(t, redis.url)
    const service = await startTestService(t, {
      redis: { url: proxy.through(redis.url), prefix: '' },
      deadlines: slower,
    })
    const direct = new Redis(redis.url)
    t.teardown(() => direct.disconnect())
    proxy.delay(600)
    t.ok(await logIn(service), 'each reply is within the deadline of a command')
    proxy.delay(0)

    const { authorizeUrl } = await start(service)
    const callbackUrl = await service.doubles.yandex.consent(authorizeUrl)
    const login = await loginToFinish(service)
    await direct.config('SET', 'maxmemory', '1')
    expectProblem(t, await post(service, startPath, body), away, 'full')
    expectProblem(
      t,
      await openCallback(service, callbackUrl),
      away,
      'full: no redirect unless the code is recorded',
    )
    await direct.config('SET', 'maxmemory', '0')
    t.equal((await openCallback(service, callbackUrl)).status, 303)

    await direct.replicaof('127.0.0.1', '1')
    expectProblem(t, await post(service, startPath, body), away, 'read-only')
    expectProblem(t, await finish(service, login), away, 'read-only')
    await direct.replicaof('NO', 'ONE')
    await eventually(() => start(service), 5_000)
    t.equal((await finish(service, login)).status, 200)
  },
)

t.test(
  'while PostgreSQL is away every step gets 503, and a session whose COMMIT got no reply is found',
  { buffered: true },
  async (t) => {
    const direct = await testDatabase(t)
    const proxy = await startTcpProxy(t, direct.url)
    const database = openTestDatabase(t, { url: proxy.through(direct.url), poolMax: 1, deadlines })
    const service = await startTestService(t, { database: { ...database, url: direct.url }, deadlines })
    const otherUrl = 'https://other.example/return'
    await registerSite(direct, otherUrl)
    const started = await start(service)
    const callbackUrl = await service.doubles.yandex.consent(started.authorizeUrl)
    const login = await loginToFinish(service)
    service.doubles.yandex.requests.length = 0
    // The cached sites have expired then.
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    proxy.pause()
    await isUnavailableSoon(t, 'start', 2.5, () =>
      post(service, startPath, { ...body, client_redirect_url: otherUrl }),
    )
    await isUnavailableSoon(t, 'callback', 1.5, () => openCallback(service, callbackUrl))
    await isUnavailableSoon(t, 'finish', 3.5, () => finish(service, login))
    t.strictSame(service.doubles.yandex.requests, [], 'no code is used while no session can be written')
    proxy.resume()
    proxy.cut()
    await eventually(() => start(service), 5_000)
    t.equal((await openCallback(service, callbackUrl)).status, 303)
    t.equal((await finish(service, login)).status, 200, 'the login is unchanged')

    const lost = await loginToFinish(service)
    const before = await direct.prisma.session.count()
    proxy.cutAtAnswer()
    const answer = await finish(service, lost)
    t.equal(answer.status, 200, `the reply to COMMIT was lost, the session is found: ${answer.text}`)
    t.equal(await direct.prisma.session.count(), before + 1)
  },
)
