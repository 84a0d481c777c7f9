import t from 'tap'
import type { Encoding } from '../support/login-flow.ts'
import { basic, loginToFinish, post, readResponse, text } from '../support/login-flow.ts'
import { startTestManagement } from '../support/management.ts'
import { redirectUrl } from '../support/service.ts'

const { url: managementUrl, token, service } = await startTestManagement(t)
const startPath = '/api/v1/oauth/authorize-url/'
const posts = ['authorize-url', 'authorize', 'refresh', 'revoke', 'introspect'].map(
  (name) => `/api/v1/oauth/${name}/`,
)

const json = (path: string, body: string) =>
  fetch(service.url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body }).then(
    readResponse,
  )

for (const encoding of ['urlencoded', 'multipart', 'json'] satisfies Encoding[])
  t.test(`every request of a site takes ${encoding}`, async (t) => {
    const send = (path: string, fields: Readonly<Record<string, string>>) =>
      post(service, path, fields, { encoding, headers: basic(service.site) })
    const started = await send(startPath, { provider: 'yandex', client_redirect_url: redirectUrl })
    t.equal(started.status, 200, started.text)
    const fields = await loginToFinish(service, 'yandex', { headers: basic(service.site) })
    const finished = await send('/api/v1/oauth/authorize/', fields)
    t.equal(finished.status, 200, finished.text)
    const refreshed = await send('/api/v1/oauth/refresh/', { refresh_token: text(finished, 'refresh_token') })
    t.equal(refreshed.status, 200, refreshed.text)
    const asked = { token: text(refreshed, 'refresh_token') }
    t.match((await send('/api/v1/oauth/introspect/', asked)).json, { active: true, aud: [/^http/] })
    t.equal((await send('/api/v1/oauth/revoke/', asked)).status, 200)
    t.match((await send('/api/v1/oauth/introspect/', asked)).json, { active: false })
  })

t.test('every route accepts the same media types, and a 415 lists all of them', async (t) => {
  for (const path of posts) {
    const headers = { 'content-type': 'text/plain' }
    const answer = await readResponse(await fetch(service.url + path, { method: 'POST', headers, body: 'x' }))
    t.match(answer.json, {
      status: 415,
      detail: /application\/x-www-form-urlencoded, multipart\/form-data, application\/json/,
    })
  }
})

t.test('an empty body counts as none, whatever its Content-Type, on both ports', async (t) => {
  const types = [
    'application/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=b',
    'text/plain',
    'x',
  ]
  for (const type of types) {
    const headers = { 'content-type': type, 'content-encoding': 'gzip' }
    for (const path of posts) {
      const answer = await readResponse(await fetch(service.url + path, { method: 'POST', headers }))
      t.match(answer.json, { status: 400, type: 'urn:auth-movies:problem:missing-parameter' }, type + path)
    }
    const login = await post(service, '/api/v1/oauth/authorize/', await loginToFinish(service))
    const authorization = `Bearer ${text(login, 'access_token')}`
    const sessions = `${service.url}/api/v1/me/sessions/`
    const ended = await fetch(sessions, { method: 'DELETE', headers: { ...headers, authorization } })
    t.equal(ended.status, 204, type)
    const operator = { ...headers, authorization: `Bearer ${token}` }
    const site = `${managementUrl}/api/v1/admin/sites/${service.site.id}`
    const rotated = await fetch(`${site}/secrets/`, { method: 'POST', headers: operator })
    t.equal(rotated.status, 201, type)
  }
})

t.test('an empty chunked body counts as none too', async (t) => {
  const body = () => new ReadableStream({ start: (controller) => controller.close() })
  for (const type of ['application/json', 'application/x-www-form-urlencoded']) {
    const headers = { 'content-type': type }
    const request = { method: 'POST', headers, body: body(), duplex: 'half' } as const
    const answer = await readResponse(await fetch(service.url + startPath, request))
    t.match(answer.json, { status: 400, type: 'urn:auth-movies:problem:missing-parameter' }, type)
  }
})

t.test('a repeated name in JSON is refused by name, even an unknown one', async (t) => {
  const url = JSON.stringify(redirectUrl)
  for (const [body, name] of [
    [`{"provider":"google","client_redirect_url":${url},"provider":"yandex"}`, 'provider'],
    [`{"provider":"yandex","client_redirect_url":${url},"provider":"yandex"}`, 'provider'],
    [`{"provider":"google","client_redirect_url":${url},"\\u0070rovider" : "yandex"}`, 'provider'],
    [`{"provider":"yandex","client_redirect_url":${url},"x":[{"y":{}},{"z":1,"z":2}]}`, 'z'],
  ] as const) {
    const answer = await json(startPath, body)
    t.match(answer.json, { status: 400, type: 'urn:auth-movies:problem:repeated-parameter' }, body)
    t.match(answer.json.detail, name)
  }
  const operator = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const sites = { method: 'POST', headers: operator, body: '{"name":"a","name":"b","redirect_urls":[]}' }
  const refused = await readResponse(await fetch(`${managementUrl}/api/v1/admin/sites/`, sites))
  t.match(refused.json, { status: 400, type: 'urn:auth-movies:problem:repeated-parameter' })
})

t.test('the same name in several JSON objects, or inside a string, is not a repetition', async (t) => {
  const url = JSON.stringify(redirectUrl)
  for (const extra of [
    '"x":[{"provider":1},{"provider":2}]',
    '"x":"\\"provider\\":{","y":"}"',
    '"x":{"y":{"provider":{}}}',
    '"x":"a\\\\","y":"\\\\\\""',
  ]) {
    const answer = await json(startPath, `{"provider":"yandex",${extra},"client_redirect_url":${url}}`)
    t.equal(answer.status, 200, `${extra} ${answer.text}`)
  }
})

t.test('invalid JSON, and JSON with __proto__, is malformed', async (t) => {
  const deep = '['.repeat(16_000)
  for (const body of ['{', 'null', '"provider"x', '{"__proto__":{"provider":"yandex"}}', deep])
    t.match((await json(startPath, body)).json, {
      status: 400,
      type: 'urn:auth-movies:problem:malformed-request',
    })
  t.equal((await json(startPath, deep + ']'.repeat(300))).status, 400)
})
