import type { Test } from 'tap'
import t from 'tap'
import type { Environment } from '../../src/config/variables.ts'
import { openTestDatabase } from '../support/database.ts'
import type { Answer } from '../support/login-flow.ts'
import { finish, get, logIn, loginToFinish, post, start } from '../support/login-flow.ts'
import { eventually } from '../support/process.ts'
import type { ProcessOptions } from '../support/process-service.ts'
import { liveness } from '../support/process-service.ts'
import { withoutRedis } from '../support/redis.ts'
import { startHeldProcess } from './held-profiles.ts'

const stage = (t: Test, env: Environment = {}, entry?: ProcessOptions['entry']) =>
  startHeldProcess(t, { RATE_LIMIT: 'off', ...env }, entry)

const ready = async (managementUrl: string) => (await fetch(`${managementUrl}/health/ready`)).status

t.test(
  'with an exhausted pool requests get 503 in time, and the process stays live',
  { skip: withoutRedis },
  async (t) => {
    const { database, service } = await stage(t, { DATABASE_POOL_MAX: '2' })
    const { accessToken, refreshToken } = await logIn(service)
    const locker = openTestDatabase(t, { url: database.url, poolMax: 1 })
    const lock = await locker.pool.connect()
    await lock.query('BEGIN')
    await lock.query('LOCK TABLE users, sessions IN ACCESS EXCLUSIVE MODE')

    const authorization = `Bearer ${accessToken}`
    const timed = async (ask: () => Promise<Answer>) => {
      const from = performance.now()
      return { answer: await ask(), took: performance.now() - from }
    }
    const asked = Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        timed(() =>
          n % 2 === 0
            ? get(service, '/api/v1/me/', { authorization })
            : post(service, '/api/v1/oauth/refresh/', { refresh_token: refreshToken }),
        ),
      ),
    )
    for (let n = 0; n < 10; n++) {
      const { status, took } = await liveness(service)
      t.equal(status, 200)
      t.ok(took < 1_000, `alive after ${took} ms`)
      t.equal(await ready(service.managementUrl), 200, 'its readiness is no matter of dependencies')
    }
    for (const { answer, took } of await asked) {
      t.equal(answer.status, 503, answer.text)
      t.match(answer.json.type, /:dependency-unavailable$/)
      t.match(answer.headers.get('retry-after'), /^\d+$/)
      t.ok(took < 3_000, `after ${took} ms`)
    }
    await lock.query('ROLLBACK')
    lock.release()
    const refreshed = await eventually(async () => {
      const answer = await post(service, '/api/v1/oauth/refresh/', { refresh_token: refreshToken })
      if (answer.status !== 200) throw new Error(answer.text)
      return answer
    }, 5_000)
    t.equal(refreshed.status, 200, 'the token that was refused is still the living one')
    t.ok(await logIn(service))
  },
)

t.test('requests that waited for a halted process get responses', { skip: withoutRedis }, async (t) => {
  const { service, toProfile, exchanged } = await stage(t)
  const login = await loginToFinish(service)
  toProfile.pause()
  const under = finish(service, login)
  await exchanged()
  service.started.child.kill('SIGSTOP')
  const waiting = Promise.all(Array.from({ length: 20 }, () => get(service, '/api/v1/oauth/providers/')))
  toProfile.resume()
  // Longer than every time-out of a command; the replies of the dependencies wait in its sockets meanwhile.
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  service.started.child.kill('SIGCONT')
  for (const { status } of await waiting) t.equal(status, 200)
  t.equal((await under).status, 200, 'the finish under way too')
  t.ok(await eventually(() => logIn(service), 5_000))
})

t.test('requests get responses while the log is not read', { skip: withoutRedis }, async (t) => {
  const { service } = await stage(t, { LOG_LEVEL: 'trace' })
  const { stdout } = service.started.child
  if (stdout === null) throw new Error('Its output is a pipe.')
  stdout.pause()
  const before = service.started.output().length
  const headers = { 'x-request-id': 'x'.repeat(64) }
  for (let n = 0; n < 40; n++) {
    const answers = await Promise.all(Array.from({ length: 50 }, () => get(service, '/nowhere', headers)))
    for (const { status } of answers) if (status !== 404) t.equal(status, 404)
  }
  t.equal((await liveness(service)).status, 200)
  t.ok(await logIn(service))
  stdout.resume()
  // More than pipe and reader hold (together about 300 kB), so these lines waited in the service.
  await eventually(() => {
    const { length } = service.started.output()
    if (length - before < 400_000) throw new Error(`${length - before} characters`)
  })
  t.ok(await start(service))
})

t.test('a second SIGTERM ends the process at once with 1', { skip: withoutRedis }, async (t) => {
  const { service } = await stage(t, { DRAIN_DELAY: '60' })
  const { child, ended } = service.started
  child.kill('SIGTERM')
  await eventually(async () => {
    if ((await ready(service.managementUrl)) !== 503) throw new Error('still ready')
  })
  child.kill('SIGTERM')
  t.equal(await ended, 1)
})

t.test(
  'with an endless request a stop ends in time with 1, sooner under npm start',
  { skip: withoutRedis },
  async (t) => {
    const { service, toProfile, exchanged } = await stage(t, { DRAIN_DELAY: '0' }, 'sandbox/start.ts')
    const login = await loginToFinish(service)
    toProfile.pause()
    const outcome = Promise.allSettled([finish(service, login)])
    await exchanged()
    const asked = performance.now()
    service.started.child.kill('SIGTERM')
    t.equal(await service.started.ended, 1)
    t.ok(performance.now() - asked < 5_000)
    t.match(await outcome, [{ status: 'rejected' }])
  },
)
