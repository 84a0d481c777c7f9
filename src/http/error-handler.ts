import '@fastify/swagger'
import type { FastifyError, FastifyInstance, FastifyRequest } from 'fastify'
import { Problem } from '../problems/problem.ts'
import type { ProblemSettings } from '../problems/reply.ts'
import { sendProblem } from '../problems/reply.ts'
import type { ProblemName } from '../problems/table.ts'
import { accepted } from './bodies.ts'
import { invalidParameter, missingParameter } from './invalid-parameter.ts'

/** Failures of what the service stands on, told apart by the app: http/ knows no storage. */
export type Translate = (error: unknown) => Problem | undefined

/** Fastify's own refusals that are not about a parameter. */
const fastifyErrors: Readonly<Record<string, ProblemName>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body-too-large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported-media-type',
}

/**
 * Everything that is thrown becomes a Problem here and nowhere else: a Problem as it is, a failed validation
 * by its keyword, a failing dependency by `translate`, and the rest `internal-error` with the cause in the log alone.
 */
export function handleErrors(
  app: FastifyInstance,
  options: ProblemSettings & { readonly translate: Translate },
): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = asProblem(error, request, options.translate)
    logProblem(request, problem, error)
    return sendProblem(request, reply, problem, options)
  })
}

/** A failure of ours is an error in the log; a refusal is told where its Problem has something to say to operators. */
export function logProblem(
  request: FastifyRequest,
  { type, status, options }: Problem,
  error: unknown,
): void {
  if (status >= 500) request.log.error({ err: error, problem: type }, 'request failed')
  else if (options.log) request.log.info({ ...options.log, problem: type }, 'refused')
}

/** The Problem that an error stands for. */
export function asProblem(error: unknown, request: FastifyRequest, translate: Translate): Problem {
  if (error instanceof Problem) return withHint(error, request)
  // The sender broke off: nobody will read the answer, and it is no failure of what we stand on.
  if (request.raw.errored !== null) return new Problem('malformed-request', { cause: error })
  const translated = translate(error)
  if (translated !== undefined) return translated
  if (!isFastifyError(error)) return new Problem('internal-error', { cause: error })
  if (error.validation !== undefined) return invalidParameter(error, request)
  const name = fastifyErrors[error.code]
  if (name !== undefined)
    return new Problem(name, {
      values: { limit: String(request.routeOptions.bodyLimit), accepted: accepted(request).join(', ') },
      cause: error,
    })
  const status = error.statusCode ?? 500
  return new Problem(status >= 400 && status < 500 ? 'malformed-request' : 'internal-error', { cause: error })
}

/** A use case that misses a parameter does not know what else came. */
function withHint(problem: Problem, request: FastifyRequest): Problem {
  const { parameter, where } = problem.options.values ?? {}
  if (problem.type !== 'missing-parameter' || parameter === undefined || where !== undefined) return problem
  return missingParameter(parameter, request.body, request.body !== undefined)
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
}

/**
 * Answers what no route takes: 405 with `Allow` on a known path, else 404; before the body is looked at, since an
 * address that is not there has no rules for bodies.
 */
export function handleUnknownRoutes(app: FastifyInstance, settings: ProblemSettings): void {
  const known: { pattern: RegExp; method: string; exact: boolean }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    // "/a/:b" and "/a/*", with or without the trailing slash, as the router matches them.
    const source = url
      .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
      .replace(/:\w+/g, '[^/]+')
      .replace(/\*$/, '.*')
      .replace(/\/$/, '')
    const pattern = new RegExp(`^${source}/?$`)
    const exact = !/[:*]/.test(url)
    for (const one of [method].flat()) known.push({ pattern, method: one, exact })
  })
  const refusal = (request: FastifyRequest): Problem => {
    const path = request.url.split('?', 1)[0] ?? ''
    const matching = known.filter(({ pattern }) => pattern.test(path))
    // "/sites/apply/" is an address of its own, though "/sites/:id/" matches it.
    const own = matching.some(({ exact }) => exact) ? matching.filter(({ exact }) => exact) : matching
    const allowed = [...new Set(own.map(({ method }) => method))]
    // A route that takes the method has looked itself and found nothing: a file of the reference that is not there.
    if (allowed.length === 0 || allowed.includes(request.method)) return new Problem('not-found')
    return new Problem('method-not-allowed', {
      values: {
        method: request.method,
        allowed: allowed.join(', '),
        ...(settings.origin !== undefined && { address: settings.origin + path }),
      },
      headers: { allow: allowed.join(', ') },
    })
  }
  app.addHook('preParsing', async (request) => {
    if (request.is404) throw refusal(request)
  })
  app.setNotFoundHandler((request, reply) => sendProblem(request, reply, refusal(request), settings))
}
