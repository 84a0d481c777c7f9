import t from 'tap'
import { get, post, readResponse } from '../support/login-flow.ts'
import { redirectUrl, startTestService } from '../support/service.ts'

// Bodies that were built by hand or by an unusual client.
const service = await startTestService(t)
const path = '/api/v1/oauth/authorize-url/'
const url = encodeURIComponent(redirectUrl)
const form = 'application/x-www-form-urlencoded'

const send = async (body: string, type = form, to = path, language = 'en') =>
  readResponse(
    await fetch(service.url + to, {
      method: 'POST',
      headers: { 'content-type': type, 'accept-language': language },
      body,
    }),
  )

/** A multipart body of parts whose headers are written out. */
function multipart(...parts: readonly { head: string; value: string }[]): string {
  return `${parts.map(({ head, value }) => `--b\r\nContent-Disposition: form-data; ${head}\r\n\r\n${value}\r\n`).join('')}--b--\r\n`
}

const sendParts = (...parts: readonly { head: string; value: string }[]) =>
  send(multipart(...parts), 'multipart/form-data; boundary=b')

const provider = { head: 'name="provider"', value: 'yandex' }
const octets = 'Content-Type: application/octet-stream'

t.test('a part without a file name is a field, whatever its type', async (t) => {
  for (const head of [
    `name="client_redirect_url"\r\n${octets}`,
    'name="client_redirect_url"\r\nContent-Type: text/plain; charset=utf-8',
    'name="client_redirect_url"; filename=""',
    `name="client_redirect_url"; filename=""\r\n${octets}`,
    'filename=""; name="client_redirect_url"',
  ]) {
    const answer = await sendParts(provider, { head, value: redirectUrl })
    t.equal(answer.status, 200, `${head} ${answer.text}`)
  }
})

t.test('a known field that came as a file is refused by name, an unknown one ignored', async (t) => {
  const asFile = { head: 'name="client_redirect_url"; filename="a.txt"', value: redirectUrl }
  for (const parts of [
    [provider, asFile],
    [asFile, provider],
  ]) {
    const answer = await sendParts(...parts)
    t.match(answer.json, {
      status: 400,
      type: 'urn:auth-movies:problem:invalid-parameter',
      detail: /client_redirect_url.*came as a file/,
    })
  }
  const file = await sendParts(
    { head: `name="provider"; filename="p"\r\n${octets}`, value: 'yandex' },
    asFile,
  )
  t.match(file.json.detail, /provider.*came as a file/)
  const field = { head: 'name="client_redirect_url"', value: redirectUrl }
  const twice = await sendParts(provider, field, asFile)
  t.match(twice.json, { status: 400, type: 'urn:auth-movies:problem:repeated-parameter' })
  const unknown = { head: `name="photo"; filename="a.png"\r\n${octets}`, value: 'x' }
  t.equal((await sendParts(provider, unknown, unknown, field)).status, 200)
  const optional = await sendParts(provider, field, {
    head: 'name="login_hint"; filename="a"',
    value: 'anna',
  })
  t.match(optional.json.detail, /login_hint.*came as a file/)
})

for (const [what, body, hint] of [
  ['&amp;', `provider=yandex&amp;client_redirect_url=${url}`, /&amp;/],
  ['&#38;', `provider=yandex&#38;client_redirect_url=${url}`, /&amp;/],
  ['&#x26;', `provider=yandex&#x26;client_redirect_url=${url}`, /&amp;/],
  ['&amp; in the other order', `client_redirect_url=${url}&amp;provider=yandex`, /&amp;/],
  ['a semicolon', `provider=yandex;client_redirect_url=${url}`, /separate its parameters by &/],
  ['a semicolon in the other order', `client_redirect_url=${url};provider=yandex`, /separate/],
  ['a comma', `provider=yandex,client_redirect_url=${url}`, /separate/],
  ['a line break', `provider=yandex\nclient_redirect_url=${url}`, /separate/],
  ['everything encoded', encodeURIComponent(`provider=yandex&client_redirect_url=${url}`), /as a whole/],
  ['the & encoded', `provider=yandex%26client_redirect_url%3D${url}`, /as a whole/],
  ['JSON in a form', JSON.stringify({ provider: 'yandex', client_redirect_url: redirectUrl }), /is JSON/],
] as const)
  t.test(`a missing parameter is told its likely cause: ${what}`, async (t) => {
    const answer = await send(body)
    t.match(answer.json, { status: 400, type: 'urn:auth-movies:problem:missing-parameter', detail: hint })
    t.match(answer.json.error_description, /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/)
    t.match((await send(body, form, path, 'ru')).json.detail, /\(.*(тел|параметр)/)
  })

t.test('a finish whose code is lost in the body is told the reason too', async (t) => {
  const started = await post(service, path, { provider: 'google', client_redirect_url: redirectUrl })
  const callbackUrl = await service.doubles.google.consent(String(started.json.authorize_url))
  await get(service, callbackUrl.slice(service.config.publicUrl.length))
  const state = String(started.json.state)
  const finish = (body: string) => send(body, form, '/api/v1/oauth/authorize/')
  t.match((await finish(`provider=google&state=${state}&amp;code=x`)).json, {
    status: 400,
    detail: /code \(.*&amp;/,
  })
  t.match((await finish(`provider=google&amp;state=${state}&amp;code=x`)).json.detail, /state \(.*&amp;/)
})

t.test('a parameter that only resembles a mistake gets no hint', async (t) => {
  for (const body of [
    'provider=yandex&note=a%3Bb',
    'provider=yandex&amp;x=1',
    'provider=yandex&x=client_redirect_url',
  ])
    t.notMatch((await send(body)).json.detail, /\(/, body)
})
