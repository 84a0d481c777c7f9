import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from './problem.ts'

/** A page that may load, frame, send and run nothing. */
export const closedPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Bytes of one header field; all together may have 32 kB (server.ts), which cookies of a whole domain add up to. */
const longestField = 16_384

/**
 * Headers of every answer. `no-store` is the default, as most of what the service says is a credential or
 * about one (RFC 6749 §5.1); what may be cached says so itself. No CORS: sites call from their backends.
 */
export const headers = fp(async (app: FastifyInstance) => {
  app.addHook('onRequest', async (request, reply) => {
    if (request.raw.rawHeaders.some(({ length }) => length > longestField))
      throw new Problem('headers-too-large')
    // RFC 9112 §3.2; Node's own refusal would be a bare status.
    if (request.raw.httpVersion === '1.1' && request.headers.host === undefined)
      throw new Problem('malformed-request')
    reply.headers({
      'x-request-id': request.id,
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    })
  })
})
