import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Cluster } from 'ioredis'
import t from 'tap'
import { deadlines } from '../../src/deadlines.ts'
import type { LoginEntry } from '../../src/login-history/entry.ts'
import { createRedisLoginHistory } from '../../src/login-history/redis-store.ts'
import { tryRedis } from '../../src/redis-start-check.ts'
import { connectRedis } from '../../src/storage/redis.ts'
import { StoreUnavailable } from '../../src/storage/redis-errors.ts'
import { patient } from '../support/deadlines.ts'
import { eventually } from '../support/process.ts'
import { startRedis, testRedis, withoutRedis } from '../support/redis.ts'
import { runHistoryConformance } from './store-conformance.ts'

const skip = { skip: withoutRedis }
const everything = { limit: 200 }

const entry = (requestId: string): LoginEntry => ({
  login: requestId,
  provider: 'yandex',
  request: 'finish',
  requestId,
  at: Date.now(),
  ms: 1,
  steps: [],
})

async function connectHistory(
  test: Pick<typeof t, 'teardown'>,
  url: string,
  { prefix = '', deadlines = patient } = {},
) {
  const client = await connectRedis({ url, prefix, tryOut: tryRedis, onWarning: () => {}, deadlines })
  test.teardown(() => client.disconnect())
  return { client, history: createRedisLoginHistory(client, prefix) }
}

t.test('Redis passes the conformance suite of login histories', skip, async (t) => {
  const { url, prefix } = await testRedis(t)
  const { history } = await connectHistory(t, url, { prefix })
  await runHistoryConformance(t, async () => history)
})

t.test('a cluster of Redis passes the conformance suite of login histories', skip, async (t) => {
  const nodes = await Promise.all([0, 1, 2].map(() => startRedis(t, ['--cluster-enabled', 'yes'])))
  const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`)
  await promisify(execFile)('redis-cli', ['--cluster', 'create', ...hosts, '--cluster-yes'])
  const { client, history } = await connectHistory(t, nodes.map(({ url }) => url).join(','), { prefix: 'p:' })
  t.ok(client instanceof Cluster)
  await runHistoryConformance(t, async () => history)
})

t.test('both streams are under the prefix, are capped and have a ttl', skip, async (t) => {
  const { url, prefix } = await testRedis(t)
  const { client, history } = await connectHistory(t, url, { prefix })
  for (let round = 0; round < 10; round++) {
    for (let index = 0; index < 400; index++) {
      history.record('site_1', { ...entry(`f${round}-${index}`), steps: [['claimed', Date.now()]] })
      history.record('site_1', { ...entry(`s${round}-${index}`), request: 'start' })
    }
    await history.recent('site_1', everything)
  }
  const keys = [`${prefix}history:logins:site_1`, `${prefix}history:starts:site_1`]
  await eventually(async () => {
    // The keys that the connection tried out end a second later.
    const found = (await client.keys(`${prefix}*`)).toSorted()
    if (found.join() !== keys.join()) throw new Error(found.join())
  })
  const [logins, starts] = await Promise.all(keys.map((key) => client.xlen(key)))
  t.ok(logins !== undefined && logins >= 2_000 && logins < 2_200, `logins: ${logins}`)
  t.ok(starts !== undefined && starts >= 500 && starts < 700, `starts: ${starts}`)
  for (const key of keys) {
    const seconds = await client.ttl(key)
    t.ok(seconds > 86_000 && seconds <= 86_400)
  }
})

t.test('an entry that another version wrote in another form is left out', skip, async (t) => {
  const { url, prefix } = await testRedis(t)
  const { client, history } = await connectHistory(t, url, { prefix })
  history.record('site_1', entry('known'))
  const odd = JSON.stringify({ ...entry('odd'), steps: [['teleported', 1]] })
  await client.xadd(`${prefix}history:logins:site_1`, '*', 'entry', odd)
  await client.xadd(`${prefix}history:logins:site_1`, '*', 'entry', '{"half":')
  await client.xadd(`${prefix}history:logins:site_1`, '*', 'other', 'thing')
  t.strictSame(
    (await history.recent('site_1', everything)).map(({ id }) => id),
    ['known'],
  )
})

t.test(
  'while Redis is paused the entries that wait are bounded, and reading fails within its deadline',
  skip,
  async (t) => {
    const server = await startRedis(t)
    const { history } = await connectHistory(t, server.url, {
      deadlines: { ...patient, redisCommand: deadlines.redisCommand },
    })
    history.record('site_0', entry('before'))
    t.equal((await history.recent('site_0', everything)).length, 1)

    server.pause()
    for (let index = 0; index < 5_000; index++) history.record(`site_${index % 5}`, entry(`r${index}`))
    const before = performance.now()
    await t.rejects(history.recent('site_0', everything), StoreUnavailable)
    t.ok(performance.now() - before < 5_000, 'within the command deadline: every other one is far longer')
    server.resume()

    const found = await eventually(() =>
      Promise.all([0, 1, 2, 3, 4].map((site) => history.recent(`site_${site}`, { limit: 10_000 }))),
    )
    t.ok(found.flat().length <= 1_001, 'no more entries waited than may be sent at the same time')
  },
)

t.test(
  'while Redis is gone recording throws nothing, and works again when Redis is back',
  skip,
  async (t) => {
    const server = await startRedis(t)
    const { history } = await connectHistory(t, server.url)
    await server.stop('SIGKILL')
    for (let index = 0; index < 3_000; index++) history.record('site_1', entry(`lost-${index}`))
    await t.rejects(history.recent('site_1', everything), StoreUnavailable)
    await server.start()
    await eventually(() => history.recent('site_1', everything))
    history.record('site_1', entry('after'))
    t.strictSame(
      (await history.recent('site_1', everything)).map(({ id }) => id),
      ['after'],
    )
  },
)
