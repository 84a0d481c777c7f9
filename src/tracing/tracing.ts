import { AsyncLocalStorage } from 'node:async_hooks'
import type { Attributes, Context, Span, TextMapPropagator, Tracer } from '@opentelemetry/api'
import {
  defaultTextMapGetter,
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import '../http/metrics.ts'
import '../http/access-log.ts'
import '../problems/reply.ts'

/** A part of a request that is over. */
export interface Ended {
  readonly provider: string
  readonly seconds: number
  /** Milliseconds since the epoch; now where not given. */
  readonly at?: number
}

/** The traces of a process. Nothing of this exists where no variable asks for traces. */
export interface Tracing {
  /** Hooks for the public server: one span per request, and `trace_id` in its log lines. */
  readonly requests: FastifyPluginAsync
  /** A step of the login that the current request handles: one span. */
  step(name: string, step: Ended): void
  /** A request to a provider, for the current request: one client span. */
  providerRequest(
    request: Ended & {
      readonly method: string
      readonly endpoint: string
      readonly result: number | string
    },
  ): void
  /** Sends what waits. */
  close(): Promise<void>
}

/**
 * Makes spans of what the service measures anyway, after it is over, so that nothing wraps the work. Attributes are a closed
 * list without URLs, headers and bodies, so that no state, code or token can get into a trace. No header is added to any
 * request: `traceparent` never reaches a provider.
 * @param propagator reads the caller's context; where it is absent, every request begins a trace
 */
export function createTracing(
  tracer: Tracer,
  { propagator, close }: { readonly propagator?: TextMapPropagator; readonly close: () => Promise<void> },
): Tracing {
  const current = new AsyncLocalStorage<Context>()
  const begun = new WeakMap<FastifyRequest, { readonly span: Span; readonly context: Context }>()

  /** A span of the current request; none outside of a request, as background work belongs to no trace. */
  const add = (name: string, kind: SpanKind, { seconds, at = Date.now() }: Ended, attributes: Attributes) => {
    const context = current.getStore()
    if (context === undefined) return undefined
    const span = tracer.startSpan(name, { kind, attributes, startTime: at - seconds * 1000 }, context)
    return { span, end: () => span.end(at) }
  }

  const requests = fp(async (app) => {
    app.addHook('onRequest', (request, reply, done) => {
      const parent = propagator?.extract(ROOT_CONTEXT, request.headers, defaultTextMapGetter) ?? ROOT_CONTEXT
      const options = { kind: SpanKind.SERVER, attributes: { 'http.request.method': request.method } }
      const span = tracer.startSpan(nameOf(request), options, parent)
      const { traceId, spanId, traceFlags } = span.spanContext()
      request.log = request.log.child({ trace_id: traceId, span_id: spanId })
      reply.log = request.log
      if ((traceFlags & TraceFlags.SAMPLED) !== 0) request.sampledTrace = traceId
      begun.set(request, { span, context: trace.setSpan(ROOT_CONTEXT, span) })
      done()
    })
    // Here and not in onRequest: a parsed body goes on in the context of its connection.
    app.addHook('preHandler', (request, _reply, done) => {
      const context = begun.get(request)?.context
      if (context === undefined) done()
      else current.run(context, done)
    })
    app.addHook('onResponse', (request, reply, done) => {
      endRequest(begun.get(request)?.span, request, reply)
      done()
    })
  })

  return {
    requests,
    step(name, ended) {
      add(`login ${name}`, SpanKind.INTERNAL, ended, { 'auth_movies.provider': ended.provider })?.end()
    },
    providerRequest(ended) {
      const { provider, method, endpoint, result } = ended
      const added = add(`${method} ${provider} ${endpoint}`, SpanKind.CLIENT, ended, {
        'http.request.method': method,
        'auth_movies.provider': provider,
        'auth_movies.endpoint': endpoint,
        ...(typeof result === 'number' && { 'http.response.status_code': result }),
        ...((typeof result !== 'number' || result >= 400) && { 'error.type': String(result) }),
      })
      if (typeof result !== 'number' || result >= 400) added?.span.setStatus({ code: SpanStatusCode.ERROR })
      added?.end()
    },
    close,
  }
}

/** The pattern of the route, never the path: a 404 may be anything, even a code in the wrong place. */
function nameOf({ method, routeOptions }: FastifyRequest): string {
  return routeOptions.url === undefined ? method : `${method} ${routeOptions.url}`
}

function endRequest(span: Span | undefined, request: FastifyRequest, reply: FastifyReply): void {
  if (span === undefined || !isSpanContextValid(span.spanContext())) return
  const { problem, site, provider } = request
  span.setAttributes({
    ...(request.routeOptions.url !== undefined && { 'http.route': request.routeOptions.url }),
    'http.response.status_code': reply.statusCode,
    'auth_movies.request_id': request.id,
    ...(problem !== undefined && { 'error.type': problem }),
    ...(site !== undefined && { 'auth_movies.site': site }),
    ...(provider !== undefined && { 'auth_movies.provider': provider }),
  })
  // OpenTelemetry's conventions for HTTP: a 4xx is no error of the server.
  if (reply.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
  span.end()
}
