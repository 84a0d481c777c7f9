import { Client } from 'pg'
import type { Test } from 'tap'
import t from 'tap'
import { migrate } from '../../src/storage/migrate.ts'
import { openDatabase } from '../../src/storage/postgres.ts'
import type { Answer } from '../support/login-flow.ts'
import { finish, locationFields, logIn, openCallback, post, text } from '../support/login-flow.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { eventually } from '../support/process.ts'
import type { ProcessService } from '../support/process-service.ts'
import { startProcess } from '../support/process-service.ts'
import { testRedis, withoutRedis } from '../support/redis.ts'
import { redirectUrl, registerSite, startDoubles } from '../support/service.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

/** How many visitors log in repeatedly; as many others log in once and then refresh. */
const people = 6

/** Milliseconds after the switch within which logins succeed again. */
const goodWithin = 5_000

/** Runs statements as the superuser of a server, without a proxy between. */
async function administer(url: string, ...statements: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

/**
 * A service whose DATABASE_URL follows the primary by a proxy, and a standby that has every transaction before its
 * COMMIT returns, so that everything that the service confirmed must still be true afterwards.
 */
async function stage(t: Test) {
  const primary = await startPostgres({ synchronous_commit: 'on' })
  t.teardown(() => primary.remove())
  await migrate(primary.url)
  const standby = await primary.addStandby()
  t.teardown(() => standby.remove())
  await administer(primary.url, `ALTER SYSTEM SET synchronous_standby_names = '*'`, 'SELECT pg_reload_conf()')
  const setUp = { ...openDatabase({ url: primary.url, poolMax: 1 }), url: primary.url }
  await registerSite(setUp, redirectUrl)
  await setUp.close()
  const proxy = await startTcpProxy(t, primary.url)
  const service = await startProcess(t, {
    databaseUrl: proxy.through(primary.url),
    redis: await testRedis(t),
    doubles: await startDoubles(t),
    env: { RATE_LIMIT: 'off' },
  })
  return { primary, standby, service, leadToStandby: () => proxy.leadTo(Number(new URL(standby.url).port)) }
}

/** Visitors who log in and refresh until `stop`. */
function startLoad(service: ProcessService) {
  /** The number of responses by kind of request and status. */
  const counts = new Map<string, number>()
  const over = new AbortController()
  const record = (kind: string, answer: Answer) => {
    const problem = typeof answer.json.type === 'string' ? answer.json.type.replace(/^.*:/, '') : ''
    const seen = `${kind} ${answer.status} ${problem}`.trim()
    counts.set(seen, (counts.get(seen) ?? 0) + 1)
    return { answer, again: problem === 'dependency-unavailable' }
  }
  /** Repeats the request, as this problem tells its caller to do. */
  const steadily = async (kind: string, ask: () => Promise<Answer>): Promise<Answer> => {
    for (;;) {
      const { answer, again } = record(kind, await ask())
      if (!again) return answer
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  const person = async (id: string, refreshes: number) => {
    while (!over.signal.aborted) {
      const begun = await steadily('start', () =>
        post(service, '/api/v1/oauth/authorize-url/', {
          provider: 'yandex',
          client_redirect_url: redirectUrl,
        }),
      )
      const back = await service.doubles.yandex.consent(text(begun, 'authorize_url'), { person: { id } })
      const came = await steadily('callback', () => openCallback(service, back))
      const fields = Object.fromEntries(locationFields(came))
      let pair = await steadily('finish', () => finish(service, fields))
      for (let n = 0; n < refreshes && pair.status === 200 && !over.signal.aborted; n++) {
        const token = text(pair, 'refresh_token')
        await new Promise((resolve) => setTimeout(resolve, 25))
        pair = await steadily('refresh', () =>
          post(service, '/api/v1/oauth/refresh/', { refresh_token: token }),
        )
      }
    }
  }
  const done = Promise.all(
    Array.from({ length: people }, (_, index) => [
      person(String(7_000 + index), 2),
      person(String(8_000 + index), Number.POSITIVE_INFINITY),
    ]).flat(),
  )
  return {
    counts,
    count: (seen: string) => counts.get(seen) ?? 0,
    stop: async () => {
      over.abort()
      await done
    },
  }
}

type Load = ReturnType<typeof startLoad>

function untilUnderLoad({ count }: Load) {
  return eventually(() => {
    if (count('finish 200') < 30 || count('refresh 200') < 100) throw new Error('no load yet')
  }, 30_000)
}

/** Logins succeed again soon, and then for two seconds without an error. */
async function goodAgain(t: Test, service: ProcessService, { counts, count }: Load) {
  const from = performance.now()
  await eventually(() => logIn(service), goodWithin)
  t.ok(performance.now() - from < goodWithin, `good again after ${Math.round(performance.now() - from)} ms`)
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  const before = new Map(counts)
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  for (const [seen, times] of counts)
    if (!/ [23]\d\d$/.test(seen)) t.equal(times, before.get(seen), `${seen}: no more of it`)
  t.ok(count('finish 200') > (before.get('finish 200') ?? 0), 'logins go through')
}

/**
 * All errors were 503, and every session that was confirmed still exists: the tokens of a lost one would have been
 * refused at the refresh.
 */
async function onlyTemporary(t: Test, service: ProcessService, load: Load) {
  await load.stop()
  t.comment(JSON.stringify(Object.fromEntries(load.counts)))
  const allowed =
    /^(start 200|callback 303|finish 200|refresh 200|(start|callback|finish|refresh) 503 dependency-unavailable|finish 503 login-incomplete)$/
  for (const seen of load.counts.keys()) t.match(seen, allowed)
  t.equal(service.started.child.exitCode, null, 'the same process')
  t.equal(service.started.errors(), '')
}

async function stateOf(service: ProcessService): Promise<string> {
  const answer = await fetch(`${service.managementUrl}/health/ready`)
  return /"postgresql":"([^"]+)"/.exec(await answer.text())?.[1] ?? ''
}

t.test(
  'logins succeed again after the primary is killed and the standby promoted',
  { skip: withoutRedis },
  async (t) => {
    const { primary, standby, service, leadToStandby } = await stage(t)
    const load = startLoad(service)
    await untilUnderLoad(load)
    t.equal(await stateOf(service), 'up')
    await primary.stop('SIGKILL')
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    leadToStandby()
    await eventually(async () => {
      const state = await stateOf(service)
      if (state !== 'read-only') throw new Error(state)
    }, 5_000)
    await standby.promote()
    await goodAgain(t, service, load)
    t.ok(load.count('refresh 503 dependency-unavailable') > 0, 'the failover was felt')
    t.equal(await stateOf(service), 'up')
    await onlyTemporary(t, service, load)
  },
)

t.test(
  'connections to a primary that is demoted are replaced by those to the new one',
  { skip: withoutRedis },
  async (t) => {
    const { primary, standby, service, leadToStandby } = await stage(t)
    const load = startLoad(service)
    await untilUnderLoad(load)
    await administer(
      primary.url,
      'ALTER SYSTEM SET default_transaction_read_only = on',
      'SELECT pg_reload_conf()',
    )
    await eventually(() => {
      if (load.count('refresh 503 dependency-unavailable') === 0) throw new Error('still written to')
    }, 5_000)
    await standby.promote()
    leadToStandby()
    await goodAgain(t, service, load)
    await onlyTemporary(t, service, load)
    await administer(primary.url, 'SELECT 1')
  },
)
