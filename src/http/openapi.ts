import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Static, TSchema } from 'typebox'
import { Type } from 'typebox'
import manifest from '../../package.json' with { type: 'json' }
import { Problem } from './problem.ts'
import { problemBody } from './problem-reply.ts'
import { ProblemSchema } from './problem-schema.ts'
import { problemText } from './problem-texts.ts'
import type { ProblemName } from './problems.ts'
import { problems } from './problems.ts'

/**
 * The form's media types in the order in which generators should take them. JSON is taken as well, but not listed:
 * several generators make clients that send it, with an empty body, wherever it is.
 */
export const formTypes = ['application/x-www-form-urlencoded', 'multipart/form-data']

/**
 * A reference to a schema that has an `$id`, keeping its static type: the documents then show one named
 * component, and Fastify validates by the same.
 */
export function ref<T extends TSchema>(schema: T) {
  if (!('$id' in schema) || typeof schema.$id !== 'string') throw new TypeError('A component needs an $id.')
  return Type.Unsafe<Static<T>>(Type.Ref(schema.$id))
}

/** Documented examples name nobody's real address. */
const exampleOrigin = 'https://login.example'

/**
 * The failures that a route may answer with, one response a status, an example a problem. Every route names its own,
 * those with a body `bodyFailures` too; what any may answer that asks a store is added here.
 */
export function failures(...names: ProblemName[]): Record<number, object> {
  return failuresWithoutStore(...names, 'dependency-unavailable')
}

/** The same for a route that answers out of this process's memory: what any route at all may answer is added here. */
export function failuresWithoutStore(...names: ProblemName[]): Record<number, object> {
  const all: ProblemName[] = [...names, 'malformed-request', 'headers-too-large', 'internal-error']
  const byStatus = Map.groupBy(new Set(all), (name) => problems[name].status)
  return Object.fromEntries([...byStatus].map(([status, group]) => [status, response(group)]))
}

/** What a route that takes a body may answer besides. */
export const bodyFailures: ProblemName[] = [
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

/** What an OpenAPI document says of itself. */
export interface Document {
  readonly title: string
  readonly description: string
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  /** Where it is reached, in words. */
  readonly server: string
  /** By what; the public service's own without it. */
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
      // Relative to the document itself: the same everywhere, and the reference's own requests go to the right place.
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
