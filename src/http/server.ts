import { randomUUID } from 'node:crypto'
import accepts from '@fastify/accepts'
import { SerializerSelector } from '@fastify/fast-json-stringify-compiler'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import fastify, { LogController } from 'fastify'
import type { ProblemSettings } from '../problems/reply.ts'
import { logRequests } from './access-log.ts'
import { bodies, bodyLimit, readQuery } from './bodies.ts'
import type { TrustedProxies } from './client-ip.ts'
import { clientIpReader } from './client-ip.ts'
import { endConnections } from './connections.ts'
import type { Translate } from './error-handler.ts'
import { handleErrors, handleUnknownRoutes } from './error-handler.ts'
import { headers, readableHeaders } from './headers.ts'
import { clientErrorHandler, expectationHandler } from './raw-errors.ts'

/** A Fastify instance whose route schemas give the handlers their types. */
export type Server = Awaited<ReturnType<typeof createServer>>

/** What the process gives to each of its two servers. */
export interface ServerResources {
  readonly log: FastifyBaseLogger
  readonly translate: Translate
  /** How error responses are made on the public port. */
  readonly problems?: Omit<ProblemSettings, 'publicUrl'>
  /** Aborted at the beginning of a stop: from then on every response closes its connection. */
  readonly stopping?: AbortSignal
  /** Milliseconds that the closed port waits for requests on its open connections; 0 where not given. */
  readonly lastRequests?: number
}

const ignoredForwardedFor =
  'X-Forwarded-For came from an address that TRUST_PROXY does not name, and is ignored: behind a proxy all people share its address, and with it the limits of one.'

/** The part of the configuration that a server needs. */
export interface ServerSettings {
  readonly publicUrl: string
  readonly trustProxy: TrustedProxies
}

/**
 * Makes a server with everything that the public and the management server have in common: limits, time-outs, request
 * ids, log lines without a query, and one way to respond to errors.
 */
export async function createServer(
  config: ServerSettings,
  { log, translate, problems, ...stop }: ServerResources,
) {
  const { publicUrl } = config
  const settings = { publicUrl, ...problems }
  const clientIp = clientIpReader(config.trustProxy, () => {
    // The management port trusts nobody, whatever stands before it.
    if (problems !== undefined) log.warn(ignoredForwardedFor)
  })
  const app = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    bodyLimit,
    // A slow client gets 408 and is disconnected. Idle connections live longer than a balancer's, usually 60 s.
    requestTimeout: 15_000,
    connectionTimeout: 30_000,
    keepAliveTimeout: 75_000,
    // Without connectionsCheckingInterval Node would enforce these limits only every 30 s.
    http: {
      maxHeaderSize: readableHeaders,
      headersTimeout: 10_000,
      connectionsCheckingInterval: 1_000,
      requireHostHeader: false,
    },
    schemaController: { compilersFactory: { buildSerializer } },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    genReqId: (request) => requestId(request.headers['x-request-id']),
    // Strict: input that does not fit its schema is refused, never converted (RFC 6749 §3.1).
    ajv: {
      customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: false },
    },
    // Allow parameters as long as the URL limit; otherwise the router's own 404 would reveal which routes exist.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 32_768, querystringParser: readQuery },
    clientErrorHandler: clientErrorHandler(publicUrl, log),
    rewriteUrl: ({ url = '/' }) => decodable(url),
  }).withTypeProvider<TypeBoxTypeProvider>()
  // Replaces Fastify's own, which accepts any text in X-Forwarded-For as an IP address.
  app.decorateRequest('ip', {
    getter(this: FastifyRequest) {
      return clientIp(this.raw.socket.remoteAddress, this.headers['x-forwarded-for'])
    },
  })
  app.server.on('checkExpectation', expectationHandler(publicUrl))
  endConnections(app, stop)
  app.decorate('translate', translate)
  handleErrors(app, settings)
  handleUnknownRoutes(app, settings)
  logRequests(app)
  await app.register(accepts)
  await app.register(headers, { publicUrl })
  await app.register(bodies)
  return app
}

/** In a path that cannot be decoded each percent sign is taken literally, so that it is a 404; the query stays unchanged. */
function decodable(url: string): string {
  const [path = ''] = url.split('?', 1)
  try {
    decodeURIComponent(path)
    return url
  } catch {
    return path.replaceAll('%', '%25') + url.slice(path.length)
  }
}

const build = SerializerSelector()

/** Fastify's own, except for problems: they are sent pre-serialized, so no serializer is compiled for them. */
const buildSerializer: typeof build = (schemas, options) => {
  const compile = build(schemas, options)
  // Fastify also passes the media type; the package's type lacks it.
  return (route: Parameters<typeof compile>[0] & { readonly contentType?: string }) =>
    route.contentType === 'application/problem+json' ? JSON.stringify : compile(route)
}

/** Keeps the id that the caller sent where it is harmless in a header and a log line; otherwise makes a new one. */
function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[\w-]{1,64}$/.test(given) ? given : randomUUID()
}
