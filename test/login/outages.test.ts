import { Redis } from 'ioredis'
import type { Test } from 'tap'
import t from 'tap'
import { deadlines } from '../../src/deadlines.ts'
import { openDatabase } from '../../src/storage/postgres.ts'
import { testDatabase } from '../support/database.ts'
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

/** The service's own, three times as long: what a busy machine adds must not matter beside them. */
const slower = { ...deadlines, start: 6_000, callback: 3_000, redisCommand: 1_500 }

/** 503 with a time to come back, itself within `limit` seconds. */
async function refusesSoon(t: Test, name: string, limit: number, work: () => Promise<Answer>) {
  const before = performance.now()
  expectProblem(t, await work(), away, name)
  const seconds = (performance.now() - before) / 1000
  t.ok(seconds < limit, `${name} after ${seconds} s`)
}

t.test('Redis goes away at each step, and comes back', { skip: withoutRedis, buffered: true }, async (t) => {
  const redis = await startRedis(t)
  const service = await startTestService(t, { redis: { url: redis.url, prefix: '' }, deadlines })
  const { yandex } = service.doubles
  const { accessToken, refreshToken } = await logIn(service)
  const started = await start(service)
  const callbackUrl = await yandex.consent(started.authorizeUrl)
  const login = await loginToFinish(service)

  const everyStep = async (how: string) => {
    yandex.requests.length = 0
    await refusesSoon(t, `${how}: start`, 2.5, () => post(service, startPath, body))
    await refusesSoon(t, `${how}: callback`, 1.5, () => openCallback(service, callbackUrl))
    await refusesSoon(t, `${how}: finish`, 1.5, () => finish(service, login))
    await refusesSoon(t, `${how}: proved finish`, 1.5, () => finish(service, login, basic(service.site)))
    t.strictSame(yandex.requests, [], 'the provider was not asked')
    const authorization = `Bearer ${accessToken}`
    t.equal((await get(service, '/api/v1/me/', { authorization })).status, 200, 'what needs no Redis goes on')
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
  t.equal(back.status, 303, 'the login is as it was')
  t.equal((await finish(service, locationFields(back))).status, 200)
  t.equal((await finish(service, login)).status, 200)

  await redis.stop('SIGKILL')
  await everyStep('dead')
  const refreshed = await post(service, '/api/v1/oauth/refresh/', { refresh_token: refreshToken })
  t.equal(refreshed.status, 200, 'its limits are counted here meanwhile')
  await redis.start()
  await eventually(() => start(service), 5_000)
  expectProblem(t, await finish(service, login), grant('unknown-login'), 'restarted empty')
  expectProblem(t, await openCallback(service, callbackUrl), grant('unknown-login'))
  t.ok(await logIn(service), 'without a restart')
})

t.test(
  'Redis full, slow, or in the hands of a replica',
  { skip: withoutRedis, buffered: true },
  async (t) => {
    const redis = await startRedis(t)
    const proxy = await startTcpProxy(t, { host: '127.0.0.1', port: redis.port })
    const service = await startTestService(t, {
      redis: { url: proxy.through(redis.url).replace(/\/$/, ''), prefix: '' },
      deadlines: slower,
    })
    const direct = new Redis(redis.url)
    t.teardown(() => direct.disconnect())
    proxy.delay(600)
    t.ok(await logIn(service), 'less late each time than a command may be: it succeeds')
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
      'full: no redirect without its code kept',
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

t.test('PostgreSQL goes away before a step, and in its middle', { buffered: true }, async (t) => {
  const direct = await testDatabase(t)
  const proxy = await startTcpProxy(t, { host: '127.0.0.1', port: Number(new URL(direct.url).port) })
  const database = openDatabase({ url: proxy.through(direct.url), poolMax: 1 })
  t.teardown(() => database.close())
  const service = await startTestService(t, { database: { ...database, url: direct.url }, deadlines })
  const otherUrl = 'https://other.example/return'
  await registerSite(direct, otherUrl)
  const started = await start(service)
  const callbackUrl = await service.doubles.yandex.consent(started.authorizeUrl)
  const login = await loginToFinish(service)
  service.doubles.yandex.requests.length = 0
  // What is remembered of sites is over then.
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  proxy.pause()
  await refusesSoon(t, 'start', 2.5, () =>
    post(service, startPath, { ...body, client_redirect_url: otherUrl }),
  )
  await refusesSoon(t, 'callback', 1.5, () => openCallback(service, callbackUrl))
  await refusesSoon(t, 'finish', 3.5, () => finish(service, login))
  t.strictSame(service.doubles.yandex.requests, [], 'no code is spent where nothing could be saved')
  proxy.resume()
  proxy.cut()
  await eventually(() => start(service), 5_000)
  t.equal((await openCallback(service, callbackUrl)).status, 303)
  t.equal((await finish(service, login)).status, 200, 'as it was')

  const lost = await loginToFinish(service)
  const before = await direct.prisma.session.count()
  proxy.cutAtAnswer()
  const answer = await finish(service, lost)
  t.equal(answer.status, 200, `the answer to COMMIT was lost, the session is recognised: ${answer.text}`)
  t.equal(await direct.prisma.session.count(), before + 1)
})
