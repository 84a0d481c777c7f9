import { Redis } from 'ioredis'
import type { Test } from 'tap'
import t from 'tap'
import { deadlines } from '../../src/deadlines.ts'
import { createRedisLoginStore } from '../../src/login/redis-login-store.ts'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import type { Answer } from '../support/login-flow.ts'
import {
  basic,
  bound,
  finish,
  get,
  locationFields,
  logIn,
  loginToFinish,
  openCallback,
  post,
  start,
  text,
  verifier,
} from '../support/login-flow.ts'
import { eventually } from '../support/process.ts'
import { startRedis, testRedis, withoutRedis } from '../support/redis.ts'
import { redirectUrl, startTestService } from '../support/service.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

// Where it is unknown whether Redis carried a command out, no login may be lost.

t.jobs = 3
const callers = {
  plain: { atStart: {}, atFinish: {} },
  'one with a verifier': { atStart: bound, atFinish: { code_verifier: verifier } },
}
const away: ExpectedProblem = {
  status: 503,
  type: 'dependency-unavailable',
  error: 'temporarily_unavailable',
  retryAfter: [1, 1],
}
const inProgress: ExpectedProblem = { ...away, status: 409, type: 'login-in-progress' }
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Each command is recognised by its time to live in seconds, which no other command of a finish has. */
const claim = /\r\n120\r\n/
const release = /\r\n4200\r\n/
const recordResponse = release
const writeStart = release

async function startBehindProxy(t: Test) {
  const redis = await startRedis(t)
  const proxy = await startTcpProxy(t, redis.url)
  const options = { redis: { url: proxy.through(redis.url), prefix: '' }, deadlines }
  const service = await startTestService(t, options)
  // Afterwards Redis has every script, so that each command is one request.
  await logIn(service)
  const { yandex } = service.doubles
  const pause = () => {
    redis.pause()
    setTimeout(() => redis.resume(), 1_300)
  }
  return { redis, proxy, options, service, yandex, pause }
}

/** Checks that a finish succeeds within seconds when it is repeated, and that until then the response says to repeat it. */
async function succeedsSoon(t: Test, ask: () => Promise<Answer>): Promise<Answer> {
  const from = performance.now()
  const succeeded = await eventually(async () => {
    const response = await ask()
    if (response.status === 200) return response
    expectProblem(t, response, response.status === 409 ? inProgress : { ...away, type: typeOf(response) })
    await sleep(100)
    throw new Error(response.text)
  }, 8_000)
  const seconds = (performance.now() - from) / 1000
  t.ok(seconds < 5, `after ${seconds} s`)
  return succeeded
}

function typeOf({ text }: Answer): 'dependency-unavailable' | 'provider-unavailable' {
  return text.includes('provider-unavailable') ? 'provider-unavailable' : 'dependency-unavailable'
}

t.test(
  'a finish whose claim got no reply succeeds when it is repeated',
  { skip: withoutRedis, buffered: true },
  async (t) => {
    const { proxy, service, yandex, pause } = await startBehindProxy(t)
    const faults = {
      'Redis is paused for 1.3 s, and carries it out afterwards': pause,
      'the connection is cut, and it never arrives': () => proxy.cut(),
      'the connection is cut once it is carried out': () => proxy.cutAtAnswer(),
    }
    for (const [fault, act] of Object.entries(faults))
      for (const [caller, { atStart, atFinish }] of Object.entries(callers))
        await t.test(`${fault}; the caller is ${caller}`, async (t) => {
          const login = { ...(await loginToFinish(service, 'yandex', { fields: atStart })), ...atFinish }
          const before = await service.database.prisma.session.count()
          yandex.requests.length = 0
          proxy.beforeRequest(claim, act)
          const asked = performance.now()
          expectProblem(t, await finish(service, login), away)
          t.ok(
            performance.now() - asked < 1_000,
            'the caller does not wait for the release in the background',
          )
          t.strictSame(yandex.requests, [], 'the code was not used')
          const finished = await succeedsSoon(t, () => finish(service, login))
          const authorization = `Bearer ${text(finished, 'access_token')}`
          t.equal((await get(service, '/api/v1/me/', { authorization })).status, 200)
          t.equal(yandex.requests.filter(({ path }) => path === '/token').length, 1)
          t.equal(await service.database.prisma.session.count(), before + 1)
        })
  },
)

t.test(
  'a finish whose release after a 429 got no reply succeeds when it is repeated',
  { skip: withoutRedis, buffered: true },
  async (t) => {
    const { proxy, service, yandex, pause } = await startBehindProxy(t)
    const faults = {
      'the connection is cut, and it never arrives': () => proxy.cut(),
      'the connection is cut once it is carried out': () => proxy.cutAtAnswer(),
      'Redis is paused for 1.3 s': pause,
    }
    for (const [fault, act] of Object.entries(faults))
      for (const [caller, { atStart, atFinish }] of Object.entries(callers))
        await t.test(`${fault}; the caller is ${caller}`, async (t) => {
          const login = { ...(await loginToFinish(service, 'yandex', { fields: atStart })), ...atFinish }
          yandex.answer('token', { status: 429, headers: { 'retry-after': '1' }, body: '{}' }, 1)
          proxy.beforeRequest(release, act)
          expectProblem(t, await finish(service, login), { ...away, type: 'provider-unavailable' })
          await succeedsSoon(t, () => finish(service, login))
        })
  },
)

t.test(
  'a start and a callback whose command got no reply succeed when they are repeated',
  { skip: withoutRedis, buffered: true },
  async (t) => {
    const { redis, proxy, options, service, yandex, pause } = await startBehindProxy(t)
    const faults = {
      'Redis is paused': pause,
      'the connection is cut before the command arrives': () => proxy.cut(),
      'the connection is cut once the command is carried out': () => proxy.cutAtAnswer(),
    }
    for (const [fault, act] of Object.entries(faults)) {
      await t.test(`the record of the response, ${fault}: the same callback again succeeds`, async (t) => {
        const { authorizeUrl } = await start(service)
        const callbackUrl = await yandex.consent(authorizeUrl)
        proxy.beforeRequest(recordResponse, act)
        expectProblem(t, await openCallback(service, callbackUrl), away)
        const back = await eventually(async () => {
          const redirected = await openCallback(service, callbackUrl)
          if (redirected.status !== 303) expectProblem(t, redirected, away)
          return locationFields(redirected)
        }, 5_000)
        t.equal((await finish(service, back)).status, 200)
      })

      await t.test(`the write of a start, ${fault}: the next start succeeds`, async (t) => {
        proxy.beforeRequest(writeStart, act)
        const body = { provider: 'yandex', client_redirect_url: redirectUrl }
        expectProblem(t, await post(service, '/api/v1/oauth/authorize-url/', body), away)
        await eventually(() => start(service), 5_000)
        t.ok(await logIn(service))
      })
    }

    await t.test('a stop releases the claims that it can, and waits less than 2 s', async (t) => {
      const { database, doubles, site } = service
      const login = await loginToFinish(service)
      const other = await loginToFinish(service)
      const stopping = await startTestService(t, { ...options, database, doubles, site })
      proxy.beforeRequest(claim, () => redis.pause())
      expectProblem(t, await finish(stopping, login), away)
      const closing = stopping.close()
      redis.resume()
      await closing
      t.equal((await succeedsSoon(t, () => finish(service, login))).status, 200)

      const stuck = await startTestService(t, { ...options, database, doubles, site })
      proxy.beforeRequest(claim, () => redis.pause())
      expectProblem(t, await finish(stuck, other), away)
      const from = performance.now()
      await stuck.close()
      t.ok(performance.now() - from < 2_000)
      redis.resume()
    })
  },
)

t.test(
  'a finish of a login whose claiming process died gets login-in-progress for 11 s, then login-lost',
  { skip: withoutRedis, buffered: true },
  async (t) => {
    const redis = await testRedis(t)
    const service = await startTestService(t, { redis, deadlines })
    const login = await loginToFinish(service)
    const client = new Redis(redis.url)
    t.teardown(() => client.disconnect())
    await createRedisLoginStore(client, redis.prefix).claim(login.state, 'of a process that is gone')
    const claimed = performance.now()
    const callersByName = { authenticated: basic(service.site), anonymous: {} }
    for (const [caller, headers] of Object.entries(callersByName))
      expectProblem(t, await finish(service, login, headers), inProgress, caller)
    await sleep(13_000 - (performance.now() - claimed))
    for (const [caller, headers] of Object.entries(callersByName))
      expectProblem(t, await finish(service, login, headers), inProgress, `${caller}, after 13 s`)
    await sleep(13_600 - (performance.now() - claimed))
    const lost = { status: 400, type: 'login-lost', error: 'invalid_grant' } as const
    for (const [caller, headers] of Object.entries(callersByName))
      expectProblem(t, await finish(service, login, headers), lost, caller)
    t.equal(await service.database.prisma.session.count(), 0)
  },
)
