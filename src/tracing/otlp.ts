import { randomUUID } from 'node:crypto'
import { DiagLogLevel, diag } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources'
import type { Sampler } from '@opentelemetry/sdk-trace'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { FastifyBaseLogger } from 'fastify'
import type { SamplerName, TracingSettings } from './settings.ts'
import type { Tracing } from './tracing.ts'
import { createTracing } from './tracing.ts'

/** Milliseconds between two warnings that spans are lost. */
const warnEvery = 60_000

/** Milliseconds that a stop waits for the last spans. */
const lastSpans = 2_000

/**
 * Traces that are sent to a collector. This file is loaded only where they are asked for, as the SDK takes time and memory.
 * @param log told, once a minute at most, that spans could not be sent; requests never wait for that
 */
export function startTracing(
  settings: TracingSettings,
  { version, log }: { readonly version: string; readonly log: Pick<FastifyBaseLogger, 'warn'> },
): Tracing {
  reportTo(log)
  const exporter = new OTLPTraceExporter({ url: settings.url })
  const provider = new TracerProvider({
    sampler: samplerOf(settings),
    spanProcessors: [new BatchSpanProcessor({ ...settings.batch, exporter })],
    resource: defaultResource()
      .merge(
        resourceFromAttributes({
          'service.name': 'auth-movies',
          'service.version': version,
          'service.instance.id': randomUUID(),
        }),
      )
      .merge(detectResources({ detectors: [envDetector] })),
  })
  return createTracing(provider.getTracer('auth-movies', version), {
    ...(settings.continues && { propagator: new W3CTraceContextPropagator() }),
    async close() {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, lastSpans)
      })
      await Promise.race([provider.shutdown().catch(() => {}), late])
      clearTimeout(timer)
    },
  })
}

function samplerOf({ sampler, ratio }: Pick<TracingSettings, 'sampler' | 'ratio'>): Sampler {
  const roots: Readonly<Record<string, () => Sampler>> = {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: () => new TraceIdRatioBasedSampler(ratio),
  } satisfies Partial<Record<SamplerName, () => Sampler>>
  const root = roots[sampler.replace('parentbased_', '')]?.() ?? new AlwaysOnSampler()
  return sampler.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root
}

/** The SDK reports failed exports to one logger of the process, and says nothing where there is none. */
function reportTo(log: Pick<FastifyBaseLogger, 'warn'>): void {
  let warned = Number.NEGATIVE_INFINITY
  const warn = () => {
    const now = performance.now()
    if (now - warned < warnEvery) return
    warned = now
    // Not the SDK's own words, which may repeat what a proxy answered.
    log.warn('Spans could not be sent to OTEL_EXPORTER_OTLP_ENDPOINT and are lost.')
  }
  const ignore = () => {}
  diag.setLogger(
    { error: warn, warn, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  )
}
