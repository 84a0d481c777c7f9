import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import '../problems/reply.ts'

/** What a request turned out to be about, beyond its route: for the line that is logged of it. */
export interface About {
  /** The id of the site that it concerns, where that is known: proved, or by a login or token of ours. */
  site: string | undefined
  /** One of our providers' names; never what a caller wrote. */
  provider: string | undefined
}

declare module 'fastify' {
  interface FastifyRequest extends About {}
}

/**
 * One line a request: the route's pattern, never the URL (its query holds state and code). What is not known is left
 * out of the line.
 */
export function logAnswers(app: FastifyInstance): void {
  for (const member of ['site', 'provider', 'problem'] as const) app.decorateRequest(member, undefined)
  app.addHook('onResponse', async (request: FastifyRequest, reply: FastifyReply) => {
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
  })
}
