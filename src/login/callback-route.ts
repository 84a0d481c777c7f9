import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { Type } from 'typebox'
import { deadlines } from '../config.ts'
import { withDeadline } from '../http/deadline.ts'
import type { Translate } from '../http/error-handler.ts'
import { asProblem } from '../http/error-handler.ts'
import { closedPolicy } from '../http/headers.ts'
import { formTypes } from '../http/openapi.ts'
import { Problem } from '../http/problem.ts'
import type { ProblemSettings } from '../http/problem-reply.ts'
import { sendProblem } from '../http/problem-reply.ts'
import type { ProviderAdapter } from '../providers/provider.ts'
import type { CallbackServices } from './callback.ts'
import { CallbackRefusal, callback } from './callback.ts'
import { sendErrorPage } from './error-page.ts'
import type { FollowRequest } from './follow-request.ts'

/** Where a provider sends people back; what is registered there is PUBLIC_URL and this. */
export function callbackPath(provider: string): string {
  return `/api/v1/oauth/callback/${provider}`
}

/** What the callback's routes need besides the use case's own services. */
export interface CallbackRouteOptions extends ProblemSettings {
  readonly services: CallbackServices
  readonly follow: FollowRequest
  readonly translate: Translate
}

/** Our own parameters; a provider may add whatever it likes (Google sends five more). */
export const callbackParameters = Type.Object({
  state: Type.String({ minLength: 1, maxLength: 512 }),
  code: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  error: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  error_description: Type.Optional(Type.String({ maxLength: 4096 })),
  iss: Type.Optional(Type.String({ maxLength: 512 })),
})

/** The route to which one provider sends people back; its own path, so that no provider can answer for another. */
export function callbackRoute(adapter: ProviderAdapter, options: CallbackRouteOptions): RouteOptions {
  const byForm = adapter.callbackMethod === 'POST'
  const kept = Object.fromEntries(
    adapter.keeps.map((name) => [name, Type.Optional(Type.String({ maxLength: 4096 }))]),
  )
  const parameters = Type.Object({ ...callbackParameters.properties, ...kept })
  return {
    method: adapter.callbackMethod,
    url: callbackPath(adapter.name),
    // A HEAD would run the handler, and with it use the answer up.
    exposeHeadRoute: false,
    schema: {
      hide: true,
      ...(byForm ? { body: parameters, consumes: formTypes } : { querystring: parameters }),
    },
    errorHandler(error, request, reply) {
      refuse(error, request, reply, options)
    },
    onRequest: closeResponse,
    preHandler: async (request, reply) => {
      if (!byForm && isPrefetch(request)) return await reply.code(204).send()
      return undefined
    },
    handler: async (request, reply) => {
      const returned = callbackRequest(byForm ? request.body : request.query)
      const location = await options.follow(
        { request: 'callback', provider: adapter.name, requestId: request.id },
        (trail) =>
          withDeadline(deadlines.callback, () => callback(returned, adapter, options.services, trail)),
      )
      const { error, error_description: description } = returned.parameters
      if (error !== undefined)
        request.log.info(
          { provider: adapter.name, error, description: description?.slice(0, 200) },
          'provider refused',
        )
      return reply.code(303).header('location', location).send()
    },
  }
}

/** Whatever the answer is: the address with state and code goes to nobody as a Referer, and nothing is loaded. */
async function closeResponse(_request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.headers({ 'referrer-policy': 'no-referrer', 'content-security-policy': closedPolicy })
}

/** Repeated parameters are refused by the schema or unknown to us: what is left are strings. */
function callbackRequest(sent: unknown) {
  const entries = Object.entries(sent ?? {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  )
  const parameters: Readonly<Record<string, string | undefined>> = Object.fromEntries(entries)
  const { state = '', code, error, iss } = parameters
  return {
    state,
    parameters,
    ...(code !== undefined && { code }),
    ...(error !== undefined && { error }),
    ...(iss !== undefined && { iss }),
  }
}

/** A browser or mail scanner that looks ahead is not the person. */
function isPrefetch({ headers }: FastifyRequest): boolean {
  return ['sec-purpose', 'purpose', 'x-moz'].some((name) =>
    /prefetch|prerender|preview/i.test(String(headers[name] ?? '')),
  )
}

/** A person gets a page, a program problem+json; neither is ever redirected. */
function refuse(error: unknown, request: FastifyRequest, reply: FastifyReply, options: CallbackRouteOptions) {
  const refusal = error instanceof CallbackRefusal ? error : undefined
  const problem = refusal?.problem ?? asProblem(error, request, options.translate)
  if (problem.status >= 500) request.log.error({ err: error, problem: problem.type }, 'callback failed')
  if (request.accepts().types(['application/problem+json', 'text/html']) !== 'text/html')
    return sendProblem(request, reply, problem, options)
  return sendErrorPage(request, reply, problem, options, refusal?.siteOrigin)
}

/** Answers the callback of a provider that is not there; documents the path of those that are. */
export function unknownCallbackRoute(options: CallbackRouteOptions, schema: object): RouteOptions {
  return {
    method: 'GET',
    url: callbackPath(':provider'),
    exposeHeadRoute: false,
    schema,
    errorHandler(error, request, reply) {
      refuse(error, request, reply, options)
    },
    onRequest: closeResponse,
    handler: async () => {
      throw new Problem('not-found')
    },
  }
}
