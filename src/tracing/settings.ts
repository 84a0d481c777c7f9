/** How traces are made and where they are sent: what the standard variables of OpenTelemetry ask for. */
export interface TracingSettings {
  /** Where the exporter posts to (OTLP over HTTP). Its headers, time limit and certificates it reads itself. */
  readonly url: string
  readonly sampler: SamplerName
  /** 0 to 1: the part of the traces that the `traceidratio` samplers keep. */
  readonly ratio: number
  /** Whether a request with a `traceparent` continues that trace. */
  readonly continues: boolean
  /** How spans wait for their export, where the environment says so; times are milliseconds. */
  readonly batch: Readonly<Partial<Record<BatchOption, number>>>
}

const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const

/** The values of OTEL_TRACES_SAMPLER that are built into every SDK. */
export type SamplerName = (typeof samplers)[number]

/** The values of a process's environment, trimmed. */
type Values = Readonly<Record<string, string | undefined>>

/**
 * Reads the variables of the OpenTelemetry specification (general SDK configuration and OTLP exporter). A value that cannot be
 * used is warned of and never ends a start, as the specification demands.
 * @param warnings gets a sentence, without the value, for each of them
 * @returns undefined where nothing asks for traces: without an address of a collector, or where they are switched off
 */
export function readTracingSettings(values: Values, warnings: string[]): TracingSettings | undefined {
  const url = endpoint(values)
  if (url === undefined || values.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return undefined
  const exporters = list(values.OTEL_TRACES_EXPORTER ?? 'otlp')
  if (!exporters.includes('otlp')) {
    if (!exporters.includes('none'))
      warnings.push('OTEL_TRACES_EXPORTER: only otlp and none are known, and no traces are sent.')
    return undefined
  }
  if (URL.parse(url) === null) {
    warnings.push('OTEL_EXPORTER_OTLP_ENDPOINT is no URL, and no traces are sent.')
    return undefined
  }
  const protocol = values.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? values.OTEL_EXPORTER_OTLP_PROTOCOL
  if (protocol !== undefined && protocol !== 'http/protobuf')
    warnings.push('OTEL_EXPORTER_OTLP_PROTOCOL: traces are sent by http/protobuf, whatever it says.')
  const propagators = list(values.OTEL_PROPAGATORS ?? 'tracecontext')
  return {
    url,
    sampler: sampler(values.OTEL_TRACES_SAMPLER, warnings),
    ratio: ratio(values.OTEL_TRACES_SAMPLER_ARG, warnings),
    continues: propagators.includes('tracecontext'),
    batch: batch(values, warnings),
  }
}

/** The address for traces as it is, or the common one with the path of traces appended (OTLP exporter specification). */
function endpoint(values: Values): string | undefined {
  const common = values.OTEL_EXPORTER_OTLP_ENDPOINT
  return (
    values.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ??
    (common === undefined ? undefined : `${common.replace(/\/$/, '')}/v1/traces`)
  )
}

function list(value: string): readonly string[] {
  return value.split(',').map((one) => one.trim())
}

function sampler(value: string | undefined, warnings: string[]): SamplerName {
  const found = samplers.find((name) => name === value)
  if (value !== undefined && found === undefined)
    warnings.push('OTEL_TRACES_SAMPLER is none of the built-in samplers: parentbased_always_on is used.')
  return found ?? 'parentbased_always_on'
}

function ratio(value: string | undefined, warnings: string[]): number {
  const given = Number(value ?? 1)
  if (given >= 0 && given <= 1) return given
  warnings.push('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1: every trace is kept.')
  return 1
}

const batchVariables = {
  scheduledDelayMillis: 'OTEL_BSP_SCHEDULE_DELAY',
  exportTimeoutMillis: 'OTEL_BSP_EXPORT_TIMEOUT',
  maxQueueSize: 'OTEL_BSP_MAX_QUEUE_SIZE',
  maxExportBatchSize: 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE',
} as const satisfies Record<BatchOption, string>

const batchOptions = [
  'scheduledDelayMillis',
  'exportTimeoutMillis',
  'maxQueueSize',
  'maxExportBatchSize',
] as const

type BatchOption = (typeof batchOptions)[number]

/** The options whose variables are set to whole numbers above 0; the SDK has defaults for the others. */
function batch(values: Values, warnings: string[]): Partial<Record<BatchOption, number>> {
  const options: Partial<Record<BatchOption, number>> = {}
  for (const option of batchOptions) {
    const value = values[batchVariables[option]]
    if (value === undefined) continue
    if (/^[1-9]\d{0,8}$/.test(value)) options[option] = Number(value)
    else warnings.push(`${batchVariables[option]} must be a whole number above 0: its default is used.`)
  }
  return options
}
