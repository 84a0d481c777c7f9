import t from 'tap'
import type { Encoding } from '../support/login-flow.ts'
import { basic, loginToFinish, post, readResponse, text } from '../support/login-flow.ts'
import { startTestManagement } from '../support/management.ts'
import { sendBytes } from '../support/send-bytes.ts'
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

t.test('a chunked body with nothing in it is none either, whatever its type', async (t) => {
  const types = [
    'application/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=b',
    'text/plain',
    'x',
    undefined,
  ]
  for (const type of types)
    for (const wait of [0, 50]) {
      const lines = ['Host: a', 'Transfer-Encoding: chunked', 'Content-Encoding: gzip', 'Connection: close']
      if (type !== undefined) lines.push(`Content-Type: ${type}`)
      const head = `POST ${startPath} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
      const received = await sendBytes(
        service,
        wait === 0 ? [`${head}0\r\n\r\n`] : [head, '0\r\n', '\r\n'],
        wait,
      )
      t.match(received, /^HTTP\/1\.1 400 [^]*problem:missing-parameter/, `${type} ${wait}`)
    }
})

t.test('a chunked body with something in it is read, and its type still counts', async (t) => {
  const body = new URLSearchParams({ provider: 'yandex', client_redirect_url: redirectUrl }).toString()
  const chunked = (type: string) =>
    `POST ${startPath} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\nContent-Type: ${type}\r\n\r\n`
  const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
  const form = 'application/x-www-form-urlencoded'
  t.match(await sendBytes(service, [chunked(form) + chunks]), /^HTTP\/1\.1 200 /)
  t.match(
    await sendBytes(service, [chunked(form), chunks.slice(0, 20), chunks.slice(20)], 50),
    /^HTTP\/1\.1 200 /,
  )
  t.match(await sendBytes(service, [chunked('text/plain') + chunks]), /^HTTP\/1\.1 415 /)
})

t.test('Content-Encoding: identity and an empty one are no coding', async (t) => {
  const fields = { provider: 'yandex', client_redirect_url: redirectUrl }
  for (const [coding, status] of [
    ['identity', 200],
    ['Identity', 200],
    ['', 200],
    ['identity, IDENTITY', 200],
    ['gzip', 415],
    ['identity, gzip', 415],
  ] as const) {
    const answer = await post(service, startPath, fields, { headers: { 'content-encoding': coding } })
    t.equal(answer.status, status, coding)
  }
})

t.test('a name that comes twice in JSON is refused by name', async (t) => {
  const url = JSON.stringify(redirectUrl)
  for (const [body, name] of [
    [`{"provider":"google","client_redirect_url":${url},"provider":"yandex"}`, 'provider'],
    [`{"provider":"yandex","client_redirect_url":${url},"provider":"yandex"}`, 'provider'],
    [`{"provider":"google","client_redirect_url":${url},"\\u0070rovider" : "yandex"}`, 'provider'],
    [`{"provider":"yandex","client_redirect_url":${url},"x":1,"x":{}}`, 'x'],
    [`{"provider":{"y":1,"y":2},"client_redirect_url":${url}}`, 'y'],
  ] as const) {
    const answer = await json(startPath, body)
    t.match(answer.json, { status: 400, type: 'urn:auth-movies:problem:repeated-parameter' }, body)
    t.match(answer.json.detail, name)
  }
  const operator = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  for (const [path, body] of [
    ['sites/', '{"name":"a","name":"b","redirect_urls":[]}'],
    ['sites/apply/', '{"sites":[{"name":"a","name":"b","redirect_urls":["https://b.example/"]}]}'],
  ] as const) {
    const request = { method: 'POST', headers: operator, body }
    const refused = await readResponse(await fetch(`${managementUrl}/api/v1/admin/${path}`, request))
    t.match(refused.json, { status: 400, type: 'urn:auth-movies:problem:repeated-parameter' }, body)
  }
})

t.test('what stands inside an unknown member is nobody’s business', async (t) => {
  const url = JSON.stringify(redirectUrl)
  for (const extra of [
    '"x":[{"y":{}},{"z":1,"z":2}]',
    '"x":{"provider":1,"provider":2}',
    '"constructor":1',
    '"constructor":null',
    '"constructor":{"x":1}',
    '"x":"\\ud800"',
    '"\\udc00":{}',
  ]) {
    const answer = await json(startPath, `{"provider":"yandex",${extra},"client_redirect_url":${url}}`)
    t.equal(answer.status, 200, `${extra} ${answer.text}`)
  }
})

t.test('half a surrogate pair in a known member is refused by name at every address', async (t) => {
  const members = {
    'authorize-url': ['provider', 'client_redirect_url', 'login_hint', 'client_secret'],
    authorize: ['provider', 'state', 'code', 'code_verifier', 'client_id'],
    refresh: ['refresh_token', 'grant_type'],
    revoke: ['token', 'token_type_hint'],
    introspect: ['token'],
  }
  for (const [path, names] of Object.entries(members))
    for (const name of names)
      for (const half of ['\\ud800', 'a\\udc00b']) {
        const answer = await json(`/api/v1/oauth/${path}/`, `{"${name}":"${half}"}`)
        t.match(answer.json, { status: 400, type: 'urn:auth-movies:problem:invalid-parameter' }, name)
        t.match(answer.json.detail, name)
      }
  const operator = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const body = '{"sites":[{"name":"\\ud800","redirect_urls":["https://b.example/"]}]}'
  const request = { method: 'POST', headers: operator, body }
  const refused = await readResponse(await fetch(`${managementUrl}/api/v1/admin/sites/apply/`, request))
  t.match(refused.json, { status: 400, type: 'urn:auth-movies:problem:invalid-parameter' })
  const pair = `{"provider":"yandex","login_hint":"\\ud83d\\ude00","client_redirect_url":${JSON.stringify(redirectUrl)}}`
  t.equal((await json(startPath, pair)).status, 200, 'a whole pair is a character')
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
  const reaching = [
    '{"__proto__":{"provider":"yandex"}}',
    '{"constructor":{"prototype":{"provider":"yandex"}}}',
  ]
  const none = ['null', '[]', '1', '"provider"', 'true', '[{"provider":"yandex"}]']
  for (const body of ['{', ...none, '"provider"x', ...reaching, deep])
    t.match((await json(startPath, body)).json, {
      status: 400,
      type: 'urn:auth-movies:problem:malformed-request',
    })
  t.equal((await json(startPath, deep + ']'.repeat(300))).status, 400)
})
