import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { Deadlines } from '../config.ts'
import { withDeadline } from '../http/deadline.ts'
import type { Translate } from '../http/error-handler.ts'
import { asProblem, logProblem } from '../http/error-handler.ts'
import { closedPolicy } from '../http/headers.ts'
import { formTypes } from '../http/openapi.ts'
import { Problem } from '../http/problem.ts'
import type { ProblemSettings } from '../http/problem-reply.ts'
import { sendProblem } from '../http/problem-reply.ts'
import type { ProviderAdapter } from '../providers/provider.ts'
import { wordsForLog } from '../providers/refusal.ts'
import type { CallbackServices } from './callback.ts'
import { CallbackRefusal, callback } from './callback.ts'
import { readCallback, withoutState } from './callback-parameters.ts'
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
  readonly deadlines: Pick<Deadlines, 'callback'>
}

/** The route to which one provider sends people back; its own path, so that no provider can answer for another. */
export function callbackRoute(adapter: ProviderAdapter, options: CallbackRouteOptions): RouteOptions {
  const byForm = adapter.callbackMethod === 'POST'
  return {
    method: adapter.callbackMethod,
    url: callbackPath(adapter.name),
    // A HEAD would run the handler, and with it use the answer up.
    exposeHeadRoute: false,
    schema: { hide: true, ...(byForm && { consumes: formTypes }) },
    errorHandler(error, request, reply) {
      refuse(error, request, reply, options)
    },
    onRequest: closeResponse,
    preHandler: async (request, reply) => {
      if (!byForm && isPrefetch(request)) return await reply.code(204).send()
      return undefined
    },
    handler: async (request, reply) => {
      const { state, description, sent, ...returned } = readCallback(byForm ? request.body : request.query)
      const { error } = returned
      if (error !== undefined)
        request.log.info(
          {
            provider: adapter.name,
            error: logged(error, sent),
            ...(description !== undefined && { description: logged(description, sent) }),
          },
          'provider refused',
        )
      if (state === undefined) throw withoutState(returned, adapter.name)
      const { location, missing } = await options.follow(
        { request: 'callback', provider: adapter.name, requestId: request.id },
        (trail) =>
          withDeadline(options.deadlines.callback, () =>
            callback({ state, address: request.ip, ...returned }, adapter, options.services, trail),
          ),
        request,
      )
      if (missing !== undefined)
        request.log.warn(
          { provider: adapter.name, parameter: missing },
          'the provider sent a code without a callback parameter that the exchange needs',
        )
      return reply.code(303).header('location', location).send()
    },
  }
}

/** So many states and codes in one request: no provider sends them, and looking for each would take time. */
const tooMany = 10

/** The provider's words without any state or code that came beside them. */
function logged(words: string, sent: readonly string[]): string {
  return sent.length < tooMany ? wordsForLog(words, sent) : '[removed]'
}

/** Whatever the answer is: the address with state and code goes to nobody as a Referer, and nothing is loaded. */
async function closeResponse(_request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.headers({ 'referrer-policy': 'no-referrer', 'content-security-policy': closedPolicy })
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
  logProblem(request, problem, error)
  return wantsPage(request)
    ? sendErrorPage(request, reply, problem, options, refusal?.siteOrigin)
    : sendProblem(request, reply, problem, options)
}

const wantsPage = (request: FastifyRequest): boolean =>
  request.accepts().types(['application/problem+json', 'text/html']) === 'text/html'

/** For what never came to a route of ours, by another method or by an address that is none: a person gets a page too. */
export function callbackPage(settings: ProblemSettings): NonNullable<ProblemSettings['page']> {
  return (request, reply, problem) =>
    request.url.startsWith(callbackPath('')) && wantsPage(request)
      ? sendErrorPage(request, reply, problem, settings, undefined)
      : undefined
}

/** Answers the callback of a provider that is not there; documents the path of those that are. */
export function unknownCallbackRoute(options: CallbackRouteOptions, schema: object): RouteOptions {
  return {
    method: 'GET',
    url: callbackPath(':provider'),
    exposeHeadRoute: false,
    schema,
    // For the documents alone: whatever came, there is no such provider.
    validatorCompiler: () => () => true,
    errorHandler(error, request, reply) {
      refuse(error, request, reply, options)
    },
    onRequest: closeResponse,
    handler: async () => {
      throw new Problem('not-found')
    },
  }
}
