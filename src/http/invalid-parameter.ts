import type { FastifyError, FastifyRequest } from 'fastify'
import { Problem } from '../problems/problem.ts'
import type { ParameterHint, ParameterRule } from '../problems/table.ts'
import { FilePart } from './bodies.ts'

/** The Problem of a failed validation: by the keyword that failed, and by the mistake that most likely caused it. */
export function invalidParameter(error: FastifyError, request: FastifyRequest): Problem {
  const failure = error.validation?.[0]
  const parameter = parameterOf(failure)
  const source = sourceOf(error, request)
  if (failure?.keyword === 'required') {
    const misnamed = misnamings.find(({ right, given }) => right === parameter && has(source, given))
    if (misnamed !== undefined) return new Problem('misnamed-parameter', { values: { ...misnamed } })
    return missingParameter(parameter, source, error.validationContext === 'body')
  }
  // There is no body at all: usually the parameters are in the URL, and the text of this problem says so.
  if (source === undefined) return new Problem('missing-parameter', { values: { where: 'body' } })
  if (typeof source !== 'object' || source === null || Array.isArray(source))
    return new Problem('malformed-request')
  const value = valueOf(source, parameter)
  if (failure?.keyword === 'type' && Array.isArray(value))
    return new Problem('repeated-parameter', { values: { parameter } })
  const rule: ParameterRule = value instanceof FilePart ? 'file' : ruleOf(failure)
  return new Problem('invalid-parameter', { values: { parameter, rule } })
}

/**
 * The Problem of a parameter that is missing.
 * @param source the parameters that came: one with another name, or inside another value, shows the likely mistake
 */
export function missingParameter(parameter: string, source: unknown, inBody: boolean): Problem {
  const hint = hintOf(parameter, source)
  return new Problem('missing-parameter', {
    values: { parameter, ...(hint && { hint }), ...(inBody && { where: 'body' }) },
  })
}

/** Recognises the usual mistakes by which a form that was built by hand loses a parameter. */
function hintOf(parameter: string, source: unknown): ParameterHint | undefined {
  const fields = Object.entries(Object(source))
  const someName = (holds: (name: string) => boolean) => fields.some(([name]) => holds(name))
  const someText = (pattern: string) =>
    fields.some((field) => field.some((text) => typeof text === 'string' && text.includes(pattern)))
  if (['amp;', '#38;', '#x26;'].some((entity) => has(source, entity + parameter))) return 'entity'
  if (someName((name) => name.startsWith(`${parameter}=`)) || someText(`&${parameter}=`)) return 'encoded'
  if ([';', ',', ' ', '\n'].some((separator) => someText(`${separator}${parameter}=`))) return 'separator'
  return someName((name) => /^\s*[{[]/.test(name)) ? 'json' : undefined
}

function sourceOf({ validationContext }: FastifyError, request: FastifyRequest): unknown {
  if (validationContext === 'querystring') return request.query
  return validationContext === 'params' ? request.params : request.body
}

/** Names that are easily confused: the published guide itself has `client_redirect_uri` in one place. */
const misnamings = ['client_redirect_uri', 'redirect_uri', 'redirect_url'].map((given) => ({
  right: 'client_redirect_url',
  given,
}))

const rules: Readonly<Record<string, ParameterRule>> = {
  type: 'string',
  minLength: 'not-empty',
  maxLength: 'too-long',
  additionalProperties: 'unknown',
}

function ruleOf(failure: Failure | undefined): ParameterRule {
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
