import type { Test } from 'tap'
import t from 'tap'
import type { Environment } from '../../src/config/variables.ts'
import { migrate } from '../../src/storage/migrate.ts'
import { assertFailed, runCli, strictEnv } from '../cli/run-cli.ts'
import { openTestDatabase } from '../support/database.ts'
import { finish, get, loginToFinish, post, text } from '../support/login-flow.ts'
import { emptyFolder, freePorts, run } from '../support/npm-start.ts'
import { startPgBouncer, withoutPgBouncer } from '../support/pgbouncer.ts'
import type { PostgresServer } from '../support/postgres-server.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { startProcess } from '../support/process-service.ts'
import { testRedis, withoutRedis } from '../support/redis.ts'
import { redirectUrl, registerSite, startDoubles } from '../support/service.ts'

/** How many logins run at once, each with two refreshes; more than PgBouncer has connections. */
const logins = 30

/** The time zone of the server is five hours off, so that a connection without its settings is noticed. */
async function stage(t: Test) {
  const server = await startPostgres({ timezone: 'Asia/Yekaterinburg' })
  t.teardown(() => server.remove())
  await migrate(server.url)
  return server
}

/** Runs the service, which is expected to fail at its start, and gives its error message. */
async function refusal(t: Test, databaseUrl: string, env: Environment): Promise<string> {
  const started = run(t, 'src/main.ts', {
    folder: await emptyFolder(t),
    ports: await freePorts(),
    env: { ...strictEnv(databaseUrl), YANDEX_CLIENT_ID: 'id', YANDEX_CLIENT_SECRET: 'secret', ...env },
  })
  t.equal(await started.ended, 1)
  t.match(started.output(), /^\{[^\n]*"msg":"starting"\}\n$/, 'it began, and nothing more')
  return started.errors()
}

/** Checks that the service in both modes and a command each print one sentence that names the variable. */
async function refusedEverywhere(t: Test, server: PostgresServer, settings: Record<string, string>) {
  const pooled = await startPgBouncer(t, server.url, settings)
  const sentence = /^A pooler stands before the database .*set DATABASE_POOLER=transaction .*\.\n$/
  t.match(await refusal(t, pooled, {}), sentence)
  t.match(await refusal(t, pooled, { NODE_ENV: 'development' }), sentence)
  assertFailed(t, await runCli(['site', 'list'], strictEnv(pooled)), sentence)
}

t.test(
  'with DATABASE_POOLER a pooler in transaction mode works',
  { skip: withoutPgBouncer || withoutRedis },
  async (t) => {
    const server = await stage(t)
    const pooled = await startPgBouncer(t, server.url)
    const doubles = await startDoubles(t)
    const database = { ...openTestDatabase(t, { url: server.url, poolMax: 2 }), url: server.url }
    await registerSite(database, redirectUrl)
    const service = await startProcess(t, {
      databaseUrl: pooled,
      redis: await testRedis(t),
      doubles,
      env: { DATABASE_POOLER: 'transaction', DATABASE_DIRECT_URL: server.url, RATE_LIMIT: 'off' },
    })
    const began = Date.now()
    await Promise.all(
      Array.from({ length: logins }, async (_, index) => {
        const login = await loginToFinish(service, 'yandex', { person: { id: String(1_000 + index) } })
        let pair = await finish(service, login)
        t.equal(pair.status, 200, pair.text)
        for (let n = 0; n < 2; n++) {
          pair = await post(service, '/api/v1/oauth/refresh/', { refresh_token: text(pair, 'refresh_token') })
          t.equal(pair.status, 200, pair.text)
        }
        const authorization = `Bearer ${text(pair, 'access_token')}`
        const listed = await get(service, '/api/v1/me/sessions/', { authorization })
        const createdAt = Date.parse(/"created_at":"([^"]+)"/.exec(listed.text)?.[1] ?? '')
        t.ok(createdAt >= began - 1_000 && createdAt <= Date.now() + 1_000, `the right time: ${listed.text}`)
      }),
    )
    t.equal(await database.prisma.session.count(), logins)
    t.equal(service.started.errors(), '')
  },
)

t.test('without DATABASE_POOLER a pooler is reported', { skip: withoutPgBouncer }, async (t) => {
  const server = await stage(t)
  await t.test('a pooler that refuses start-up parameters', (t) => refusedEverywhere(t, server, {}))
  await t.test('a pooler that silently drops start-up parameters', (t) =>
    refusedEverywhere(t, server, { ignore_startup_parameters: 'options' }),
  )
})

t.test('migrations work through a pooler and without it', { skip: withoutPgBouncer }, async (t) => {
  const server = await startPostgres()
  t.teardown(() => server.remove())
  const pooled = await startPgBouncer(t, server.url)
  const ran = await runCli(['migrate'], { ...strictEnv(pooled), DATABASE_POOLER: 'transaction' })
  t.equal(ran.code, 0, ran.stderr)
  t.same(await migrate(server.url), [], 'all of them were applied')
})
