import type { Test } from 'tap'
import t from 'tap'
import { namesOf } from '../../sandbox/doubles/index.ts'
import { deadlines } from '../../src/deadlines.ts'
import { openTestDatabase } from '../support/database.ts'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import { basic, finish, loginToFinish, post, start } from '../support/login-flow.ts'
import type { TestService } from '../support/service.ts'
import { redirectUrl, startTestService } from '../support/service.ts'

// Tests that wait for whole deadlines. They run at the same time, each with a service and doubles of its own.
t.jobs = 8
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const timedOut = { status: 504, type: 'provider-timeout', error: 'server_error' } as const
const unavailable: ExpectedProblem = {
  status: 503,
  type: 'provider-unavailable',
  error: 'temporarily_unavailable',
  retryAfter: [1, 10],
}
/** Starts services one after the other: eight at the same time need longer than a connection may take on a busy machine. */
let previous: Promise<unknown> = Promise.resolve()
function startInTurn(test: Test): Promise<TestService> {
  const started = previous.then(() => startTestService(test, { deadlines }))
  previous = started.catch(() => {})
  return started
}

const grant = (type: ExpectedProblem['type']) => ({ status: 400, type, error: 'invalid_grant' }) as const
async function timed<T>(work: Promise<T>): Promise<readonly [T, number]> {
  const before = performance.now()
  return [await work, (performance.now() - before) / 1000]
}

for (const fault of ['hang', 'slow-headers', 'slow-body'] as const)
  t.test(
    `a token response that does not arrive in time is answered with provider-timeout: ${fault}`,
    { buffered: true },
    async (t) => {
      const service = await startInTurn(t)
      const { yandex } = service.doubles
      const login = await loginToFinish(service)
      yandex.requests.length = 0
      yandex.fault('token', fault, 1)
      const [answer, seconds] = await timed(finish(service, login))
      expectProblem(t, answer, timedOut)
      t.ok(seconds > 4.5 && seconds < 6.5, `after ${seconds} s`)
      expectProblem(t, await finish(service, login), grant('login-lost'))
      t.equal(yandex.requests.filter(({ path }) => path === '/token').length, 1, 'never repeated')
    },
  )

t.test(
  'a profile that never arrives is answered with provider-timeout at the deadline of the finish',
  { buffered: true },
  async (t) => {
    const service = await startInTurn(t)
    const login = await loginToFinish(service)
    service.doubles.yandex.fault('userinfo', 'hang')
    const [answer, seconds] = await timed(finish(service, login))
    expectProblem(t, answer, timedOut)
    t.ok(seconds > 9 && seconds < 10.5, `after ${seconds} s`)
    expectProblem(t, await finish(service, login), grant('login-lost'))
  },
)

t.test(
  'a finish whose session is not written until the deadline is answered with login-incomplete',
  { buffered: true },
  async (t) => {
    const service = await startInTurn(t)
    const [lost, other] = [await loginToFinish(service), await loginToFinish(service)]
    const locker = openTestDatabase(t, { url: service.database.url, poolMax: 1 })
    const lock = await locker.pool.connect()
    await lock.query('SET idle_in_transaction_session_timeout = 0')
    await lock.query('BEGIN')
    await lock.query('LOCK TABLE users IN ACCESS EXCLUSIVE MODE')
    // The lock is released before the deadline of this one.
    const inTime = sleep(6_500).then(() => timed(finish(service, other)))
    const [answer, seconds] = await timed(finish(service, lost))
    const incomplete = { status: 503, type: 'login-incomplete', error: 'temporarily_unavailable' } as const
    expectProblem(t, answer, { ...incomplete, retryAfter: [1, 1] })
    t.ok(seconds > 9 && seconds < 10.5, `after ${seconds} s`)
    await sleep(4_500)
    await lock.query('ROLLBACK')
    lock.release()
    const [late, waited] = await inTime
    t.equal(late.status, 200, late.text)
    t.ok(waited > 4, `it waited for ${waited} s`)
    expectProblem(t, await finish(service, lost), grant('login-lost'), 'used up')
    expectProblem(t, await finish(service, lost, basic(service.site)), grant('login-lost'))
    t.equal(await service.database.prisma.session.count(), 1)
  },
)

t.test(
  'five faults open the circuit: starts and finishes get provider-unavailable, and succeed again after ten seconds',
  { buffered: true },
  async (t) => {
    const service = await startInTurn(t)
    const { yandex } = service.doubles
    const state = () => service.metrics.registry.metrics()
    for (const name of namesOf(service.doubles))
      t.match(
        await state(),
        new RegExp(`provider_breaker_state\\{provider="${name}"\\} 0\\b`),
        'from the start',
      )
    const waiting = await loginToFinish(service)
    yandex.fault('token', 'reset', 5)
    for (let n = 0; n < 5; n++) {
      const answer = await finish(service, await loginToFinish(service))
      t.equal(answer.status, 502, answer.text)
    }
    yandex.requests.length = 0
    const body = { provider: 'yandex', client_redirect_url: redirectUrl }
    expectProblem(t, await post(service, '/api/v1/oauth/authorize-url/', body), unavailable)
    expectProblem(t, await finish(service, waiting), unavailable)
    expectProblem(t, await finish(service, waiting), unavailable, 'given back')
    t.strictSame(yandex.requests, [], 'no request to the provider')
    t.match(await state(), /provider_breaker_state\{provider="yandex"\} 2\b/)
    t.equal(
      (await finish(service, await loginToFinish(service, 'google'))).status,
      200,
      'other providers are not affected',
    )
    await sleep(10_050)
    t.ok((await start(service)).state, 'one start per pause is allowed')
    expectProblem(t, await post(service, '/api/v1/oauth/authorize-url/', body), unavailable, 'only one')
    t.equal((await finish(service, waiting)).status, 200, 'a finish is the trial of the provider')
    t.ok((await start(service)).state)
  },
)

t.test('codes that the provider rejects do not open the circuit', { buffered: true }, async (t) => {
  const service = await startInTurn(t)
  service.doubles.yandex.switches.codeLifetime = 0
  for (let n = 0; n < 12; n++)
    expectProblem(t, await finish(service, await loginToFinish(service)), grant('code-rejected'))
  service.doubles.yandex.switches.codeLifetime = 600
  t.equal((await finish(service, await loginToFinish(service))).status, 200)
})
