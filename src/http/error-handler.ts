import '@fastify/swagger'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from './problem.ts'
import { sendProblem } from './problem-reply.ts'
import type { ProblemName } from './problems.ts'

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
  options: { publicUrl: string; translate: Translate },
): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = asProblem(error, request, options.translate)
    if (problem.status >= 500) request.log.error({ err: error, problem: problem.type }, 'request failed')
    else if (problem.options.log)
      request.log.info({ ...problem.options.log, problem: problem.type }, 'refused')
    return sendProblem(request, reply, problem, options.publicUrl)
  })
}

/** The Problem that an error stands for. */
export function asProblem(error: unknown, request: FastifyRequest, translate: Translate): Problem {
  if (error instanceof Problem) return error
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

/**
 * The media types that the route takes: those that its schema lists in `consumes`, and JSON, which the documents leave
 * out beside a form.
 */
export function accepted(request: FastifyRequest): readonly string[] {
  return [...new Set([...(request.routeOptions.schema?.consumes ?? []), 'application/json'])]
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
}

function invalidParameter(error: FastifyError, request: FastifyRequest): Problem {
  const failure = error.validation?.[0]
  const parameter = parameterOf(failure)
  const source = sourceOf(error, request)
  if (failure?.keyword === 'required') {
    const misnamed = misnamings.find(({ right, given }) => right === parameter && has(source, given))
    if (misnamed !== undefined) return new Problem('misnamed-parameter', { values: { ...misnamed } })
    return new Problem('missing-parameter', { values: { parameter } })
  }
  // No body at all: as a rule the parameters stand in the address, which the text of this problem speaks of.
  if (source === undefined) return new Problem('missing-parameter')
  if (source === null) return new Problem('malformed-request')
  if (failure?.keyword === 'type' && Array.isArray(valueOf(source, parameter)))
    return new Problem('repeated-parameter', { values: { parameter } })
  return new Problem('invalid-parameter', { values: { parameter, rule: ruleOf(failure) } })
}

function sourceOf({ validationContext }: FastifyError, request: FastifyRequest): unknown {
  if (validationContext === 'querystring') return request.query
  return validationContext === 'params' ? request.params : request.body
}

/** Words that are easily confused: the published guide itself says `client_redirect_uri` in one place. */
const misnamings = ['client_redirect_uri', 'redirect_uri', 'redirect_url'].map((given) => ({
  right: 'client_redirect_url',
  given,
}))

const rules: Readonly<Record<string, string>> = {
  type: 'string',
  minLength: 'not-empty',
  maxLength: 'too-long',
  additionalProperties: 'unknown',
}

function ruleOf(failure: Failure | undefined): string {
  const otherType = failure?.keyword === 'type' && failure.params.type !== 'string'
  return (otherType ? undefined : rules[failure?.keyword ?? '']) ?? 'format'
}

type Failure = NonNullable<FastifyError['validation']>[number]

function parameterOf(failure: Failure | undefined): string {
  const missing: unknown = failure?.params.missingProperty ?? failure?.params.requiredProperties
  if (Array.isArray(missing)) return String(missing[0])
  if (typeof missing === 'string') return missing
  const surplus: unknown = failure?.params.additionalProperty
  if (typeof surplus === 'string') return surplus.slice(0, 64)
  return failure?.instancePath.split('/')[1] ?? 'body'
}

function has(source: unknown, name: string): boolean {
  return valueOf(source, name) !== undefined
}

function valueOf(source: unknown, name: string): unknown {
  if (typeof source !== 'object' || source === null) return undefined
  return Object.entries(source).find(([key]) => key === name)?.[1]
}

/** Answers what no route takes: 405 with `Allow` on a known path, else 404. */
export function handleUnknownRoutes(app: FastifyInstance, publicUrl: string): void {
  const known: { pattern: RegExp; method: string }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    // "/a/:b" and "/a/*", with or without the trailing slash, as the router matches them.
    const source = url
      .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
      .replace(/:\w+/g, '[^/]+')
      .replace(/\*$/, '.*')
      .replace(/\/$/, '')
    for (const one of [method].flat()) known.push({ pattern: new RegExp(`^${source}/?$`), method: one })
  })
  app.setNotFoundHandler((request: FastifyRequest, reply: FastifyReply) => {
    const path = request.url.split('?', 1)[0] ?? ''
    const allowed = [
      ...new Set(known.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)),
    ].join(', ')
    const problem =
      allowed === ''
        ? new Problem('not-found')
        : new Problem('method-not-allowed', {
            values: { method: request.method, allowed },
            headers: { allow: allowed },
          })
    return sendProblem(request, reply, problem, publicUrl)
  })
}
