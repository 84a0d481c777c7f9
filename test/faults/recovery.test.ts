import t from 'tap'
import { migrate } from '../../src/storage/migrate.ts'
import { openTestDatabase } from '../support/database.ts'
import type { Answer } from '../support/login-flow.ts'
import { finish, get, logIn, loginToFinish, post, text } from '../support/login-flow.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { eventually } from '../support/process.ts'
import { liveness, startProcess } from '../support/process-service.ts'
import { startRedis, withoutRedis } from '../support/redis.ts'
import { redirectUrl, registerSite, startDoubles } from '../support/service.ts'

/** How many callers send requests at once, and for how many milliseconds everything is down. */
const callers = 12
const outage = 5_000

t.test(
  'the service recovers by itself after Redis and PostgreSQL were down under load',
  { skip: withoutRedis },
  async (t) => {
    const postgres = await startPostgres({ synchronous_commit: 'on' })
    t.teardown(() => postgres.remove())
    await migrate(postgres.url)
    const database = { ...openTestDatabase(t, { url: postgres.url, poolMax: 1 }), url: postgres.url }
    const redis = await startRedis(t)
    const doubles = await startDoubles(t)
    await registerSite(database, redirectUrl)
    const service = await startProcess(t, {
      databaseUrl: postgres.url,
      redis: { url: redis.url, prefix: 'herd:' },
      doubles,
      env: { RATE_LIMIT: 'off' },
    })
    const { accessToken, refreshToken } = await logIn(service)
    const authorization = `Bearer ${accessToken}`

    const over = new AbortController()
    const counts = new Map<string, number>()
    const kinds: Readonly<Record<string, () => Promise<Answer>>> = {
      start: () =>
        post(service, '/api/v1/oauth/authorize-url/', {
          provider: 'yandex',
          client_redirect_url: redirectUrl,
        }),
      me: () => get(service, '/api/v1/me/', { authorization }),
      finish: () => finish(service, { provider: 'yandex', state: 'x'.repeat(43), code: 'x' }),
      keys: () => get(service, '/.well-known/jwks.json'),
    }
    const call = async (kind: string, ask: () => Promise<Answer>) => {
      while (!over.signal.aborted) {
        const from = performance.now()
        const { status } = await ask()
        const seen = `${kind} ${status}`
        counts.set(seen, (counts.get(seen) ?? 0) + 1)
        if (performance.now() - from > 3_000) t.fail(`${seen} after ${performance.now() - from} ms`)
        await new Promise((resolve) => setTimeout(resolve, 25))
      }
    }
    const load = Array.from({ length: callers / 4 }, () =>
      Object.entries(kinds).map(([kind, ask]) => call(kind, ask)),
    ).flat()

    await eventually(() => {
      if (['start', 'me'].some((kind) => (counts.get(`${kind} 200`) ?? 0) < 20))
        throw new Error('no load yet')
    })
    await Promise.all([redis.stop('SIGKILL'), postgres.stop('SIGQUIT')])
    const back = performance.now() + outage
    while (performance.now() < back) {
      const { status, took } = await liveness(service)
      t.equal(status, 200)
      t.ok(took < 1_000, `alive after ${took} ms`)
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
    t.equal((await fetch(`${service.managementUrl}/health/ready`)).status, 200)

    await Promise.all([redis.start(), postgres.start()])
    const returned = performance.now()
    const login = await eventually(() => loginToFinish(service), 5_000)
    const answer = await finish(service, login)
    t.equal(answer.status, 200, answer.text)
    t.ok(performance.now() - returned < 5_000, 'it serves within 5 s')
    const refreshed = await post(service, '/api/v1/oauth/refresh/', { refresh_token: refreshToken })
    t.equal(refreshed.status, 200, 'and everybody is still logged in')
    t.ok(text(refreshed, 'access_token'))
    over.abort()
    await Promise.all(load)
    t.equal(service.started.child.exitCode, null, 'the same process')

    const allowed = /^(start (200|503)|me (200|503)|finish (400|503)|keys 200)$/
    for (const seen of counts.keys()) t.match(seen, allowed)
    for (const kind of ['start', 'me', 'finish']) t.ok(counts.get(`${kind} 503`), `${kind} was refused`)
    t.equal(service.started.errors(), '')
  },
)
