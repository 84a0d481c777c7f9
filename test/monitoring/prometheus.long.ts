import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'
import type { Test } from 'tap'
import t from 'tap'
import { advisoryLocks } from '../../src/storage/advisory-locks.ts'
import { codeBlocks, readText } from '../docs/markdown.ts'
import type { TestDatabase } from '../support/database.ts'
import { logIn, post, text } from '../support/login-flow.ts'
import { end, eventually } from '../support/process.ts'
import type { ProcessService } from '../support/process-service.ts'
import type { Prometheus } from '../support/prometheus.ts'
import { startPrometheus, withoutPrometheus } from '../support/prometheus.ts'
import { withoutRedis } from '../support/redis.ts'
import { registerSite } from '../support/service.ts'
import { startLoad, startReplicas, targetOf } from './replicas.ts'
import { compress, readPanels, readRules } from './rule-files.ts'

// The rules and the dashboard on a real Prometheus, which scrapes two replicas under load and faults. Hours pass in seconds:
// the durations of the rules are shortened, and so are the service's own timers of hours. Thresholds stay as they are.

const run = promisify(execFile)
const providers = ['yandex', 'google', 'mail'] as const

t.test('promtool accepts the rules, and their unit tests pass', { skip: withoutPrometheus }, async (t) => {
  await run('promtool', ['check', 'rules', 'deploy/monitoring/rules.yaml'])
  await run('promtool', ['test', 'rules', 'deploy/monitoring/rules-test.yaml'])
  const { alerts } = await readRules()
  const tested = (await run('grep', ['-h', 'alertname:', 'deploy/monitoring/rules-test.yaml'])).stdout
  for (const { alert } of alerts) t.match(tested, new RegExp(`\\b${alert}\\b`), `${alert} has a unit test`)
})

t.test('promtool accepts the configuration that the guide shows', { skip: withoutPrometheus }, async (t) => {
  const blocks = codeBlocks(await readText('docs/en/monitoring.md'))
  const shown = blocks.find(({ info }) => info === 'yaml')?.text ?? ''
  const folder = t.testdir({ 'prometheus.yaml': shown, 'rules.yaml': (await readRules()).text })
  const { stdout } = await run('promtool', ['check', 'config', `${folder}/prometheus.yaml`])
  t.match(stdout, /1 rule files found/)
  t.match(shown, 'job_name: auth-movies')
})

/** A connection that nothing limits, for locks that a fault holds. */
async function connect(t: Test, { url }: TestDatabase): Promise<Client> {
  const client = new Client({ connectionString: url })
  await client.connect()
  t.teardown(() => client.end())
  return client
}

/** Waits until an alert fires with these labels. */
async function fires(t: Test, prometheus: Prometheus, alert: string, labels: Record<string, string> = {}) {
  const from = performance.now()
  const wanted = Object.entries({ alertname: alert, ...labels })
  await eventually(async () => {
    const firing = await prometheus.firing()
    if (!firing.some((one) => wanted.every(([name, value]) => one[name] === value)))
      throw new Error(`${alert} does not fire; firing: ${JSON.stringify(firing)}`)
  }, 40_000)
  t.pass(`${alert} fires after ${((performance.now() - from) / 1_000).toFixed(1)} s`)
}

const namesOf = async (prometheus: Prometheus) =>
  [...new Set((await prometheus.firing()).map(({ alertname = '' }) => alertname))].toSorted()

/** Superseded tokens of eight sessions, and one token that is newer than its session. */
async function strangeRefreshes(service: ProcessService, { pool }: TestDatabase): Promise<void> {
  const refresh = (refresh_token: string) => post(service, '/api/v1/oauth/refresh/', { refresh_token })
  const sessions = await Promise.all(
    Array.from({ length: 9 }, async () => {
      const { refreshToken } = await eventually(() => logIn(service, 'google'))
      return { old: refreshToken, new: text(await refresh(refreshToken), 'refresh_token') }
    }),
  )
  const [lost, ...stolen] = sessions
  const { sid } = JSON.parse(Buffer.from(lost?.new.split('.')[1] ?? '', 'base64url').toString())
  await pool.query('UPDATE sessions SET generation = 0 WHERE id = $1', [sid])
  await sleep(1_200)
  await Promise.all([...stolen.map((session) => refresh(session.old)), refresh(lost?.new ?? '')])
}

/** Fills what waits for a reader of the log by lines of 10 kB: refusals name the URLs that are registered. */
async function floodLog(service: ProcessService, database: TestDatabase): Promise<void> {
  const long = (number: number) => `https://long.example/${number}/${'x'.repeat(1_900)}`
  const site = await registerSite(database, long(0))
  for (const number of [1, 2, 3, 4])
    await database.pool.query('INSERT INTO redirect_urls (url, host, site_id) VALUES ($1, $2, $3)', [
      long(number),
      'long.example',
      site.id,
    ])
  const refused = { provider: 'google', client_redirect_url: 'https://long.example/other' }
  for (let sent = 0; sent < 600; sent += 20)
    await Promise.all(
      Array.from({ length: 20 }, () => post(service, '/api/v1/oauth/authorize-url/', refused)),
    )
}

/** Evaluates every query of the dashboard, for every provider. */
async function evaluatePanels(t: Test, prometheus: Prometheus): Promise<void> {
  for (const { title, queries } of await readPanels())
    for (const query of queries)
      for (const provider of query.includes('$provider') ? providers : [''])
        t.ok(
          (
            await prometheus.query(
              compress(query)
                .replaceAll('$__rate_interval', '20s')
                .replaceAll('$__range', '30s')
                .replaceAll('$provider', provider),
            )
          ).some(({ value }) => Number.isFinite(value)),
          `${title.replace('$provider', provider)}: ${query}`,
        )
}

t.test(
  'every alert fires when its fault is made, and every panel shows something',
  { skip: withoutRedis || withoutPrometheus, timeout: 240_000 },
  async (t) => {
    const { database, redis, doubles, replicas } = await startReplicas(t)
    const [first, second] = replicas
    const prometheus = await startPrometheus(t, {
      targets: replicas.map(targetOf),
      rules: compress((await readRules()).text),
    })
    let googleFails = false
    startLoad(t, replicas, (number) => {
      // Four of five, so that the circuit does not open.
      if (googleFails && number % 5 !== 0) doubles.google.fault('token', '500-json', 1)
    })

    await t.test('nothing fires while all is well', async (t) => {
      await sleep(12_000)
      t.strictSame(await namesOf(prometheus), [])
      const [swept] = await prometheus.query('sum(sweep_total{outcome="done"})')
      t.ok((swept?.value ?? 0) > 2, 'the sweep runs')
    })

    await t.test('faults of providers, tokens, keys, sweep and log', async (t) => {
      const holder = await connect(t, database)
      await holder.query('SELECT pg_advisory_lock($1)', [advisoryLocks.sweep])
      await database.pool.query(`UPDATE signing_keys SET created_at = now() - interval '120 days'`)
      await strangeRefreshes(second, database)
      doubles.yandex.fault('token', '500-json')
      doubles.mail.switches.forgetClient = true
      googleFails = true
      second.started.child.stdout?.pause()
      await floodLog(second, database)
      await Promise.all([
        fires(t, prometheus, 'AuthMoviesRefreshReuse'),
        fires(t, prometheus, 'AuthMoviesCommitsLost'),
        fires(t, prometheus, 'AuthMoviesBreakerOpen', { provider: 'yandex' }),
        fires(t, prometheus, 'AuthMoviesProviderMisconfigured', { provider: 'mail' }),
        fires(t, prometheus, 'AuthMoviesNoLoginFinishes', { provider: 'mail' }),
        fires(t, prometheus, 'AuthMoviesProviderDown', { provider: 'google' }),
        fires(t, prometheus, 'AuthMoviesSigningKeyOld', { kind: 'access' }),
        fires(t, prometheus, 'AuthMoviesLogLinesLost', { instance: targetOf(second) }),
        fires(t, prometheus, 'AuthMoviesSweepStalled'),
      ])
      const own = /^AuthMovies(ErrorBudget|Slow|PoolExhausted|DependencyDown|Down|ReplicaDown)/
      t.strictSame(
        (await namesOf(prometheus)).filter((name) => own.test(name)),
        [],
        'the faults of others use up no budget of the service',
      )
      await evaluatePanels(t, prometheus)
      second.started.child.stdout?.resume()
      await holder.query('SELECT pg_advisory_unlock($1)', [advisoryLocks.sweep])
      await database.pool.query('UPDATE signing_keys SET created_at = now()')
      doubles.yandex.fault('token', undefined)
      doubles.mail.switches.forgetClient = false
      googleFails = false
    })

    await t.test('a trace is named beside the durations', async (t) => {
      const exemplars = await prometheus.ask(
        `query_exemplars?query=http_server_request_duration_seconds_bucket&start=${Date.now() / 1000 - 60}&end=${Date.now() / 1000}`,
      )
      t.match(JSON.stringify(exemplars), /"trace_id":"[0-9a-f]{32}"/)
    })

    await t.test('a lock on a table that every statement needs', async (t) => {
      const holder = await connect(t, database)
      await holder.query('BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE')
      await Promise.all([
        fires(t, prometheus, 'AuthMoviesErrorBudgetFast'),
        fires(t, prometheus, 'AuthMoviesErrorBudgetSlow'),
        fires(t, prometheus, 'AuthMoviesSlow'),
        fires(t, prometheus, 'AuthMoviesPoolExhausted', { instance: targetOf(first) }),
      ])
      await holder.query('ROLLBACK')
    })

    await t.test('a Redis that is gone, and a replica that gets no processor', async (t) => {
      await redis.stop('SIGKILL')
      const starved = new AbortController()
      const starve = (async () => {
        while (!starved.signal.aborted) {
          first.started.child.kill('SIGSTOP')
          await sleep(200)
          first.started.child.kill('SIGCONT')
          await sleep(100)
        }
      })()
      await Promise.all([
        fires(t, prometheus, 'AuthMoviesDependencyDown', { dependency: 'redis', instance: targetOf(second) }),
        fires(t, prometheus, 'AuthMoviesEventLoopDelay', { instance: targetOf(first) }),
      ])
      starved.abort()
      await starve
      await redis.start()
    })

    await t.test('replicas that are gone', async (t) => {
      await eventually(async () => {
        const firing = await namesOf(prometheus)
        if (firing.some((name) => name.endsWith('Down'))) throw new Error(`still: ${firing.join(', ')}`)
      })
      await end(second.started.child, 'SIGKILL')
      await fires(t, prometheus, 'AuthMoviesReplicaDown', { instance: targetOf(second) })
      t.notOk((await namesOf(prometheus)).includes('AuthMoviesDown'), 'one of two')
      await end(first.started.child, 'SIGKILL')
      await fires(t, prometheus, 'AuthMoviesDown')
    })

    await t.test('no alert was left out', async (t) => {
      const seen = await prometheus.query(
        'count by (alertname) (max_over_time(ALERTS{alertstate="firing"}[5m]))',
      )
      t.strictSame(
        seen.map(({ metric }) => metric.alertname ?? '').toSorted(),
        (await readRules()).alerts.map(({ alert }) => alert).toSorted(),
      )
    })
  },
)
