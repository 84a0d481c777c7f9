import { createConfig, lintFromString } from '@redocly/openapi-core'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { get } from './login-flow.ts'

const Content = Type.Record(
  Type.String(),
  Type.Object({ schema: Type.Object({ $ref: Type.String() }), examples: Type.Optional(Type.Object({})) }),
)
const Operation = Type.Object({
  operationId: Type.String({ pattern: '^[a-z][A-Za-z0-9]+$' }),
  tags: Type.Tuple([Type.String()]),
  summary: Type.String(),
  security: Type.Optional(Type.Array(Type.Record(Type.String(), Type.Array(Type.String())))),
  requestBody: Type.Optional(Type.Object({ content: Content })),
  responses: Type.Record(
    Type.String(),
    Type.Object({ description: Type.String(), content: Type.Optional(Content) }),
  ),
})
const Document = Type.Object({
  openapi: Type.String(),
  tags: Type.Array(Type.Object({ name: Type.String() })),
  paths: Type.Record(Type.String(), Type.Record(Type.String(), Operation)),
  components: Type.Object({
    schemas: Type.Record(Type.String(), Type.Object({ examples: Type.Optional(Type.Array(Type.Unknown())) })),
  }),
})

/**
 * A server's OpenAPI document, and its operations as a list.
 * @throws if an operation lacks what generators need: a lowerCamel id, one tag, bodies by named components
 */
export async function readDocument(server: { readonly url: string }, at = '/openapi.json') {
  const { text } = await get(server, at)
  const document = Value.Parse(Document, JSON.parse(text))
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method} ${path}`,
      method,
      path,
      ...operation,
    })),
  )
  return { text, document, operations }
}

/** The linter's messages about a document, one line per message. The published paths end with a slash. */
export async function lintDocument(source: string): Promise<string[]> {
  const config = await createConfig({
    extends: ['recommended-strict'],
    rules: { 'no-path-trailing-slash': 'off' },
  })
  const problems = await lintFromString({ source, config })
  return problems.map(
    ({ ruleId, message, location }) => `${ruleId}: ${message} at ${location[0]?.pointer ?? ''}`,
  )
}
