import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { RegistryContentType } from 'prom-client'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

declare module 'fastify' {
  interface FastifyRequest {
    /** The trace that is kept of it, as the exemplar of its duration. */
    sampledTrace: string | undefined
  }
}

/** Seconds: the buckets that OpenTelemetry recommends for request durations. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

type ServerLabel = 'http_request_method' | 'http_route' | 'http_response_status_code'

/** Every metric of the service. No label ever holds a site, a user or a URL. */
export type Metrics = ReturnType<typeof createMetrics>

/**
 * Makes the metrics of a process, which `/metrics` on the management port shows.
 * @param signingKeyAges seconds by kind of key, called at each scrape
 * @param droppedLines lines of the log that were lost since the start, called at each scrape
 * @param options `pool`: the connections to PostgreSQL, asked at each scrape; `exemplars`: the histogram of requests names
 *   traces, for which the output is OpenMetrics
 */
export function createMetrics(
  signingKeyAges: () => Readonly<Record<string, number>> = () => ({}),
  droppedLines: () => number = () => 0,
  { pool, exemplars = false }: { readonly pool?: ConnectionPool; readonly exemplars?: boolean } = {},
) {
  const registry = new Registry<RegistryContentType>()
  if (exemplars) registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  return {
    registry,
    // `trace_id` is a label of exemplars alone.
    serverDuration: new Histogram<ServerLabel | 'trace_id'>({
      name: 'http_server_request_duration_seconds',
      help: 'Duration of requests to the service',
      labelNames: ['http_request_method', 'http_route', 'http_response_status_code'],
      buckets,
      enableExemplars: exemplars,
      registers,
    }),
    problems: new Counter({
      name: 'problems_total',
      help: 'Requests that were answered with a problem, by its type',
      labelNames: ['problem'],
      registers,
    }),
    clientDuration: new Histogram({
      name: 'http_client_request_duration_seconds',
      help: 'Duration of requests to providers; outcome is the status, or why there was none',
      labelNames: ['provider', 'endpoint', 'outcome'],
      buckets,
      registers,
    }),
    loginsStarted: new Counter({
      name: 'logins_started_total',
      help: 'Logins that were started',
      labelNames: ['provider'],
      registers,
    }),
    loginsFinished: new Counter({
      name: 'logins_finished_total',
      help: 'Requests to finish a login, by problem type or success',
      labelNames: ['provider', 'outcome'],
      registers,
    }),
    stepDuration: new Histogram({
      name: 'login_step_duration_seconds',
      help: 'Duration of the steps of a login, as in site/logins/',
      labelNames: ['provider', 'step'],
      buckets,
      registers,
    }),
    breakerState: new Gauge({
      name: 'provider_breaker_state',
      help: 'Circuit of each configured provider: 0 closed, 1 half-open, 2 open',
      labelNames: ['provider'],
      registers,
    }),
    refreshes: new Counter({
      name: 'refresh_total',
      help: 'Refreshes, by outcome: rotated, repeated, reused, ahead (newer than its session, as after a restore), refused, invalid',
      labelNames: ['outcome'],
      registers,
    }),
    poolConnections: new Gauge({
      name: 'database_pool_connections',
      help: 'Connections to PostgreSQL: used, idle, and free, which are not open; together DATABASE_POOL_MAX',
      labelNames: ['state'],
      registers,
      collect() {
        if (pool === undefined) return
        const { totalCount, idleCount } = pool
        this.set({ state: 'used' }, totalCount - idleCount)
        this.set({ state: 'idle' }, idleCount)
        this.set({ state: 'free' }, pool.options.max - totalCount)
      },
    }),
    poolWaiting: new Gauge({
      name: 'database_pool_waiting',
      help: 'Statements that wait for a connection to PostgreSQL',
      registers,
      collect() {
        if (pool !== undefined) this.set(pool.waitingCount)
      },
    }),
    sweeps: new Counter({
      name: 'sweep_total',
      help: 'Sweeps of ended sessions, by outcome: done, elsewhere (another replica is at it), failed',
      labelNames: ['outcome'],
      registers,
    }),
    signingKeyAge: new Gauge({
      name: 'signing_key_age_seconds',
      help: 'Age of the active signing key, for access, refresh and id (RS256)',
      labelNames: ['kind'],
      registers,
      collect() {
        for (const [kind, seconds] of Object.entries(signingKeyAges())) this.set({ kind }, seconds)
      },
    }),
    logLinesDropped: new Counter({
      name: 'log_lines_dropped_total',
      help: 'Lines of the log that were lost, as nobody read standard output',
      registers,
      collect() {
        this.reset()
        this.inc(droppedLines())
      },
    }),
    dependencyUp: new Gauge({
      name: 'dependency_up',
      help: 'postgresql and redis: 1 where the last look succeeded, 0 where not or where PostgreSQL only reads. A scrape makes it look, every 2 seconds at most, and the next one shows what it found',
      labelNames: ['dependency'],
      registers,
    }),
  }
}

/** A pool of connections, as pg counts it. */
export interface ConnectionPool {
  readonly totalCount: number
  readonly idleCount: number
  readonly waitingCount: number
  readonly options: { readonly max: number }
}

/** Measures the duration of every request, by the pattern of its route, and counts problems. */
export const measured = fp(async (app: FastifyInstance, { metrics }: { metrics: Metrics }) => {
  const { registry, serverDuration, problems } = metrics
  const exemplars = registry.contentType === Registry.OPENMETRICS_CONTENT_TYPE
  app.decorateRequest('sampledTrace', undefined)
  app.addHook('onResponse', (request, reply, done) => {
    const labels = {
      http_request_method: request.method,
      http_route: request.routeOptions.url ?? 'unknown',
      http_response_status_code: String(reply.statusCode),
    }
    const value = reply.elapsedTime / 1000
    const { sampledTrace, problem } = request
    if (!exemplars) serverDuration.observe(labels, value)
    else
      serverDuration.observe({
        labels,
        value,
        exemplarLabels: sampledTrace === undefined ? {} : { trace_id: sampledTrace },
      })
    if (problem !== undefined) problems.inc({ problem })
    done()
  })
})
