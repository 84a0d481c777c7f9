import { createConfig, lintFromString } from '@redocly/openapi-core'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { get } from '../support/login-flow.ts'
import { startTestManagement } from '../support/management.ts'

const Content = Type.Record(
  Type.String(),
  Type.Object({ schema: Type.Object({ $ref: Type.String() }), examples: Type.Optional(Type.Object({})) }),
)
const Operation = Type.Object({
  operationId: Type.String({ pattern: '^[a-z][A-Za-z0-9]+$' }),
  tags: Type.Tuple([Type.String()]),
  summary: Type.String(),
  security: Type.Tuple([Type.Object({ adminToken: Type.Array(Type.String()) })]),
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

const { url, service } = await startTestManagement(t)
const config = await createConfig({
  extends: ['recommended-strict'],
  rules: { 'no-path-trailing-slash': 'off' },
})
const { text } = await get({ url }, '/openapi.json')
const document = Value.Parse(Document, JSON.parse(text))
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, ...operation })),
)

for (const path of ['/openapi.json', '/openapi-3.0.json'])
  t.test(`${path} is linted, and its examples validate`, async (t) => {
    const problems = await lintFromString({ source: (await get({ url }, path)).text, config })
    t.strictSame(
      problems.map(
        ({ ruleId, message, location }) => `${ruleId}: ${message} at ${location[0]?.pointer ?? ''}`,
      ),
      [],
    )
  })

t.test('every route is under the tokens, tagged and named once', async (t) => {
  t.ok(operations.length > 20)
  const tags = document.tags.map(({ name }) => name)
  for (const { name, tags: own, responses } of operations) {
    t.match(name, / \/api\/v1\/admin\//)
    t.ok(tags.includes(own[0]), name)
    t.ok('401' in responses && '429' in responses, name)
  }
  const ids = operations.map(({ operationId }) => operationId)
  t.equal(new Set(ids).size, ids.length)
})

t.test('bodies are JSON; an example on every body and error', async (t) => {
  for (const { name, requestBody, responses } of operations) {
    if (requestBody !== undefined) t.strictSame(Object.keys(requestBody.content), ['application/json'], name)
    for (const content of [requestBody, ...Object.values(responses)].map((part) => part?.content ?? {}))
      for (const { schema, examples } of Object.values(content)) {
        const component = document.components.schemas[schema.$ref.split('/').at(-1) ?? '']
        t.ok(examples ?? component?.examples, `${name} ${schema.$ref}`)
      }
  }
})

t.test(
  'the public document says nothing of it, and the reference loads nothing from elsewhere',
  async (t) => {
    t.notMatch((await get(service, '/openapi.json')).text, /\/api\/v1\/admin\/"|adminToken/)
    const page = await get({ url }, '/docs/')
    t.equal(page.status, 200)
    t.match(page.headers.get('content-security-policy'), /default-src 'self'/)
  },
)
