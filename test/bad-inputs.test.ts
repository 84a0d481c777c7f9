import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { forge, ownAccessKey, stranger } from './support/forge.ts'
import { finish, logIn, loginToFinish, post, readResponse, start, text } from './support/login-flow.ts'
import { sharedSecretKeys, startTestService } from './support/service.ts'

// One bad request an entry, sent byte for byte, with the status that it must get.
const BadInput = Type.Object({
  endpoint: Type.String(),
  name: Type.String(),
  why: Type.String(),
  expectStatus: Type.Array(Type.Number()),
  contentType: Type.Optional(Type.String()),
  body: Type.Optional(Type.String()),
  query: Type.Optional(Type.String()),
  headers: Type.Optional(Type.Record(Type.String(), Type.String())),
  provider: Type.Optional(Type.String()),
  needs: Type.Optional(Type.String()),
  raw: Type.Optional(Type.Boolean()),
  mustNotHaveHeader: Type.Optional(Type.Array(Type.String())),
  jwt: Type.Optional(
    Type.Object({
      header: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
      claims: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
      sign: Type.String(),
    }),
  ),
})
type BadInput = Type.Static<typeof BadInput>

const inputs = Value.Parse(
  Type.Array(BadInput),
  JSON.parse(await readFile(new URL('fixtures/bad-inputs.json', import.meta.url), 'utf8')),
)

const service = await startTestService(t)
const hasty = await startTestService(t, {
  database: service.database,
  doubles: service.doubles,
  site: service.site,
  env: { LOGIN_TTL: '1' },
})
const ownKey = await ownAccessKey(service.database, sharedSecretKeys)
const tokens = await logIn(service, 'google')

/** The placeholders of an entry, each made only where the entry has it. */
const makers: Readonly<Record<string, (input: BadInput) => Promise<string>>> = {
  liveState: async ({ needs }) =>
    needs?.includes('after callback')
      ? (await loginToFinish(service, 'google')).state
      : (await start(service, 'google')).state,
  liveStateOfGoogle: async () => (await start(service, 'google')).state,
  answeredState: async () => (await loginToFinish(service, 'google')).state,
  expiredState: async () => expired,
  access: async () => tokens.accessToken,
  refresh: async () => tokens.refreshToken,
  rotated: async () => rotated(),
}
const { state: expired } = await start(hasty, 'google')
await new Promise((resolve) => setTimeout(resolve, 1_100))
const completed = await loginToFinish(service, 'google')
await finish(service, completed)

/** A refresh token whose successor was used: the grace is for the immediate parent alone. */
async function rotated(): Promise<string> {
  const { refreshToken } = await logIn(service, 'google')
  const next = await post(service, '/api/v1/oauth/refresh/', { refresh_token: refreshToken })
  await post(service, '/api/v1/oauth/refresh/', { refresh_token: text(next, 'refresh_token') })
  return refreshToken
}

async function filled(template: string, input: BadInput): Promise<string> {
  let result = template.replace('{{consumedState}}', completed.state).replace('{{usedCode}}', completed.code)
  for (const [name, make] of Object.entries(makers))
    if (result.includes(`{{${name}}}`)) result = result.replaceAll(`{{${name}}}`, await make(input))
  t.notMatch(result, /\{\{/, 'every placeholder is known')
  return result
}

async function send(input: BadInput) {
  const [method = '', pattern = ''] = input.endpoint.split(' ')
  const at = input.name === 'az-expired' ? hasty : service
  const path =
    pattern.replace('{provider}', input.provider ?? '') +
    (input.query ? `?${await filled(input.query, input)}` : '')
  const headers: Record<string, string> = {}
  if (input.contentType !== undefined) headers['Content-Type'] = input.contentType
  for (const [name, value] of Object.entries(input.headers ?? {})) headers[name] = await filled(value, input)
  if (input.jwt !== undefined) {
    const jwk = JSON.stringify(stranger.publicKey.export({ format: 'jwk' }))
    const recipe = JSON.parse(JSON.stringify(input.jwt).replace('"{{strangerJwk}}"', jwk))
    headers.Authorization = `Bearer ${forge(tokens.accessToken, recipe, ownKey)}`
  }
  const body = input.body === undefined ? undefined : await filled(input.body, input)
  if (input.raw) return rawAnswer(at.url, method, path, headers, body ?? '')
  return readResponse(
    await fetch(at.url + path, { method, headers, redirect: 'manual', ...(body !== undefined && { body }) }),
  )
}

/** What no HTTP client would send. */
function rawAnswer(url: string, method: string, path: string, headers: Record<string, string>, body: string) {
  const { hostname, port, host } = new URL(url)
  const all = {
    Host: host,
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return new Promise<Awaited<ReturnType<typeof readResponse>>>((resolve, reject) => {
    const socket = connect(Number(port), hostname, () =>
      socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`),
    )
    let received = ''
    socket.setEncoding('utf8').on('data', (chunk) => (received += String(chunk)))
    socket.once('error', reject).once('close', () => {
      const [head = '', ...rest] = received.split('\r\n\r\n')
      const [status = '', ...headerLines] = head.split('\r\n')
      const answer = new Response(rest.join('\r\n\r\n'), {
        status: Number(status.split(' ')[1]),
        headers: headerLines.map((line): [string, string] => {
          const colon = line.indexOf(':')
          return [line.slice(0, colon), line.slice(colon + 1).trim()]
        }),
      })
      resolve(readResponse(answer))
    })
  })
}

for (const input of inputs) {
  await t.test(`${input.name}: ${input.why}`, async (t) => {
    const answer = await send(input)
    t.ok(input.expectStatus.includes(answer.status), `${answer.status} ${answer.text}`)
    for (const name of input.mustNotHaveHeader ?? []) t.equal(answer.headers.get(name), null)
    if (answer.status < 400) return
    t.match(answer.headers.get('content-type'), /^application\/problem\+json/)
    t.match(answer.json, {
      type: /^urn:auth-movies:problem:/,
      status: answer.status,
      detail: /\.$/,
      user_message: /\.$/,
      request_id: /./,
    })
    t.notMatch(answer.text, /prisma|ioredis|at .*\.[jt]s|ECONN|node_modules/i, 'nothing internal')
    if (input.endpoint.includes('/oauth/'))
      t.match(answer.json, { error: /^\w+$/, error_description: /^[\x20-\x7e]+$/ })
    if (input.name === 'start-uri-not-url') t.match(answer.json.detail, /client_redirect_url/)
  })
}

t.test('a good login still works afterwards', async (t) => {
  t.match(await logIn(service, 'google'), { accessToken: /^ey/ })
  t.notOk(
    service.log.find((line) => /"level":50/.test(line)),
    'and nothing failed inside',
  )
})
