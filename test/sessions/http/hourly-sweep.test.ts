import { randomBytes } from 'node:crypto'
import t from 'tap'
import { startService } from '../../../src/service.ts'
import { testDatabase } from '../../support/database.ts'
import { eventually, freePort } from '../../support/process.ts'
import { addSite, age, opened } from '../test-sessions.ts'

const day = 86_400

/** The process as main.ts runs it, with timers of a minute or an hour set to 60 ms. */
async function running(t: Pick<typeof import('tap').default, 'teardown' | 'intercept'>) {
  const { setTimeout: original } = globalThis
  // The first sweep comes after a random part of an hour.
  t.intercept(Math, 'random', { value: () => 0.5 })
  t.intercept(globalThis, 'setTimeout', {
    value: Object.assign(
      (work: () => void, delay = 0, ...rest: []) => original(work, delay > 40_000 ? 60 : delay, ...rest),
      original,
    ),
  })
  const database = await testDatabase(t)
  await addSite(database)
  const [port, managementPort] = [await freePort(), await freePort()]
  const service = await startService({
    NODE_ENV: 'development',
    LOG_LEVEL: 'silent',
    DATABASE_URL: database.url,
    SECRET_KEYS: randomBytes(32).toString('base64'),
    PORT: String(port),
    MANAGEMENT_PORT: String(managementPort),
    DRAIN_DELAY: '0',
    YANDEX_CLIENT_ID: 'id',
    YANDEX_CLIENT_SECRET: 'secret',
  })
  t.teardown(() => service.close())
  const management = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${managementPort}${path}`)
    return { status: response.status, text: await response.text() }
  }
  return { database, service, management }
}

t.test('the sweep repeats, survives a failure, and stops with the service', async (t) => {
  const { database, service, management } = await running(t)
  const living = await opened(database)
  const swept = () =>
    eventually(async () => {
      const left = await database.prisma.session.findMany({ select: { id: true } })
      if (left.length !== 1) throw new Error(`${left.length} sessions are left`)
      return left
    })
  const end = async () => age(database, (await opened(database)).sessionId, 3_600 + 2 * day)
  await end()
  t.strictSame(await swept(), [{ id: living.sessionId }])

  await database.pool.query('ALTER TABLE sessions RENAME TO away')
  await new Promise((resolve) => setTimeout(resolve, 300))
  t.equal((await management('/health/ready')).status, 200)
  await database.pool.query('ALTER TABLE away RENAME TO sessions')
  await end()
  t.strictSame(await swept(), [{ id: living.sessionId }], 'the next one works again')

  await service.close()
  await end()
  await new Promise((resolve) => setTimeout(resolve, 300))
  t.equal(await database.prisma.session.count(), 2)
})

t.test('the age of each signing key is measured, and without keys the service is not ready', async (t) => {
  const { database, management } = await running(t)
  await database.pool.query(`UPDATE signing_keys SET created_at = created_at - interval '1 hour'
    WHERE kind = 'access'`)
  const text = await eventually(async () => {
    const metrics = await management('/metrics')
    if (!metrics.text.includes('{kind="access"} 36')) throw new Error('not polled yet')
    return metrics.text
  })
  t.match(text, /^signing_key_age_seconds\{kind="access"\} 36\d\d$/m)
  t.match(text, /^signing_key_age_seconds\{kind="refresh"\} \d{1,2}$/m)
  t.match(JSON.parse((await management('/health/ready')).text), { ready: true, checks: { keys: true } })

  await database.pool.query('DELETE FROM signing_keys')
  const ready = await eventually(async () => {
    const answer = await management('/health/ready')
    if (answer.status !== 503) throw new Error('not polled yet')
    return answer
  })
  t.match(JSON.parse(ready.text), { ready: false, checks: { migrated: true, keys: false, serving: true } })
  t.equal((await management('/metrics')).status, 200, 'a scrape does not fail over it')
  t.equal((await management('/health/live')).status, 200)
})
