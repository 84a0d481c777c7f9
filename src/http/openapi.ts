import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Static, TSchema } from 'typebox'
import { Type } from 'typebox'
import manifest from '../../package.json' with { type: 'json' }
import { Problem } from '../problems/problem.ts'
import { ProblemSchema, problemBody } from '../problems/reply.ts'
import type { ProblemName } from '../problems/table.ts'
import { problems } from '../problems/table.ts'
import { problemText } from '../problems/texts.ts'

/**
 * The media types of forms, in the order of preference for generators. JSON is accepted as well but not listed: where it
 * is, several generators make clients that send an empty JSON body.
 */
export const formTypes = ['application/x-www-form-urlencoded', 'multipart/form-data']

/**
 * Makes a reference to a schema with an `$id`, keeping its static type. The documents then have one named component, and
 * Fastify validates with the same schema.
 */
export function ref<T extends TSchema>(schema: T) {
  if (!('$id' in schema) || typeof schema.$id !== 'string') throw new TypeError('A component needs an $id.')
  return Type.Unsafe<Static<T>>(Type.Ref(schema.$id))
}

/**
 * A text of a closed set, as `type: string, enum`, which generators of clients understand.
 * @param options further keywords of the schema, such as its description
 */
export function oneOf<Value extends string>(values: readonly Value[], options: object = {}) {
  return Type.Unsafe<Value>({ type: 'string', enum: [...values], ...options })
}

/** A documented response with a JSON body, whose schema has an `$id`. */
export function jsonResponse<T extends TSchema>(description: string, schema: T) {
  return { description, content: { 'application/json': { schema: ref(schema) } } }
}

/** The origin in documented examples, which no real service has. */
const exampleOrigin = 'https://login.example'

/**
 * Documents the problems of a route: one response per status, one example per problem. Each route names its own, and with
 * a body `bodyProblems` too; the problems that every route with storage may have are added here.
 */
export function problemResponses(...names: ProblemName[]): Record<number, object> {
  return problemResponsesWithoutStore(...names, 'dependency-unavailable')
}

/** The same for a route that uses no storage; the problems that every route may have are added here. */
export function problemResponsesWithoutStore(...names: ProblemName[]): Record<number, object> {
  const all: ProblemName[] = [...names, 'malformed-request', 'headers-too-large', 'internal-error']
  const byStatus = Map.groupBy(new Set(all), (name) => problems[name].status)
  return Object.fromEntries([...byStatus].map(([status, group]) => [status, response(group)]))
}

/**
 * The same responses under application/json, for endpoints whose errors are of this type always (RFC 6749 §5.2): some
 * clients read no other.
 */
export function asPlainJson(responses: Record<number, object>): Record<number, object> {
  const plain = (one: object) => {
    const [body] = 'content' in one ? Object.values(Object(one.content)) : []
    return { ...one, content: { 'application/json': body } }
  }
  return Object.fromEntries(Object.entries(responses).map(([status, one]) => [status, plain(one)]))
}

/** The problems that every route with a body may have. */
export const bodyProblems: ProblemName[] = [
  'malformed-request',
  'missing-parameter',
  'invalid-parameter',
  'repeated-parameter',
  'body-too-large',
  'unsupported-media-type',
  'rate-limited',
]

function response(names: readonly ProblemName[]) {
  const examples = names.map((name): [string, object] => {
    const problem = new Problem(name, { values: exampleValues })
    const context = { language: 'en', publicUrl: exampleOrigin, requestId: exampleId, oauth: true } as const
    return [
      name,
      { summary: problemText(name, 'en', exampleValues).title, value: problemBody(problem, context) },
    ]
  })
  return {
    description: names.map((name) => problemText(name, 'en', exampleValues).title).join('; '),
    content: {
      'application/problem+json': { schema: ref(ProblemSchema), examples: Object.fromEntries(examples) },
    },
  }
}

const exampleId = '01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a11'
const exampleValues = {
  parameter: 'provider',
  rule: 'format',
  given: 'client_redirect_uri',
  right: 'client_redirect_url',
  accepted: [...formTypes, 'application/json'].join(', '),
  limit: '16384',
  method: 'GET',
  allowed: 'POST',
  difference: 'trailing-slash',
  providers: 'one, another',
  provider: 'one',
  error: 'server_error',
  who: 'site-and-address',
  where: 'body',
  came: 'other-code',
  domain: 'login.example',
}

/** What an OpenAPI document says about its API. */
export interface Document {
  readonly title: string
  readonly description: string
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  /** Where the server is, in words. */
  readonly server: string
  /** Those of the public service where not given. */
  readonly securitySchemes?: Readonly<Record<string, HttpScheme>>
}

interface HttpScheme {
  readonly type: 'http'
  readonly scheme: string
  readonly description?: string
  readonly bearerFormat?: string
}

const publicSchemes: Readonly<Record<string, HttpScheme>> = {
  accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
  site: { type: 'http', scheme: 'basic', description: "The site's id and secret" },
}

/** Collects the routes that are registered after it into an OpenAPI 3.1 document: `app.swagger()`. */
export const openapi = fp(async (app: FastifyInstance, document: Document) => {
  app.addSchema(ProblemSchema)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: document.title,
        version: manifest.version,
        description: document.description,
        license: { name: 'MIT', identifier: 'MIT' },
      },
      // Relative to the document, so that it is the same everywhere and the reference sends its requests to this server.
      servers: [{ url: '/', description: document.server }],
      tags: document.tags.map((tag) => ({ ...tag })),
      components: { securitySchemes: { ...(document.securitySchemes ?? publicSchemes) } },
      security: [],
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) =>
        typeof json.$id === 'string' ? json.$id : `def-${index}`,
    },
  })
})

/** Any JSON value. */
type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/**
 * Translates a 3.1 document to 3.0.3, for generators that do not know 3.1. Only what the service's schemas use is
 * translated: a union with null becomes `nullable`, `const` an `enum` of one value, the first of a schema's `examples` its
 * `example`, and the SPDX id of the licence a URL.
 */
export function toOpenapi30(document: Json): Json {
  const translated = translate(document)
  if (!isObject(translated) || !isObject(translated.info)) throw new TypeError('not an OpenAPI document')
  const { license: _license, ...info } = translated.info
  return {
    ...translated,
    openapi: '3.0.3',
    info: { ...info, license: { name: 'MIT', url: 'https://opensource.org/license/mit' } },
  }
}

function translate(node: Json): Json {
  if (Array.isArray(node)) return node.map(translate)
  if (!isObject(node)) return node
  const { anyOf, const: constant, examples, ...others } = node
  // A list belongs to a schema. The `examples` of a body or a parameter are a map, which 3.0 has as well.
  const rest = Array.isArray(examples)
    ? { ...others, example: examples[0] ?? null }
    : examples === undefined
      ? others
      : { ...others, examples }
  const members = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, translate(value)]))
  if (constant !== undefined) return { ...members, enum: [constant] }
  if (!Array.isArray(anyOf)) return members
  const options = anyOf.filter((option) => !(isObject(option) && option.type === 'null')).map(translate)
  const nullable = options.length < anyOf.length
  const [only] = options
  if (options.length === 1 && isObject(only))
    return '$ref' in only ? { ...members, allOf: [only], nullable } : { ...only, ...members, nullable }
  return { ...members, anyOf: options, ...(nullable && { nullable }) }
}

function isObject(node: Json | undefined): node is { readonly [key: string]: Json } {
  return typeof node === 'object' && node !== null && !Array.isArray(node)
}
