import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import manifest from '../package.json' with { type: 'json' }
import type { Environment } from '../src/config/variables.ts'
import { holdProfiles } from './faults/held-profiles.ts'
import { emptyDatabase, testDatabase } from './support/database.ts'
import type { FlowService } from './support/login-flow.ts'
import { finish, loginToFinish, post, start } from './support/login-flow.ts'
import type { Started } from './support/npm-start.ts'
import { emptyFolder, freePorts, run } from './support/npm-start.ts'
import { eventually } from './support/process.ts'
import { testRedis, withoutRedis } from './support/redis.ts'
import { publicUrl, registerSite, startDoubles } from './support/service.ts'

const execute = promisify(execFile)
const secretKey = randomBytes(32).toString('base64')

const strict = (databaseUrl: string, redis: { url: string; prefix: string }): Environment => ({
  DATABASE_URL: databaseUrl,
  REDIS_URL: redis.url,
  REDIS_PREFIX: redis.prefix,
  SECRET_KEYS: secretKey,
  PUBLIC_URL: 'https://login.example',
  COMMIT: 'a1b2c3',
  HOST: '127.0.0.1',
  YANDEX_CLIENT_ID: 'id',
  YANDEX_CLIENT_SECRET: 'MARKER-provider-secret',
})

async function up(started: Started): Promise<void> {
  await eventually(async () => {
    if (started.child.exitCode !== null) return
    const { status } = await ready(started)
    if (status !== 200) throw new Error(`ready: ${status}`)
  }, 30_000)
  if (started.child.exitCode !== null) throw new Error(started.errors())
}

async function ready({ ports }: Started) {
  const response = await fetch(`http://127.0.0.1:${ports.MANAGEMENT_PORT}/health/ready`)
  return { status: response.status, body: await response.text() }
}

t.test('with an empty environment the process names everything that is missing at once', async (t) => {
  const started = run(t, 'src/main.ts', { folder: await emptyFolder(t), ports: await freePorts(), env: {} })
  t.equal(await started.ended, 1)
  for (const name of ['DATABASE_URL', 'REDIS_URL', 'SECRET_KEYS', 'PUBLIC_URL', 'CLIENT_ID'])
    t.match(started.errors(), name)
  t.notMatch(started.errors(), /\n\s+at /)
})

t.test('strict mode on real Redis and PostgreSQL', { skip: withoutRedis }, async (t) => {
  const redis = await testRedis(t)
  const env = strict(await emptyDatabase(t), redis)
  const folder = await emptyFolder(t)

  const early = run(t, 'src/main.ts', { folder, ports: await freePorts(), env })
  t.equal(await early.ended, 1)
  t.match(
    early.errors(),
    /^The database is not at this version: run `node src\/cli\.ts migrate` first, .*--env-file=\.env[^\n]*\n$/,
  )

  const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url))
  const command = async (...args: string[]) => {
    const options = { cwd: folder, env: { PATH: process.env.PATH, ...env } }
    const { stdout } = await execute(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', cli, ...args],
      options,
    )
    return JSON.parse(stdout)
  }
  t.match(await command('migrate'), { applied: [/init/] })
  t.match(await command('migrate'), { applied: [] })

  const started = run(t, 'src/main.ts', { folder, ports: await freePorts(), env })
  await up(started)
  t.match(JSON.parse((await ready(started)).body), {
    ready: true,
    version: manifest.version,
    commit: 'a1b2c3',
    dependencies: { postgresql: 'up', redis: 'up', yandex: 'closed' },
  })

  const site = await command('site', 'add', '--name', 'One', '--redirect-url', 'https://one.example/return')
  const service = { url: `http://127.0.0.1:${started.ports.PORT}` }
  const answer = await post(service, '/api/v1/oauth/authorize-url/', {
    provider: 'yandex',
    client_redirect_url: 'https://one.example/return',
  })
  t.equal(answer.status, 200, answer.text)
  t.match(answer.json.authorize_url, /^https:\/\/oauth\.yandex\.ru\/authorize\?/)
  const health = await fetch(`${service.url}/health/ready`)
  t.equal(health.status, 404, 'health is not on the public port')
  const metrics = await (await fetch(`http://127.0.0.1:${started.ports.MANAGEMENT_PORT}/metrics`)).text()
  t.match(metrics, /logins_started_total\{provider="yandex"\} 1/)

  started.child.kill('SIGTERM')
  t.equal(await started.ended, 0)
  const all = started.output() + started.errors()
  for (const secret of [secretKey, 'MARKER', site.secret, String(answer.json.state)]) t.notMatch(all, secret)
  for (const line of started.output().trim().split('\n'))
    t.type(JSON.parse(line), 'object', 'each line is JSON')

  const stranger = run(t, 'src/main.ts', {
    folder,
    ports: await freePorts(),
    env: { ...env, SECRET_KEYS: randomBytes(32).toString('base64') },
  })
  t.equal(await stranger.ended, 1)
  t.match(stranger.errors(), /key [0-9a-f]{24} was sealed under none of the SECRET_KEYS/)
})

t.test('without a dependency it ends with one sentence', { skip: withoutRedis }, async (t) => {
  const redis = await testRedis(t)
  const { url } = await testDatabase(t)
  const folder = await emptyFolder(t)
  const cases: readonly [string, Environment, RegExp][] = [
    [
      'Redis',
      { ...strict(url, redis), REDIS_URL: 'redis://:MARKER-password@127.0.0.1:9' },
      /^Redis at .* cannot be used: .*REDIS_URL\.\n$/,
    ],
    [
      'PostgreSQL',
      strict('postgresql://auth:MARKER-password@127.0.0.1:9/auth', redis),
      /^The database .*DATABASE_URL.*\.\n$/,
    ],
  ]
  for (const [name, env, says] of cases) {
    const started = run(t, 'src/main.ts', { folder, ports: await freePorts(), env })
    t.equal(await started.ended, 1, name)
    t.match(started.errors(), says)
    t.notMatch(started.errors() + started.output(), 'MARKER')
  }
})

t.test(
  'after SIGTERM it is not ready, running requests end, then it exits with 0',
  { skip: withoutRedis },
  async (t) => {
    const database = await testDatabase(t)
    const doubles = await startDoubles(t)
    const redis = await testRedis(t)
    const { toProfile, exchanged, env } = await holdProfiles(t, doubles)
    toProfile.delay(600)
    const started = run(t, 'src/main.ts', {
      folder: await emptyFolder(t),
      ports: await freePorts(),
      env: {
        ...strict(database.url, redis),
        NODE_ENV: 'development',
        PUBLIC_URL: publicUrl,
        DRAIN_DELAY: '1',
        ...doubles.yandex.env,
        ...env,
      },
    })
    await up(started)
    await registerSite(database, 'https://client.example/oauth/return')
    const service: FlowService = {
      url: `http://127.0.0.1:${started.ports.PORT}`,
      doubles,
      config: { publicUrl },
    }
    const login = await loginToFinish(service)
    const answer = finish(service, login)
    await exchanged()
    started.child.kill('SIGTERM')
    await eventually(async () => {
      if ((await ready(started)).status !== 503) throw new Error('still ready')
    }, 2_000)
    t.ok((await start(service)).state, 'still served while the balancer notices')
    t.equal((await answer).status, 200, 'the finish under way is answered')
    t.equal(await started.ended, 0)
  },
)
