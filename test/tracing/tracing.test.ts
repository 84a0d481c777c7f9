import { Registry } from 'prom-client'
import type { Test } from 'tap'
import t from 'tap'
import type { Collector, ReceivedSpan } from '../support/collector.ts'
import { startCollector } from '../support/collector.ts'
import { testDatabase } from '../support/database.ts'
import {
  basic,
  finish,
  get,
  logIn,
  loginToFinish,
  openCallback,
  post,
  start,
  text,
} from '../support/login-flow.ts'
import { end, eventually } from '../support/process.ts'
import type { ProcessService } from '../support/process-service.ts'
import { startProcess } from '../support/process-service.ts'
import { testRedis, withoutRedis } from '../support/redis.ts'
import { redirectUrl, registerSite, startDoubles } from '../support/service.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parentId = '00f067aa0ba902b7'
const traceparent = `00-${traceId}-${parentId}-01`

/** A service in a process of its own that sends its spans to a collector. */
async function stage(t: Test, env: Readonly<Record<string, string>> = {}) {
  const collector = await startCollector(t)
  const database = await testDatabase(t)
  const site = await registerSite(database, redirectUrl)
  const service = await startProcess(t, {
    databaseUrl: database.url,
    redis: await testRedis(t),
    doubles: await startDoubles(t),
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=of-the-collector',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      OTEL_BSP_SCHEDULE_DELAY: '100',
      ...env,
    },
  })
  return { collector, service, site, database }
}

/** Waits for a span with this name, and this trace where it is given. */
function spanNamed(collector: Collector, name: string, trace?: string): Promise<ReceivedSpan> {
  return eventually(() => {
    const found = collector.spans.find(
      (span) => span.name === name && (trace === undefined || span.traceId === trace),
    )
    if (found === undefined)
      throw new Error(`no ${name} in ${collector.spans.map((span) => span.name).join(', ')}`)
    return found
  })
}

/** The lines of the log, parsed. */
const linesOf = ({ started }: ProcessService): Record<string, unknown>[] =>
  started
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))

t.test('a login is traced step by step', { skip: withoutRedis }, async (t) => {
  const { collector, service, site } = await stage(t)
  const posted = await loginToFinish(service, 'google', { headers: { traceparent } })
  const answer = await finish(service, posted, { traceparent, ...basic(site) })
  text(answer, 'access_token')

  const server = await spanNamed(collector, 'POST /api/v1/oauth/authorize/')
  t.match(server, { traceId, parentSpanId: parentId, kind: 2, status: 0 }, "it continues the caller's trace")
  t.match(server.attributes, {
    'http.request.method': 'POST',
    'http.route': '/api/v1/oauth/authorize/',
    'http.response.status_code': 200,
    'auth_movies.provider': 'google',
    'auth_movies.site': site.id,
  })
  t.match(server.resource, {
    'service.name': 'auth-movies',
    'deployment.environment.name': 'test',
    'telemetry.sdk.language': 'nodejs',
  })
  t.equal(collector.headers()['api-key'], 'of-the-collector')

  const steps = ['claimed', 'exchanged', 'profile', 'session']
  for (const step of steps) {
    const span = await spanNamed(collector, `login ${step}`)
    t.match(span, { traceId, parentSpanId: server.spanId, kind: 1 }, step)
  }
  const token = await spanNamed(collector, 'POST google token')
  t.match(token, { traceId, parentSpanId: server.spanId, kind: 3, status: 0 })
  t.match(token.attributes, { 'http.response.status_code': 200, 'auth_movies.endpoint': 'token' })
  t.ok(token.start >= server.start - 2_000_000n && token.end <= server.end + 2_000_000n, 'within its request')
  await spanNamed(collector, 'login started')
  await spanNamed(collector, 'login came_back')
  await spanNamed(collector, 'GET /api/v1/oauth/callback/google')

  const line = linesOf(service).find(({ route }) => route === '/api/v1/oauth/authorize/')
  t.match(line, { msg: 'answered', trace_id: traceId, span_id: server.spanId }, 'the log names the trace')

  const sent = Object.values(service.doubles).flatMap(({ requests }) => requests)
  t.ok(sent.length >= 2)
  for (const { headers } of sent)
    t.notOk(Object.keys(headers).some((name) => /^(traceparent|tracestate|baggage|b3)$/.test(name)))
})

t.test('no secret and nothing about the person is in a trace', { skip: withoutRedis }, async (t) => {
  const { collector, service, site } = await stage(t)
  const person = {
    id: '5550001112223',
    login: 'marker.login',
    name: 'Marker Name',
    email: 'marker@email.example',
  }
  const markers = new Set([...Object.values(person), site.secret, 'marker-query', 'marker-cookie'])
  for (const provider of ['yandex', 'google', 'mail'] as const) {
    const posted = await loginToFinish(service, provider, { person })
    const answer = await finish(service, posted, { ...basic(site), cookie: 'id=marker-cookie' })
    for (const secret of [
      posted.state,
      posted.code,
      text(answer, 'access_token'),
      text(answer, 'refresh_token'),
    ])
      markers.add(secret)
    const refresh_token = text(answer, 'refresh_token')
    markers.add(text(await post(service, '/api/v1/oauth/refresh/', { refresh_token }), 'refresh_token'))
    const { state, authorizeUrl } = await start(service, provider)
    service.doubles[provider].fault('token', '500-json', 1)
    const back = await openCallback(
      service,
      await service.doubles[provider].consent(authorizeUrl, { person }),
    )
    const code = new URL(back.headers.get('location') ?? '').searchParams.get('code') ?? ''
    t.equal((await finish(service, { provider, state, code })).status, 502)
    markers.add(state).add(code)
    await get(service, `/api/v1/oauth/callback/${provider}/marker-query?state=marker-query&code=marker-query`)
  }
  const failed = await eventually(() => {
    const span = collector.spans.find(({ attributes }) => attributes['error.type'] === 'provider-error')
    if (span === undefined) throw new Error('not yet')
    return span
  })
  t.equal(failed.status, 2, 'a 5xx is an error')
  await eventually(() => {
    if (collector.spans.filter(({ name }) => name === 'GET').length < 3) throw new Error('not yet')
  })
  const bodies = Buffer.concat([...collector.bodies])
  t.ok(bodies.length > 5_000)
  for (const marker of markers) t.notOk(bodies.includes(marker), marker)
})

t.test('durations of requests name traces as exemplars', { skip: withoutRedis }, async (t) => {
  const { service } = await stage(t)
  await start(service, 'yandex', {}, { traceparent })
  const scrape = await eventually(async () => {
    const answer = await get({ url: service.managementUrl }, '/metrics')
    if (!answer.text.includes(`# {trace_id="${traceId}"}`)) throw new Error('no exemplar')
    return answer
  })
  t.equal(scrape.headers.get('content-type'), Registry.OPENMETRICS_CONTENT_TYPE)
  t.match(scrape.text, /logins_started_total\{provider="yandex"\} 1\n/)
  t.ok(scrape.text.endsWith('# EOF\n'))
})

t.test(
  'what the caller decided on sampling is followed, unless a variable says otherwise',
  { skip: withoutRedis },
  async (t) => {
    const { collector, service } = await stage(t)
    await start(service, 'yandex', {}, { traceparent: `00-${traceId}-${parentId}-00` })
    await start(service, 'mail')
    await spanNamed(collector, 'login started')
    t.notOk(collector.spans.some((span) => span.traceId === traceId))
    t.notMatch((await get({ url: service.managementUrl }, '/metrics')).text, traceId, 'and it is no exemplar')

    const own = await stage(t, { OTEL_PROPAGATORS: 'none' })
    await start(own.service, 'yandex', {}, { traceparent })
    const span = await spanNamed(own.collector, 'POST /api/v1/oauth/authorize-url/')
    t.not(span.traceId, traceId, 'a trace of its own')
    t.equal(span.parentSpanId, '')
  },
)

t.test(
  'a collector that is away costs no request, and one line of the log',
  { skip: withoutRedis },
  async (t) => {
    const { service } = await stage(t, {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
      OTEL_EXPORTER_OTLP_TIMEOUT: '500',
    })
    await logIn(service)
    const lost = () => linesOf(service).filter(({ msg }) => String(msg).startsWith('Spans could not be sent'))
    await eventually(() => {
      if (lost().length === 0) throw new Error('no line')
    }, 30_000)
    await logIn(service)
    t.equal(lost().length, 1)
    await end(service.started.child, 'SIGTERM')
    t.equal(service.started.child.exitCode, 0, 'and no stop')
  },
)

t.test('a stop sends the last spans', { skip: withoutRedis }, async (t) => {
  const { collector, service } = await stage(t, { OTEL_BSP_SCHEDULE_DELAY: '60000' })
  await start(service, 'yandex')
  t.equal(collector.spans.length, 0)
  await end(service.started.child, 'SIGTERM')
  await spanNamed(collector, 'login started')
})

t.test('with OTEL_SDK_DISABLED nothing is traced', { skip: withoutRedis }, async (t) => {
  const { collector, service } = await stage(t, { OTEL_SDK_DISABLED: 'true' })
  await logIn(service)
  t.strictSame(collector.spans, [])
  t.notOk(linesOf(service).some((line) => 'trace_id' in line))
  t.match((await get({ url: service.managementUrl }, '/metrics')).headers.get('content-type'), 'text/plain')
})
