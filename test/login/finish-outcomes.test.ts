import t from 'tap'
import { expectProblem } from '../support/expect-problem.ts'
import { finish, loginToFinish } from '../support/login-flow.ts'
import { startRedis, withoutRedis } from '../support/redis.ts'
import { startTestService } from '../support/service.ts'

t.test(
  'a finish that fails by a bug counts as internal-error, by an outage as dependency-unavailable',
  { skip: withoutRedis },
  async (t) => {
    const redis = await startRedis(t)
    const service = await startTestService(t, { redis: { url: redis.url, prefix: '' } })
    const { pool } = service.database
    const [first, second] = [await loginToFinish(service), await loginToFinish(service)]
    const counted = async () => {
      const { values } = await service.metrics.loginsFinished.get()
      const happened = values.filter(({ value }) => value > 0)
      return Object.fromEntries(happened.map(({ labels, value }) => [labels.outcome, value]))
    }
    await pool.query('ALTER TABLE identities RENAME TO hidden')
    expectProblem(t, await finish(service, first), {
      status: 500,
      type: 'internal-error',
      error: 'server_error',
    })
    t.strictSame(await counted(), { 'internal-error': 1 })
    await pool.query('ALTER TABLE hidden RENAME TO identities')
    await redis.stop('SIGKILL')
    expectProblem(t, await finish(service, second), {
      status: 503,
      type: 'dependency-unavailable',
      error: 'temporarily_unavailable',
      retryAfter: [1, 1],
    })
    t.strictSame(await counted(), { 'internal-error': 1, 'dependency-unavailable': 1 })
  },
)
