import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../problems/problem.ts'

/** Bytes of request line and headers in all, however divided: browsers send all cookies of a domain in one field. */
const longestHeaders = 32_768

/** Bytes that are read, so that what is too long can still be answered by address and language. */
export const readableHeaders = 131_072

/**
 * Headers of every answer. `no-store` is the default, as most of what the service says is a credential or
 * about one (RFC 6749 §5.1); what may be cached says so itself. No CORS: sites call from their backends.
 */
export const headers = fp(async (app: FastifyInstance, { publicUrl }: { publicUrl: string }) => {
  const domain = new URL(publicUrl).hostname
  app.addHook('onRequest', async (request, reply) => {
    const bytes = sizeOf(request.raw)
    if (bytes > longestHeaders)
      throw new Problem('headers-too-large', { values: { domain }, log: { bytes: String(bytes) } })
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

/** As they were sent: a header's name and value are followed by a colon, a blank and a line end. */
function sizeOf({ url = '', rawHeaders }: IncomingMessage): number {
  return rawHeaders.reduce((sum, { length }) => sum + length + 2, url.length)
}
