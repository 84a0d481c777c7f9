import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'
import t from 'tap'
import { providers } from '../../plugins/index.ts'
import { readConfig } from '../../src/config/config.ts'
import { startPgBouncer, withoutPgBouncer } from '../support/pgbouncer.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { findProgram, freePort } from '../support/process.ts'
import { startRedis, startSentinel, withoutRedis } from '../support/redis.ts'
import { askServer } from '../support/redis-server.ts'
import { codeBlocks, readText } from './markdown.ts'

// The configurations that the guide of failovers shows, taken by the servers for which they are.

const blocks = codeBlocks(await readText('docs/en/failovers.md'))
const shown = (info: string) => blocks.filter((block) => block.info === info).map(({ text }) => text.trim())
const [redisServer = '', sentinel = '', redisCluster = '', postgres = ''] = shown('conf')

/** Lines of `name value` as arguments of redis-server. */
const asArguments = (lines: string) =>
  lines.split('\n').flatMap((line) => {
    const [name = '', ...values] = line.split(' ')
    return [`--${name}`, ...values]
  })

t.test(
  'Redis starts with the lines for a server and for a node of a cluster',
  { skip: withoutRedis },
  async (t) => {
    const single = await startRedis(t, asArguments(redisServer))
    const policy = await askServer(single.port, (client) => client.config('GET', 'min-replicas-to-write'))
    t.strictSame(policy, ['min-replicas-to-write', '1'])
    const node = await startRedis(t, asArguments(redisCluster))
    t.match(await askServer(node.port, (client) => client.cluster('INFO')), /cluster_enabled|cluster_state/)
  },
)

t.test('a sentinel takes the lines for it', { skip: withoutRedis }, async (t) => {
  const server = await startRedis(t)
  const asked = await startSentinel(t, server.port, 'other')
  for (const line of sentinel.split('\n')) {
    // The lines of a file are the arguments of SENTINEL MONITOR and SENTINEL SET.
    const [, name = '', master = '', ...values] = line.split(' ')
    const command =
      name === 'monitor'
        ? ['MONITOR', master, '127.0.0.1', String(server.port), values.at(-1) ?? '']
        : ['SET', master, name, ...values]
    t.equal(await askServer(asked.port, (client) => client.call('SENTINEL', ...command)), 'OK', line)
  }
})

t.test('PostgreSQL and PgBouncer take theirs', { skip: withoutPgBouncer }, async (t) => {
  const settings = Object.fromEntries(
    postgres.split('\n').map((line) => {
      const [name = '', value = ''] = line.split(' = ')
      return [name, value.replace(/^'|'$/g, '')]
    }),
  )
  const server = await startPostgres(settings)
  t.teardown(() => server.remove())
  const pool = Object.fromEntries((shown('ini')[0] ?? '').split('\n').map((line) => line.split(' = ')))
  const client = new Client({ connectionString: await startPgBouncer(t, server.url, pool) })
  await client.connect()
  t.teardown(() => client.end())
  const { rows } = await client.query('SHOW synchronous_standby_names')
  t.strictSame(rows, [{ synchronous_standby_names: 'ANY 1 (standby_a, standby_b)' }])
})

const haproxy = findProgram('haproxy')

t.test(
  'HAProxy takes its section',
  { skip: haproxy === undefined && 'haproxy is not installed' },
  async (t) => {
    const section = (shown('haproxy')[0] ?? '').replace(':5432\n', `:${await freePort()}\n`)
    const rest = 'defaults\n  timeout connect 2s\n  timeout client 1h\n  timeout server 1h\n'
    const folder = t.testdir({ 'haproxy.cfg': `${rest}${section}\n` })
    t.match(await readFile(`${folder}/haproxy.cfg`, 'utf8'), 'GET /primary')
    const { stdout, stderr } = await promisify(execFile)(haproxy ?? '', ['-c', '-f', `${folder}/haproxy.cfg`])
    t.notMatch(stdout + stderr, /ALERT|WARNING/)
  },
)

t.test('the service reads the variables', async (t) => {
  const variables = shown('sh').map((text) =>
    Object.fromEntries(text.split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2))),
  )
  t.equal(variables.length, 3)
  for (const env of variables)
    t.doesNotThrow(
      () => readConfig({ NODE_ENV: 'development', ...env }, providers, ['DATABASE_URL']),
      Object.keys(env).join(),
    )
})
