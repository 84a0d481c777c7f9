import t from 'tap'
import { get } from '../support/login-flow.ts'
import { startTestManagement } from '../support/management.ts'
import { lintDocument, readDocument } from '../support/openapi.ts'

const { url, service } = await startTestManagement(t)
const { document, operations } = await readDocument({ url })

for (const path of ['/openapi.json', '/openapi-3.0.json'])
  t.test(`${path} passes the linter, and its examples validate`, async (t) => {
    const { text: source } = await get({ url }, path)
    t.strictSame(await lintDocument(source), [])
  })

t.test('every route needs a token and has a tag and an operationId of its own', async (t) => {
  t.ok(operations.length > 20)
  const tags = document.tags.map(({ name }) => name)
  for (const { name, tags: own, responses, security } of operations) {
    t.strictSame(security, [{ adminToken: [] }], name)
    t.match(name, / \/api\/v1\/admin\//)
    t.ok(tags.includes(own[0]), name)
    t.ok('401' in responses && '429' in responses, name)
  }
  const ids = operations.map(({ operationId }) => operationId)
  t.equal(new Set(ids).size, ids.length)
})

t.test('request bodies are JSON; every body and error response has an example', async (t) => {
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
  'the public document does not mention the admin API, and the reference loads nothing from other hosts',
  async (t) => {
    t.notMatch((await get(service, '/openapi.json')).text, /\/api\/v1\/admin\/"|adminToken/)
    const page = await get({ url }, '/docs/')
    t.equal(page.status, 200)
    t.match(page.headers.get('content-security-policy'), /default-src 'self'/)
  },
)
