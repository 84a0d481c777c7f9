import t from 'tap'
import { problems } from '../../src/problems/table.ts'
import { get } from '../support/login-flow.ts'
import { lintDocument, readDocument } from '../support/openapi.ts'
import { startTestService } from '../support/service.ts'

const service = await startTestService(t)

const { text, document, operations } = await readDocument(service)

for (const path of ['/openapi.json', '/openapi-3.0.json'])
  t.test(`${path} is linted, and its examples validate`, async (t) => {
    const { text: source } = await get(service, path)
    t.strictSame(await lintDocument(source), [])
  })

t.test('each document names its OpenAPI version', async (t) => {
  t.match(document.openapi, /^3\.1\./)
  t.match((await get(service, '/openapi-3.0.json')).json, { openapi: '3.0.3' })
})

t.test('operation ids are unique', async (t) => {
  const ids = operations.map(({ operationId }) => operationId)
  t.equal(new Set(ids).size, ids.length, 'operation ids are unique')
  t.ok(ids.includes('startLogin') && ids.includes('finishLogin') && ids.includes('refreshTokens'))
})

t.test('request bodies are the two forms only, by one named component', async (t) => {
  const { document: twin } = await readDocument(service, '/openapi-3.0.json')
  for (const { name, method, path, requestBody } of operations) {
    if (requestBody === undefined) continue
    const types = Object.keys(requestBody.content)
    t.strictSame(types, ['application/x-www-form-urlencoded', 'multipart/form-data'], name)
    t.strictSame(types, Object.keys(twin.paths[path]?.[method]?.requestBody?.content ?? {}), `${name} in 3.0`)
    t.equal(new Set(Object.values(requestBody.content).map(({ schema }) => schema.$ref)).size, 1, name)
  }
})

t.test('every body and every error has an example', async (t) => {
  for (const { name, requestBody, responses } of operations)
    for (const content of [
      requestBody?.content,
      ...Object.values(responses).map((response) => response.content),
    ])
      for (const { schema, examples } of Object.values(content ?? {})) {
        const component = document.components.schemas[schema.$ref.split('/').at(-1) ?? '']
        t.ok(examples ?? component?.examples, `${name} ${schema.$ref}`)
      }
})

t.test('the documents do not depend on the environment', async (t) => {
  const other = await startTestService(t, {
    database: service.database,
    doubles: service.doubles,
    site: service.site,
    env: {
      PUBLIC_URL: 'https://other.example',
      YANDEX_CLIENT_ID: undefined,
      YANDEX_CLIENT_SECRET: undefined,
    },
  })
  t.equal((await get(other, '/openapi.json')).text, text)
  t.equal((await get(other, '/openapi-3.0.json')).text, (await get(service, '/openapi-3.0.json')).text)
})

t.test('the reference loads nothing from other hosts', async (t) => {
  const page = await get(service, '/docs/')
  t.equal(page.status, 200)
  t.match(page.headers.get('content-security-policy'), /default-src 'self'/)
  t.notMatch(page.text.replaceAll('http://www.w3.org', ''), /(src|href)="https?:/)
})

t.test('the icon that every browser requests is served', async (t) => {
  const icon = await get(service, '/favicon.ico')
  t.equal(icon.status, 200)
  t.equal(icon.headers.get('content-type'), 'image/svg+xml')
  t.match(icon.text, /^<svg/)
})

t.test('the type of a problem is an enum of all problems, in both versions', async (t) => {
  const expected = Object.keys(problems).map((name) => `urn:auth-movies:problem:${name}`)
  for (const path of ['/openapi.json', '/openapi-3.0.json'])
    t.match((await get(service, path)).json, {
      components: { schemas: { Problem: { properties: { type: { type: 'string', enum: expected } } } } },
    })
})

t.test('the callback documents its limit', async (t) => {
  const callback = operations.find(({ operationId }) => operationId === 'returnFromProvider')
  t.ok('429' in (callback?.responses ?? {}))
})

t.test('each route documents the problems that it may have, and no others', async (t) => {
  for (const { name, responses } of operations)
    for (const status of ['400', '431', '500']) t.ok(status in responses, `${name} ${status}`)
  for (const name of ['listProviders', 'getJwks', 'getServerMetadata', 'getOpenidConfiguration']) {
    const operation = operations.find(({ operationId }) => operationId === name)
    t.strictSame(Object.keys(operation?.responses ?? {}), ['200', '400', '431', '500'], name)
  }
})
