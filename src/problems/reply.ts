import '@fastify/accepts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Problem } from './problem.ts'
import type { ProblemBody } from './schema.ts'
import { problemType } from './schema.ts'
import type { ProblemName, ProblemText } from './table.ts'
import { problems } from './table.ts'
import type { Language } from './texts.ts'
import { problemText } from './texts.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** How it was refused; for the line that is logged of it. */
    problem: ProblemName | undefined
  }
}

/** Russian or English by Accept-Language; English where nothing is said. */
export function languageOf(request: FastifyRequest): Language {
  return request.accepts().languages(['en', 'ru']) === 'ru' ? 'ru' : 'en'
}

/** The names of providers as people know them, by the value of `provider`. */
export type ProviderTitles = ReadonlyMap<string, Readonly<Record<Language, string>>>

/** What every answer to a failure needs of the service that gives it. */
export interface ProblemSettings {
  readonly publicUrl: string
  /** Absent where no problem names a provider. */
  readonly providerTitles?: ProviderTitles
  /** Where this server is reached from outside; absent on the management port. */
  readonly origin?: string
  /** A page in place of problem+json, at the addresses where a person looks; undefined: problem+json. */
  readonly page?: (request: FastifyRequest, reply: FastifyReply, problem: Problem) => FastifyReply | undefined
}

/** The provider that a problem speaks of, as people know it; undefined where it speaks of none. */
function titleOf(problem: Problem, language: Language, titles?: ProviderTitles): string | undefined {
  return titles?.get(problem.options.values?.provider ?? '')?.[language]
}

/** The texts of a problem for a page, which people read: the provider has its title in all of them. */
export function pageTexts(
  problem: Problem,
  language: Language,
  { providerTitles }: ProblemSettings,
): ProblemText {
  const title = titleOf(problem, language, providerTitles)
  const named = title === undefined ? {} : { provider: title, providerTitle: title }
  return problemText(problem.type, language, { ...problem.options.values, ...named })
}

/** The body of a problem as it stands in every answer and every documented example. */
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

/** Where standard OAuth clients come by themselves. */
const standardEndpoints = /^\/api\/v1\/oauth\/(refresh|revoke|introspect)\/?(\?|$)/

/**
 * RFC 6749 §5.2 answers in application/json, and OAuth clients that ask for it alone refuse any other name of
 * the same body; everybody else gets RFC 9457's.
 */
function mediaTypeOf(request: FastifyRequest): string {
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

/** Status and headers alone, for an answer whose body is a page. */
export function problemHeaders(reply: FastifyReply, problem: Problem): FastifyReply {
  const { retryAfter, headers } = problem.options
  reply.request.problem = problem.type
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
  return reply
    .code(problem.status)
    .headers({ ...headers })
    .header('cache-control', 'no-store')
}
