import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import t from 'tap'
import { deadlines } from '../../src/deadlines.ts'
import { createRedisLoginStore } from '../../src/login/redis-login-store.ts'
import { patient } from '../support/deadlines.ts'
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
  text,
} from '../support/login-flow.ts'
import { eventually } from '../support/process.ts'
import { startRedis, testRedis, withoutRedis } from '../support/redis.ts'
import { redirectUrl, startTestService } from '../support/service.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

// Redis does not say whether it carried a command out: no login may be lost by that.

t.jobs = 3
const verifier = 'a-verifier-of-the-caller-43-characters-long'
const callers = {
  plain: { atStart: {}, atFinish: {} },
  'one with a verifier': {
    atStart: {
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    },
    atFinish: { code_verifier: verifier },
  },
}
const away: ExpectedProblem = {
  status: 503,
  type: 'dependency-unavailable',
  error: 'temporarily_unavailable',
  retryAfter: [1, 1],
}
const inProgress: ExpectedProblem = { ...away, status: 409, type: 'login-in-progress' }
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Each command is known by a time to live, in seconds, that it alone has in a finish. */
const claim = /\r\n120\r\n/
const release = /\r\n4200\r\n/
const answer = release

async function stage(t: Test) {
  const redis = await startRedis(t)
  const proxy = await startTcpProxy(t, { host: '127.0.0.1', port: redis.port })
  const options = { redis: { url: proxy.through(redis.url).replace(/\/$/, ''), prefix: '' }, deadlines }
  const service = await startTestService(t, options)
  // Afterwards Redis knows every script: a command is one request.
  await logIn(service)
  const { yandex } = service.doubles
  const halt = () => {
    redis.pause()
    setTimeout(() => redis.resume(), 1_300)
  }
  return { redis, proxy, options, service, yandex, halt }
}

/** The same finish again succeeds within seconds; until then its caller is only ever told to repeat it. */
async function succeedsSoon(t: Test, ask: () => Promise<Answer>): Promise<Answer> {
  const from = performance.now()
  const succeeded = await eventually(async () => {
    const told = await ask()
    if (told.status === 200) return told
    expectProblem(t, told, told.status === 409 ? inProgress : { ...away, type: typeOf(told) })
    await sleep(100)
    throw new Error(told.text)
  }, 8_000)
  const seconds = (performance.now() - from) / 1000
  t.ok(seconds < 5, `after ${seconds} s`)
  return succeeded
}

function typeOf({ text }: Answer): 'dependency-unavailable' | 'provider-unavailable' {
  return text.includes('provider-unavailable') ? 'provider-unavailable' : 'dependency-unavailable'
}

t.test('the claim of a finish', { skip: withoutRedis, buffered: true }, async (t) => {
  const { proxy, service, yandex, halt } = await stage(t)
  const faults = {
    'Redis is halted for 1.3 s, and carries it out when it wakes': halt,
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
        t.ok(performance.now() - asked < 1_000, 'the caller does not wait for what goes on behind')
        t.strictSame(yandex.requests, [], 'the code was not used')
        const finished = await succeedsSoon(t, () => finish(service, login))
        const authorization = `Bearer ${text(finished, 'access_token')}`
        t.equal((await get(service, '/api/v1/me/', { authorization })).status, 200)
        t.equal(yandex.requests.filter(({ path }) => path === '/token').length, 1)
        t.equal(await service.database.prisma.session.count(), before + 1)
      })
})

t.test('the release after 429 of the provider', { skip: withoutRedis, buffered: true }, async (t) => {
  const { proxy, service, yandex, halt } = await stage(t)
  const faults = {
    'the connection is cut, and it never arrives': () => proxy.cut(),
    'the connection is cut once it is carried out': () => proxy.cutAtAnswer(),
    'Redis is halted for 1.3 s': halt,
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
})

t.test('the other commands of a login', { skip: withoutRedis, buffered: true }, async (t) => {
  const { redis, proxy, options, service, yandex, halt } = await stage(t)
  const faults = {
    halted: halt,
    'cut before it arrives': () => proxy.cut(),
    'cut once it is carried out': () => proxy.cutAtAnswer(),
  }
  for (const [fault, act] of Object.entries(faults)) {
    await t.test(`the answer at the callback, ${fault}: the same callback again succeeds`, async (t) => {
      const { authorizeUrl } = await start(service)
      const callbackUrl = await yandex.consent(authorizeUrl)
      proxy.beforeRequest(answer, act)
      expectProblem(t, await openCallback(service, callbackUrl), away)
      const back = await eventually(async () => {
        const redirected = await openCallback(service, callbackUrl)
        if (redirected.status !== 303) expectProblem(t, redirected, away)
        return locationFields(redirected)
      }, 5_000)
      t.equal((await finish(service, back)).status, 200)
    })

    await t.test(`the write of a start, ${fault}: the next start succeeds`, async (t) => {
      proxy.beforeRequest(/hset/i, act)
      const body = { provider: 'yandex', client_redirect_url: redirectUrl }
      expectProblem(t, await post(service, '/api/v1/oauth/authorize-url/', body), away)
      await eventually(() => start(service), 5_000)
      t.ok(await logIn(service))
    })
  }

  await t.test('a stop gives back what it can, and waits no longer than a moment', async (t) => {
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
})

t.test(
  'a claim whose process is gone: everybody waits until it may not be at work any more',
  { skip: withoutRedis, buffered: true },
  async (t) => {
    const redis = await testRedis(t)
    const service = await startTestService(t, { redis, deadlines: { ...patient, finish: deadlines.finish } })
    const login = await loginToFinish(service)
    const client = new Redis(redis.url)
    t.teardown(() => client.disconnect())
    await createRedisLoginStore(client, redis.prefix).claim(login.state, 'of a process that is gone')
    const claimed = performance.now()
    const proofs = { proved: basic(service.site), unproved: {} }
    for (const [proof, headers] of Object.entries(proofs))
      expectProblem(t, await finish(service, login, headers), inProgress, proof)
    await sleep(10_000 - (performance.now() - claimed))
    for (const [proof, headers] of Object.entries(proofs))
      expectProblem(t, await finish(service, login, headers), inProgress, `${proof}, after 10 s`)
    await sleep(11_100 - (performance.now() - claimed))
    const lost = { status: 400, type: 'login-lost', error: 'invalid_grant' } as const
    for (const [proof, headers] of Object.entries(proofs))
      expectProblem(t, await finish(service, login, headers), lost, proof)
    t.equal(await service.database.prisma.session.count(), 0)
  },
)
