import '@fastify/swagger'
import type { FastifyError, FastifyInstance, FastifyRequest } from 'fastify'
import { Problem } from '../problems/problem.ts'
import type { ProblemSettings } from '../problems/reply.ts'
import { sendProblem } from '../problems/reply.ts'
import type { ProblemName } from '../problems/table.ts'
import { accepted } from './bodies.ts'
import { invalidParameter, missingParameter } from './invalid-parameter.ts'

/** Gives the Problem of an error of storage; undefined for every other error. The app provides it, as http/ knows no storage. */
export type Translate = (error: unknown) => Problem | undefined

declare module 'fastify' {
  interface FastifyInstance {
    /** How this server translates errors of storage. */
    translate: Translate
  }
}

/** Fastify's own errors that are not about a parameter. */
const fastifyErrors: Readonly<Record<string, ProblemName>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body-too-large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported-media-type',
}

/**
 * Turns every error into a Problem, here and nowhere else: a Problem stays as it is, a failed validation is translated by
 * its keyword, a failed dependency by `translate`, and everything else is `internal-error`, whose cause is only logged.
 * @param options `translate` replaces that of the server
 */
export function handleErrors(
  app: FastifyInstance,
  options: ProblemSettings & { readonly translate?: Translate },
): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = asProblem(error, request, options.translate)
    logProblem(request, problem, error)
    return sendProblem(request, reply, problem, options)
  })
}

/** Logs a failure of the service as an error, and a refusal only where its Problem has details for operators. */
export function logProblem(
  request: FastifyRequest,
  { type, status, options }: Problem,
  error: unknown,
): void {
  if (status >= 500) request.log.error({ err: error, problem: type }, 'request failed')
  else if (options.log) request.log.info({ ...options.log, problem: type }, 'refused')
}

/** The Problem with which an error is answered. */
export function asProblem(
  error: unknown,
  request: FastifyRequest,
  translate: Translate = request.server.translate,
): Problem {
  if (error instanceof Problem) return withHint(error, request)
  // The sender closed the connection early: nobody reads the response, and no dependency has failed.
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

/** Adds the likely reason to a missing parameter that a use case reports, as it does not see the other parameters. */
function withHint(problem: Problem, request: FastifyRequest): Problem {
  const { parameter, where } = problem.options.values ?? {}
  if (problem.type !== 'missing-parameter' || parameter === undefined || where !== undefined) return problem
  return missingParameter(parameter, request.body, request.body !== undefined)
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
}

/**
 * Responds where no route matches: 405 with `Allow` on a known path, otherwise 404. It does so before the body is read, as
 * an unknown path has no rules for bodies.
 */
export function handleUnknownRoutes(app: FastifyInstance, settings: ProblemSettings): void {
  const known: { pattern: RegExp; method: string; exact: boolean }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    // Matches as the router does: "/a/:b" and "/a/*", with or without a trailing slash.
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
    // "/sites/apply/" is a path of its own, although "/sites/:id/" matches it.
    const own = matching.some(({ exact }) => exact) ? matching.filter(({ exact }) => exact) : matching
    const allowed = [...new Set(own.map(({ method }) => method))]
    // A route with this method exists and itself responded that it found nothing: a missing file of the reference.
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
