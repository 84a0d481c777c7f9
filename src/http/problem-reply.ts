import '@fastify/accepts'
import './answered-line.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Problem } from './problem.ts'
import type { ProblemBody } from './problem-schema.ts'
import type { Language } from './problem-texts.ts'
import { problemText } from './problem-texts.ts'
import { problems } from './problems.ts'

/** Russian or English by Accept-Language; English where nothing is said. */
export function languageOf(request: FastifyRequest): Language {
  return request.accepts().languages(['en', 'ru']) === 'ru' ? 'ru' : 'en'
}

/** The body of a problem as it stands in every answer and every documented example. */
export function problemBody(
  problem: Problem,
  context: { language: Language; publicUrl: string; requestId: string; oauth: boolean },
): ProblemBody {
  const { type, status, options } = problem
  const text = problemText(type, context.language, options.values)
  return {
    type: `urn:auth-movies:problem:${type}`,
    title: text.title,
    status,
    detail: text.detail,
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
  publicUrl: string,
) {
  const oauth = request.url.startsWith('/api/v1/oauth/')
  const body = problemBody(problem, {
    language: languageOf(request),
    publicUrl,
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
