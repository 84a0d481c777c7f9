import type { Test } from 'tap'
import t from 'tap'
import { deadlines } from '../../src/config.ts'
import { openTestDatabase } from '../support/database.ts'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import { answeredLogin, basic, finish, post, start } from '../support/login-flow.ts'
import type { TestService } from '../support/service.ts'
import { redirectUrl, startTestService } from '../support/service.ts'

// Whatever takes its whole time, all of it at once: each test has a service and doubles of its own.
t.jobs = 8
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const timedOut = { status: 504, type: 'provider-timeout', error: 'server_error' } as const
const unavailable: ExpectedProblem = {
  status: 503,
  type: 'provider-unavailable',
  error: 'temporarily_unavailable',
  retryAfter: [1, 10],
}
/** One after the other: eight that start at once on a busy machine outlast the second that a connection may take. */
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
  t.test(`the token endpoint: ${fault}`, { buffered: true }, async (t) => {
    const service = await startInTurn(t)
    const { yandex } = service.doubles
    const login = await answeredLogin(service)
    yandex.requests.length = 0
    yandex.fault('token', fault, 1)
    const [answer, seconds] = await timed(finish(service, login))
    expectProblem(t, answer, timedOut)
    t.ok(seconds > 4.5 && seconds < 6.5, `after ${seconds} s`)
    expectProblem(t, await finish(service, login), grant('login-lost'))
    t.equal(yandex.requests.filter(({ path }) => path === '/token').length, 1, 'never repeated')
  })

t.test(
  'a profile that never comes: the second attempt ends at the deadline',
  { buffered: true },
  async (t) => {
    const service = await startInTurn(t)
    const login = await answeredLogin(service)
    service.doubles.yandex.fault('userinfo', 'hang')
    const [answer, seconds] = await timed(finish(service, login))
    expectProblem(t, answer, timedOut)
    t.ok(seconds > 9 && seconds < 10.5, `after ${seconds} s`)
    expectProblem(t, await finish(service, login), grant('login-lost'))
  },
)

t.test('a database that does not take the session until the deadline', { buffered: true }, async (t) => {
  const service = await startInTurn(t)
  const [lost, other] = [await answeredLogin(service), await answeredLogin(service)]
  const locker = openTestDatabase(t, { url: service.database.url, poolMax: 1 })
  const lock = await locker.pool.connect()
  await lock.query('SET idle_in_transaction_session_timeout = 0')
  await lock.query('BEGIN')
  await lock.query('LOCK TABLE users IN ACCESS EXCLUSIVE MODE')
  // The other one has luck: the lock goes before its time is over.
  const lucky = sleep(6_500).then(() => timed(finish(service, other)))
  const [answer, seconds] = await timed(finish(service, lost))
  const incomplete = { status: 503, type: 'login-incomplete', error: 'temporarily_unavailable' } as const
  expectProblem(t, answer, { ...incomplete, retryAfter: [1, 1] })
  t.ok(seconds > 9 && seconds < 10.5, `after ${seconds} s`)
  await sleep(4_500)
  await lock.query('ROLLBACK')
  lock.release()
  const [late, waited] = await lucky
  t.equal(late.status, 200, late.text)
  t.ok(waited > 4, `it waited for ${waited} s`)
  expectProblem(t, await finish(service, lost), grant('login-lost'), 'spent')
  expectProblem(t, await finish(service, lost, basic(service.site)), grant('login-lost'))
  t.equal(await service.database.prisma.session.count(), 1)
})

t.test(
  'five faults open the circuit: start refuses, a finish is given back, ten seconds later all is well',
  { buffered: true },
  async (t) => {
    const service = await startInTurn(t)
    const { yandex } = service.doubles
    const state = () => service.metrics.registry.metrics()
    for (const name of ['yandex', 'google', 'mail'])
      t.match(
        await state(),
        new RegExp(`provider_breaker_state\\{provider="${name}"\\} 0\\b`),
        'from the start',
      )
    const waiting = await answeredLogin(service)
    yandex.fault('token', 'reset', 5)
    for (let n = 0; n < 5; n++) {
      const answer = await finish(service, await answeredLogin(service))
      t.equal(answer.status, 502, answer.text)
    }
    yandex.requests.length = 0
    const body = { provider: 'yandex', client_redirect_url: redirectUrl }
    expectProblem(t, await post(service, '/api/v1/oauth/authorize-url/', body), unavailable)
    expectProblem(t, await finish(service, waiting), unavailable)
    expectProblem(t, await finish(service, waiting), unavailable, 'given back')
    t.strictSame(yandex.requests, [], 'the provider is left alone')
    t.match(await state(), /provider_breaker_state\{provider="yandex"\} 2\b/)
    t.equal((await finish(service, await answeredLogin(service, 'google'))).status, 200, 'others go on')
    await sleep(10_050)
    t.ok((await start(service)).state, 'one start a pause is let through')
    expectProblem(t, await post(service, '/api/v1/oauth/authorize-url/', body), unavailable, 'and only one')
    t.equal((await finish(service, waiting)).status, 200, 'a finish tries the provider out')
    t.ok((await start(service)).state)
  },
)

t.test('junk codes open no circuit', { buffered: true }, async (t) => {
  const service = await startInTurn(t)
  service.doubles.yandex.switches.codeLifetime = 0
  for (let n = 0; n < 12; n++)
    expectProblem(t, await finish(service, await answeredLogin(service)), grant('code-rejected'))
  service.doubles.yandex.switches.codeLifetime = 600
  t.equal((await finish(service, await answeredLogin(service))).status, 200)
})
