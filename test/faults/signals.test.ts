import { setTimeout as wait } from 'node:timers/promises'
import type { Test } from 'tap'
import t from 'tap'
import { testDatabase } from '../support/database.ts'
import type { Started } from '../support/npm-start.ts'
import { emptyFolder, freePorts, run } from '../support/npm-start.ts'
import { eventually } from '../support/process.ts'

/** The service as a process whose start has begun. */
async function starting(t: Test): Promise<Started> {
  const { url } = await testDatabase(t)
  const started = run(t, 'src/main.ts', {
    folder: await emptyFolder(t),
    ports: await freePorts(),
    env: {
      NODE_ENV: 'development',
      DATABASE_URL: url,
      YANDEX_CLIENT_ID: 'id',
      YANDEX_CLIENT_SECRET: 'secret',
    },
  })
  await eventually(() => {
    if (!started.output().includes('"starting"')) throw new Error('not starting')
  }, 60_000)
  return started
}

const lastLine = (started: Started): unknown => JSON.parse(started.output().trim().split('\n').at(-1) ?? '')

t.test(
  'Ctrl-C under npm reaches the process twice: it is one wish to stop, and the stop is graceful',
  async (t) => {
    const started = await starting(t)
    await eventually(() => {
      if (!started.output().includes('"listening"')) throw new Error('not listening')
    }, 60_000)
    const { child, ended } = started
    child.kill('SIGINT')
    await wait(50)
    child.kill('SIGINT')
    t.equal(await ended, 0)
    t.match(lastLine(started), { msg: 'stopped' })
  },
)

t.test('asked to stop while it starts, the process finishes its start, stops and ends with 0', async (t) => {
  const started = await starting(t)
  started.child.kill('SIGTERM')
  t.equal(await started.ended, 0, started.errors())
  t.match(lastLine(started), { msg: 'stopped' })
})
