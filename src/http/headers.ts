import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../problems/problem.ts'

/** The most bytes that request line and headers may have together: browsers send all cookies of a domain in one header. */
const maxHeaderBytes = 32_768

/** Bytes that Node reads, so that the error response to longer headers still knows path and language. */
export const readableHeaders = 131_072

/**
 * Checks the headers of every request and sets those of every response. `no-store` is the default, as most responses hold
 * a credential or belong to one (RFC 6749 §5.1); a route whose response may be cached says so itself. CORS is only for the
 * endpoints of clients that run in a browser (openid/cors.ts): all other sites call from their backends.
 */
export const headers = fp(async (app: FastifyInstance, { publicUrl }: { publicUrl: string }) => {
  const domain = new URL(publicUrl).hostname
  app.addHook('onRequest', (request, reply, done) => {
    const bytes = sizeOf(request.raw)
    if (bytes > maxHeaderBytes)
      throw new Problem('headers-too-large', { values: { domain }, log: { bytes: String(bytes) } })
    // RFC 9112 §3.2. Node's own response would be a bare status.
    if (request.raw.httpVersion === '1.1' && request.headers.host === undefined)
      throw new Problem('malformed-request')
    reply.headers({
      'x-request-id': request.id,
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    })
    done()
  })
})

/** The bytes as sent: two more after each name (colon and blank) and after each value (line end). */
function sizeOf({ url = '', rawHeaders }: IncomingMessage): number {
  return rawHeaders.reduce((sum, { length }) => sum + length + 2, url.length)
}
