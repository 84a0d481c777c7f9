import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import '../problems/reply.ts'

/** The site and the provider that a request turned out to concern, for its line in the access log. */
export interface About {
  /** The id of the site, where it is known: the site authenticated, or the request has a valid login or token of it. */
  site: string | undefined
  /** The name of a configured provider; never a text of the caller. */
  provider: string | undefined
}

declare module 'fastify' {
  interface FastifyRequest extends About {}
}

/**
 * Logs one line per request, with the pattern of the route and never the URL, whose query holds state and code. Members
 * that are not known are left out.
 */
export function logRequests(app: FastifyInstance): void {
  for (const member of ['site', 'provider', 'problem'] as const) app.decorateRequest(member, undefined)
  app.addHook('onResponse', (request: FastifyRequest, reply: FastifyReply, done) => {
    const { method, problem, site, provider } = request
    request.log.info(
      {
        method,
        route: request.routeOptions.url ?? 'unknown',
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        problem,
        site,
        provider,
      },
      'answered',
    )
    done()
  })
}
