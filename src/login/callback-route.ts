import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { Type } from 'typebox'
import type { Deadlines } from '../deadlines.ts'
import { asProblem, logProblem } from '../http/error-handler.ts'
import { formTypes } from '../http/openapi.ts'
import { withDeadline } from '../http/running-work.ts'
import type { TrackRequest } from '../login-history/progress.ts'
import { closedPolicy } from '../problems/html-page.ts'
import { Problem } from '../problems/problem.ts'
import type { ProblemSettings } from '../problems/reply.ts'
import { sendProblem } from '../problems/reply.ts'
import type { ProviderAdapter } from '../providers/provider.ts'
import { wordsForLog } from '../providers/response.ts'
import type { CallbackRequest, CallbackServices } from './callback.ts'
import { CallbackFailure, callback } from './callback.ts'
import { sendErrorPage } from './error-page.ts'
import { sendAnswer } from './send-answer.ts'

/** The path to which a provider sends the browser back. PUBLIC_URL and this path are registered at the provider. */
export function callbackPath(provider: string): string {
  return `/api/v1/oauth/callback/${provider}`
}

/** What the routes of the callback need besides the services of the use case. */
export interface CallbackRouteOptions extends ProblemSettings {
  readonly services: CallbackServices
  readonly track: TrackRequest
  readonly deadlines: Pick<Deadlines, 'callback'>
}

/** The route to which one provider sends the browser back. Each has its own path, so that none can answer for another. */
export function callbackRoute(adapter: ProviderAdapter, options: CallbackRouteOptions): RouteOptions {
  const byForm = adapter.callbackMethod === 'POST'
  return {
    method: adapter.callbackMethod,
    url: callbackPath(adapter.name),
    // A HEAD would run the handler and so record the response.
    exposeHeadRoute: false,
    schema: { hide: true, ...(byForm && { consumes: formTypes }) },
    errorHandler(error, request, reply) {
      sendFailure(error, request, reply, options)
    },
    onRequest: addHeaders,
    preHandler: async (request, reply) => {
      if (!byForm && isPrefetch(request)) return await reply.code(204).send()
      return undefined
    },
    handler: async (request, reply) => {
      const { state, description, sent, ...parameters } = readCallback(byForm ? request.body : request.query)
      const { error } = parameters
      const hidden = [...sent, ...ownParameters(parameters, adapter)]
      if (error !== undefined)
        request.log.info(
          {
            provider: adapter.name,
            error: logged(error, hidden),
            ...(description !== undefined && { description: logged(description, hidden) }),
          },
          'provider refused',
        )
      const denied = error !== undefined && adapter.denials.includes(error)
      const returned = denied ? { ...parameters, error: 'access_denied' } : parameters
      if (state === undefined) throw withoutState(returned, adapter.name)
      const { answer, missing, dropped } = await options.track(
        { request: 'callback', provider: adapter.name, requestId: request.id },
        (progress) =>
          withDeadline(options.deadlines.callback, () =>
            callback(
              { state, ip: request.ip, ...returned },
              adapter,
              options.services,
              progress,
              options.publicUrl,
            ),
          ),
        request,
      )
      if (missing !== undefined)
        request.log.warn(
          { provider: adapter.name, parameter: missing },
          'the provider sent a code without a callback parameter that the exchange needs',
        )
      if (dropped !== undefined)
        request.log.warn(
          { provider: adapter.name, parameter: dropped },
          'a callback parameter cannot be used and was left out',
        )
      return sendAnswer(request, reply, answer)
    },
  }
}

/** The values of the parameters that only this provider's exchange needs: the log treats them as secrets. */
function ownParameters(
  { parameters }: Pick<CallbackParameters, 'parameters'>,
  { callbackParameters }: ProviderAdapter,
): string[] {
  return Object.keys(callbackParameters).flatMap((name) => parameters[name] ?? [])
}

/** No provider sends so many states and codes in one request, and looking for each in the log text would take time. */
const tooManySent = 10

/** The provider's words for the log, without any state, code or own parameter of the same request. */
function logged(words: string, sent: readonly string[]): string {
  return sent.length < tooManySent ? wordsForLog(words, sent) : '[removed]'
}

/** Headers of every response: the URL with state and code is never sent as a Referer, and the page loads nothing. */
async function addHeaders(_request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.headers({ 'referrer-policy': 'no-referrer', 'content-security-policy': closedPolicy })
}

/** A browser or a mail scanner that fetches a link in advance is not the person. */
function isPrefetch({ headers }: FastifyRequest): boolean {
  return ['sec-purpose', 'purpose', 'x-moz'].some((name) =>
    /prefetch|prerender|preview/i.test(String(headers[name] ?? '')),
  )
}

/** A person gets a page, a program problem+json; neither is ever redirected. */
function sendFailure(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  options: CallbackRouteOptions,
) {
  const failure = error instanceof CallbackFailure ? error : undefined
  const problem = failure ?? asProblem(error, request)
  logProblem(request, problem, error)
  return wantsPage(request)
    ? sendErrorPage(request, reply, problem, options, failure?.siteOrigin)
    : sendProblem(request, reply, problem, options)
}

const wantsPage = (request: FastifyRequest): boolean =>
  request.accepts().types(['application/problem+json', 'text/html']) === 'text/html'

/** The page for a request that reached no route of the callback, by another method or at an unknown path below it. */
export function callbackPage(settings: ProblemSettings): NonNullable<ProblemSettings['page']> {
  return (request, reply, problem) =>
    request.url.startsWith(callbackPath('')) && wantsPage(request)
      ? sendErrorPage(request, reply, problem, settings, undefined)
      : undefined
}

/**
 * Answers the callback of a provider that is not configured, and documents the path for those that are. Those have routes
 * of their own, whose paths are what logs and metrics name.
 */
export function unknownCallbackRoute(options: CallbackRouteOptions, schema: object): RouteOptions {
  return {
    method: 'GET',
    url: callbackPath(':provider'),
    exposeHeadRoute: false,
    schema,
    // The schema is for the OpenAPI document alone: whatever came, there is no such provider.
    validatorCompiler: () => () => true,
    errorHandler(error, request, reply) {
      sendFailure(error, request, reply, options)
    },
    onRequest: addHeaders,
    handler: async () => {
      throw new Problem('not-found')
    },
  }
}

/** Characters of a `code`, at most. */
const maxCodeLength = 4096

/** The parameters of RFC 6749 and RFC 9207, for the OpenAPI document; a provider may add others (Google sends five more). */
export const CallbackQuery = Type.Object({
  state: Type.String({ minLength: 1, maxLength: 512 }),
  code: Type.Optional(Type.String({ minLength: 1, maxLength: maxCodeLength })),
  error: Type.Optional(Type.String({ minLength: 1 })),
  error_description: Type.Optional(Type.String()),
  iss: Type.Optional(Type.String({ maxLength: 512 })),
})

/** What came to the callback. Without a single state, no login is known. */
type CallbackParameters = Omit<CallbackRequest, 'state' | 'ip'> & {
  readonly state: string | undefined
  /** The provider's `error_description`, for the log alone. */
  readonly description?: string
  /** Every state and code that came, repeated ones too: none of them may be logged. */
  readonly sent: readonly string[]
}

/**
 * Reads what the provider sent (RFC 6749 §4.1.2). No schema rejects it: a person brings it, and wherever the login is
 * known the person must get back to the site. An empty parameter counts as omitted (§3.1). A contradiction becomes
 * `fault`: it is no authorization response, but its login may still be found.
 * @param sent the query or the form body: texts, and lists of them where a name came more than once
 */
function readCallback(sent: unknown): CallbackParameters {
  const entries: [string, unknown][] = Object.entries(Object(sent))
  const texts = new Map(
    entries.map(([name, value]) => [
      name,
      // JSON and multipart can bring what is no Unicode: it becomes U+FFFD too, which no code may have (faultOf).
      [value].flat().flatMap((one) => (typeof one === 'string' ? [one.toWellFormed()] : [])),
    ]),
  )
  const all = (name: string): readonly string[] => texts.get(name)?.filter((value) => value !== '') ?? []
  const single = (name: string): string | undefined => {
    const [value, ...more] = all(name)
    return more.length === 0 ? value : undefined
  }
  const errors = new Set(all('error'))
  const [error] = errors
  const [description] = all('error_description')
  const code = single('code')
  const fault = faultOf(all, error)
  return {
    state: single('state'),
    // The exchange may need one of them; one that came twice counts as omitted.
    parameters: Object.fromEntries([...texts.keys()].map((name) => [name, single(name)])),
    ...(code !== undefined && { code }),
    // Several errors that differ are a failure of the provider, whatever they say.
    ...(error !== undefined && { error: errors.size === 1 ? error : 'server_error' }),
    // Several issuers are joined, so that they equal no issuer; neither does an empty one (RFC 9207 §2.4).
    ...(texts.has('iss') && { iss: texts.get('iss')?.join(' ') ?? '' }),
    ...(description !== undefined && { description }),
    sent: [...all('state'), ...all('code')],
    ...(fault !== undefined && { fault }),
  }
}

/** An authorization response is one code or an error, never both and never neither. */
function faultOf(all: (name: string) => readonly string[], error: string | undefined): Problem | undefined {
  const parameter = ['state', 'code'].find((name) => all(name).length > 1)
  if (parameter !== undefined) return new Problem('repeated-parameter', { values: { parameter } })
  const [code] = all('code')
  if (code !== undefined && error !== undefined)
    return new Problem('invalid-parameter', { values: { parameter: 'error', rule: 'beside-code' } })
  if (code !== undefined && code.length > maxCodeLength)
    return new Problem('invalid-parameter', { values: { parameter: 'code', rule: 'too-long' } })
  // The bytes were not UTF-8 (readQuery): such a code could not be passed on unchanged, and is not one (RFC 6749 A.11).
  if (code?.includes('\ufffd'))
    return new Problem('invalid-parameter', { values: { parameter: 'code', rule: 'format' } })
  if (code === undefined && error === undefined)
    return new Problem('missing-parameter', { values: { parameter: 'code', where: 'callback' } })
  return undefined
}

/**
 * The problem of a callback without a state, for which no login and no site is known: the provider's error if it sent
 * one, otherwise which parameter is missing.
 * @param provider its name, for the texts
 */
function withoutState(
  { error, fault }: Pick<CallbackParameters, 'error' | 'fault'>,
  provider: string,
): Problem {
  if (error === undefined && fault?.type === 'repeated-parameter') return fault
  if (error === undefined)
    return new Problem('missing-parameter', { values: { parameter: 'state', where: 'callback' } })
  const values = { provider }
  return new Problem(error === 'access_denied' ? 'access-denied' : 'provider-declined', { values })
}
