import t from 'tap'
import { readTracingSettings } from '../../src/tracing/settings.ts'

const asked = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }

function read(values: Readonly<Record<string, string>>) {
  const warnings: string[] = []
  return { settings: readTracingSettings(values, warnings), warnings }
}

t.test('traces are made only where a variable names a collector', async (t) => {
  t.strictSame(read({}), { settings: undefined, warnings: [] })
  t.strictSame(read({ OTEL_SERVICE_NAME: 'login', OTEL_TRACES_SAMPLER: 'always_on' }).settings, undefined)
  t.equal(read(asked).settings?.url, 'http://collector:4318/v1/traces', 'the path of traces is appended')
  t.equal(read({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c/otlp/' }).settings?.url, 'http://c/otlp/v1/traces')
  const own = { ...asked, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://traces/in' }
  t.equal(read(own).settings?.url, 'https://traces/in', 'an address for traces is taken as it is')
})

t.test('traces are switched off by the standard variables', async (t) => {
  t.equal(read({ ...asked, OTEL_SDK_DISABLED: 'TRUE' }).settings, undefined)
  t.equal(read({ ...asked, OTEL_TRACES_EXPORTER: 'none' }).settings, undefined)
  t.ok(read({ ...asked, OTEL_SDK_DISABLED: 'false', OTEL_TRACES_EXPORTER: 'otlp' }).settings)
})

t.test('sampler, propagator and batches are read', async (t) => {
  const { settings, warnings } = read({
    ...asked,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.25',
    OTEL_PROPAGATORS: 'none',
    OTEL_BSP_SCHEDULE_DELAY: '100',
    OTEL_BSP_MAX_QUEUE_SIZE: '10',
  })
  t.strictSame(warnings, [])
  t.match(settings, {
    sampler: 'parentbased_traceidratio',
    ratio: 0.25,
    continues: false,
    batch: { scheduledDelayMillis: 100, maxQueueSize: 10 },
  })
  t.match(read(asked).settings, { sampler: 'parentbased_always_on', ratio: 1, continues: true, batch: {} })
})

t.test('a value that cannot be used is warned of, and never ends a start', async (t) => {
  for (const [name, value] of Object.entries({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'collector',
    OTEL_TRACES_EXPORTER: 'zipkin',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_TRACES_SAMPLER: 'jaeger_remote',
    OTEL_TRACES_SAMPLER_ARG: '2',
    OTEL_BSP_SCHEDULE_DELAY: 'soon',
  })) {
    const { warnings } = read({ ...asked, [name]: value })
    t.equal(warnings.length, 1, name)
    t.match(warnings[0], new RegExp(`^${name}`))
    t.notOk(warnings[0]?.includes(value), `${name}: without the value`)
  }
})
