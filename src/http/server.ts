import { randomUUID } from 'node:crypto'
import accepts from '@fastify/accepts'
import { SerializerSelector } from '@fastify/fast-json-stringify-compiler'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import fastify, { LogController } from 'fastify'
import type { Config } from '../config.ts'
import { logAnswers } from './answered-line.ts'
import { bodies } from './bodies.ts'
import { clientIpReader } from './client-ip.ts'
import { endConnections } from './connections.ts'
import type { Translate } from './error-handler.ts'
import { handleErrors, handleUnknownRoutes } from './error-handler.ts'
import { bodyLimit, readQuery } from './forms.ts'
import { headers, readableHeaders } from './headers.ts'
import type { ProblemSettings } from './problem-reply.ts'
import { answerClientError, answerExpectation } from './raw-errors.ts'

/** A Fastify instance whose route schemas give the handlers their types. */
export type Server = Awaited<ReturnType<typeof createServer>>

/** What the process gives both of its servers. */
export interface ServerResources {
  readonly log: FastifyBaseLogger
  readonly translate: Translate
  /** What failures are told with on the public port. */
  readonly problems?: Omit<ProblemSettings, 'publicUrl'>
  /** Aborted at the beginning of a stop: from then on every answer is the last one on its connection. */
  readonly stopping?: AbortSignal
  /** Milliseconds that the closed port waits for a request on the connections that it has; none where not given. */
  readonly lastRequests?: number
}

const ignoredForwardedFor =
  'X-Forwarded-For came from an address that TRUST_PROXY does not name, and is ignored: behind a proxy all people share its address, and with it the limits of one.'

/**
 * What the public and the management server have in common: limits, time-outs, request ids, log lines without
 * a query, and one answer to every failure.
 */
export async function createServer(config: Config, { log, translate, problems, ...stop }: ServerResources) {
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
    // A slow client gets 408 and loses its socket; our own idle connections outlive a balancer's (60 s as a rule).
    requestTimeout: 15_000,
    connectionTimeout: 30_000,
    keepAliveTimeout: 75_000,
    // Without connectionsCheckingInterval the limits above would be looked at only every 30 s.
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
    // Strict: what an OAuth endpoint does not understand is refused, never mended (RFC 6749 §3.1).
    ajv: {
      customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: false },
    },
    // As long as any address may be: a refusal by the router would tell strangers which addresses there are.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 32_768, querystringParser: readQuery },
    clientErrorHandler: answerClientError(publicUrl, log),
    rewriteUrl: ({ url = '/' }) => decodable(url),
  }).withTypeProvider<TypeBoxTypeProvider>()
  // In place of Fastify's, which takes any text in X-Forwarded-For for an address.
  app.decorateRequest('ip', {
    getter(this: FastifyRequest) {
      return clientIp(this.raw.socket.remoteAddress, this.headers['x-forwarded-for'])
    },
  })
  app.server.on('checkExpectation', answerExpectation(publicUrl))
  endConnections(app, stop)
  handleErrors(app, { ...settings, translate })
  handleUnknownRoutes(app, settings)
  logAnswers(app)
  await app.register(accepts)
  await app.register(headers, { publicUrl })
  await app.register(bodies)
  return app
}

/** A path that cannot be decoded names nothing, so its percent signs are taken as they stand; the query keeps its own. */
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

/** Fastify's own, but for problems: those are sent as text, and a serializer a route and status would wait in vain. */
const buildSerializer: typeof build = (schemas, options) => {
  const compile = build(schemas, options)
  // Fastify hands the media type over as well; the package's own type leaves it out.
  return (route: Parameters<typeof compile>[0] & { readonly contentType?: string }) =>
    route.contentType === 'application/problem+json' ? JSON.stringify : compile(route)
}

/** A caller's own id is kept where it is harmless in a header and a log line; else it gets a new one. */
function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[\w-]{1,64}$/.test(given) ? given : randomUUID()
}
