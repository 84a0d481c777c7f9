import '@fastify/accepts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import type { Problem } from './problem.ts'
import type { ProblemName, ProblemText } from './table.ts'
import { problemNames, problems, problemType } from './table.ts'
import type { Language } from './texts.ts'
import { problemText } from './texts.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The problem that it was answered with, for its line in the access log. */
    problem: ProblemName | undefined
  }
}

/**
 * The body of every problem (RFC 9457), in one flat shape; OAuth endpoints add `error` and `error_description`
 * (RFC 6749 §5.2).
 */
export const ProblemSchema = Type.Object(
  {
    type: Type.Unsafe<ReturnType<typeof problemType<ProblemName>>>({
      type: 'string',
      enum: problemNames.map(problemType),
      description: 'Stable, the same in every deployment: switch on it. Later versions may add values',
    }),
    title: Type.String({
      description: 'Short name of the problem, in Russian or English by Accept-Language',
    }),
    status: Type.Integer({ minimum: 400, maximum: 599, description: 'The HTTP status' }),
    detail: Type.String({
      description: 'For developers: what happened and what to do, in Russian or English',
    }),
    user_message: Type.String({
      description: 'For visitors: one plain sentence that a site may show, in Russian or English',
    }),
    docs: Type.String({ format: 'uri', description: 'A page with cause, remedy and example' }),
    request_id: Type.String({ description: 'Name it when you ask the operator' }),
    error: Type.Optional(Type.String({ description: 'OAuth error code (RFC 6749 §5.2)' })),
    error_description: Type.Optional(Type.String({ description: 'In English, ASCII (RFC 6749 §5.2)' })),
  },
  { $id: 'Problem', description: 'A failure (RFC 9457)' },
)

/** @see ProblemSchema */
export type ProblemBody = Static<typeof ProblemSchema>

/** Russian or English by Accept-Language; English where the header asks for neither. */
export function languageOf(request: FastifyRequest): Language {
  return request.accepts().languages(['en', 'ru']) === 'ru' ? 'ru' : 'en'
}

/** The names by which people know the providers, by the value of `provider`. */
export type ProviderTitles = ReadonlyMap<string, Readonly<Record<Language, string>>>

/** What every error response needs to know about the service. */
export interface ProblemSettings {
  readonly publicUrl: string
  /** Absent where no problem names a provider. */
  readonly providerTitles?: ProviderTitles
  /** The origin under which clients reach this server; absent on the management port. */
  readonly origin?: string
  /** Sends an HTML page where a person is likely to read the response; gives undefined where problem+json is to be sent. */
  readonly page?: (request: FastifyRequest, reply: FastifyReply, problem: Problem) => FastifyReply | undefined
}

/** The title of the provider that a problem names; undefined where it names none. */
function titleOf(problem: Problem, language: Language, titles?: ProviderTitles): string | undefined {
  return titles?.get(problem.options.values?.provider ?? '')?.[language]
}

/** The texts of a problem for an HTML page, in which the provider's title replaces its name everywhere. */
export function pageTexts(
  problem: Problem,
  language: Language,
  { providerTitles }: ProblemSettings,
): ProblemText {
  const title = titleOf(problem, language, providerTitles)
  const named = title === undefined ? {} : { provider: title, providerTitle: title }
  return problemText(problem.type, language, { ...problem.options.values, ...named })
}

/** Makes the body of a problem, for responses and for the documented examples. */
export function problemBody(
  problem: Problem,
  context: ProblemSettings & { language: Language; requestId: string; oauth: boolean },
): ProblemBody {
  const { type, status, options } = problem
  const providerTitle = titleOf(problem, context.language, context.providerTitles)
  const text = problemText(type, context.language, {
    ...options.values,
    ...(providerTitle !== undefined && { providerTitle }),
  })
  return {
    type: problemType(type),
    title: text.title,
    status,
    detail: text.detail,
    user_message: text.userMessage,
    docs: `${context.publicUrl}/problems/${type}`,
    request_id: context.requestId,
    ...(context.oauth && {
      error: options.error ?? problems[type].error,
      error_description: problemText(type, 'en', options.values).detail,
    }),
  }
}

/** The endpoints of standard clients alone: some of them read no error of another type than application/json. */
const plainEndpoints = /^\/api\/v1\/oauth\/(token|userinfo)\/?(\?|$)/

/** The endpoints that generic OAuth clients call. */
const standardEndpoints = /^\/api\/v1\/oauth\/(refresh|revoke|introspect)\/?(\?|$)/

/**
 * RFC 6749 §5.2 has error responses in application/json, and OAuth clients that accept only this type refuse the same
 * body under another; every other client gets the type of RFC 9457.
 */
function mediaTypeOf(request: FastifyRequest): string {
  if (plainEndpoints.test(request.url)) return 'application/json'
  const accepts = request.accepts()
  const plain = standardEndpoints.test(request.url) && accepts.type(['application/problem+json']) === false
  return plain && accepts.type(['application/json']) !== false
    ? 'application/json'
    : 'application/problem+json'
}

/** Sends a problem as application/problem+json with the headers that it brings. */
export function sendProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  problem: Problem,
  settings: ProblemSettings,
) {
  const page = settings.page?.(request, reply, problem)
  if (page !== undefined) return page
  const oauth = request.url.startsWith('/api/v1/oauth/')
  const body = problemBody(problem, {
    ...settings,
    language: languageOf(request),
    requestId: request.id,
    oauth,
  })
  return problemHeaders(reply, problem).type(mediaTypeOf(request)).send(JSON.stringify(body))
}

/** Sets the status and the headers of a problem; the caller sends the body. */
export function problemHeaders(reply: FastifyReply, problem: Problem): FastifyReply {
  const { retryAfter, headers } = problem.options
  reply.request.problem = problem.type
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
  return reply
    .code(problem.status)
    .headers({ ...headers })
    .header('cache-control', 'no-store')
}
