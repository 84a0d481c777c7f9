import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/** A page that may load, frame, send and run nothing. */
export const closedPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/**
 * Headers of every answer. `no-store` is the default, as most of what the service says is a credential or
 * about one (RFC 6749 §5.1); what may be cached says so itself. No CORS: sites call from their backends.
 */
export const headers = fp(async (app: FastifyInstance) => {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'x-request-id': request.id,
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    })
  })
})
