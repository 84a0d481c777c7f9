import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Deadlines } from '../deadlines.ts'
import { asProblem, logProblem } from '../http/error-handler.ts'
import type { Metrics } from '../http/metrics.ts'
import { formTypes } from '../http/openapi.ts'
import { withDeadline } from '../http/running-work.ts'
import { sendErrorPage } from '../login/error-page.ts'
import { sendAnswer } from '../login/send-answer.ts'
import type { LoginWishes, StartServices } from '../login/start.ts'
import { begin } from '../login/start.ts'
import type { TrackRequest } from '../login-history/progress.ts'
import type { ProblemSettings } from '../problems/reply.ts'
import { sendProblem } from '../problems/reply.ts'
import type { RegisteredProvider } from '../providers/registry.ts'
import type { Client } from './authorize.ts'
import { chosenProvider, errorAnswer, findClient, providersOf, readRequest } from './authorize.ts'
import { sendChooserPage } from './chooser-page.ts'
import type { RequestParameters } from './parameters.ts'
import { readParameters } from './parameters.ts'
import { openidPaths } from './paths.ts'

/** What the authorization endpoint needs. */
export interface AuthorizationRouteOptions {
  readonly services: StartServices & { readonly deadlines: Pick<Deadlines, 'start'> }
  readonly problems: ProblemSettings
  readonly track: TrackRequest
  readonly metrics: Pick<Metrics, 'loginsStarted'>
}

/**
 * The authorization endpoint (RFC 6749 §3.1, OpenID Connect Core §3.1.2), by GET and by POST. A browser comes here, so it is
 * described by discovery and the guide rather than in the OpenAPI document.
 */
export function authorizationRoute(app: FastifyInstance, options: AuthorizationRouteOptions): void {
  const { problems } = options
  const common = {
    url: openidPaths.authorization,
    // A HEAD would begin a login.
    exposeHeadRoute: false,
    errorHandler(error: unknown, request: FastifyRequest, reply: FastifyReply) {
      sendFailure(error, request, reply, problems)
    },
  }
  app.route({
    ...common,
    method: 'GET',
    schema: { hide: true },
    handler: (request, reply) => answer(readParameters(request.query), request, reply, options),
  })
  app.route({
    ...common,
    method: 'POST',
    schema: { hide: true, consumes: formTypes },
    handler: (request, reply) => answer(readParameters(request.body), request, reply, options),
  })
}

/** On to the provider, or back to the site with an error, or a page. */
async function answer(
  parameters: RequestParameters,
  request: FastifyRequest,
  reply: FastifyReply,
  options: AuthorizationRouteOptions,
): Promise<FastifyReply> {
  const { services, problems } = options
  const client = await withDeadline(services.deadlines.start, () =>
    findClient(parameters, request.ip, services),
  )
  request.site = client.site.id
  reply.header('referrer-policy', 'no-referrer')
  try {
    const { site, redirectUrl } = client
    const provider = chosenProvider(parameters, site, services.providers)
    if (provider === undefined) {
      readRequest(parameters, client, undefined)
      const choice = { site, redirectUrl, parameters, providers: providersOf(site, services.providers) }
      return sendChooserPage(request, reply, choice)
    }
    return reply
      .code(303)
      .header('location', await beginLogin(parameters, client, provider, request, options))
      .send()
  } catch (error) {
    const problem = asProblem(error, request)
    logProblem(request, problem, error)
    request.problem = problem.type
    return sendAnswer(request, reply, errorAnswer(problem, client, problems.publicUrl))
  }
}

/** Bytes of state and nonce; those of usual clients have a few dozen. */
const usualLength = 1_024

/** Whether the record of the login is far larger than others. */
function isLong({ openid }: LoginWishes): boolean {
  return Buffer.byteLength(`${openid?.state ?? ''}${openid?.nonce ?? ''}`) > usualLength
}

/** @returns where the provider asks the person */
async function beginLogin(
  parameters: RequestParameters,
  client: Client,
  provider: RegisteredProvider,
  request: FastifyRequest,
  { services, track, metrics }: AuthorizationRouteOptions,
): Promise<string> {
  const { name } = provider.adapter
  const started = await track(
    { request: 'start', provider: name, requestId: request.id },
    async (progress) => {
      const { site } = client
      progress.concerns(site)
      const wishes = readRequest(parameters, client, provider)
      const counted = { by: 'address', address: request.ip } as const
      return await withDeadline(services.deadlines.start, async () => {
        if (isLong(wishes)) await services.limits.longStart(request.ip)
        return await begin(wishes, { site, provider, counted }, services, progress)
      })
    },
    request,
  )
  metrics.loginsStarted.inc({ provider: name })
  return started.authorizeUrl
}

/** A person gets a page; only a program that asks for nothing else gets problem+json. */
export function sendFailure(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  settings: ProblemSettings,
): FastifyReply {
  const problem = asProblem(error, request)
  logProblem(request, problem, error)
  const wantsPage = request.accepts().types(['text/html', 'application/problem+json']) === 'text/html'
  return wantsPage
    ? sendErrorPage(request, reply, problem, settings, undefined)
    : sendProblem(request, reply, problem, settings)
}
