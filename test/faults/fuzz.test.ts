import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { namesOf } from '../../sandbox/doubles/index.ts'
import { finish, get, logIn, loginToFinish, start } from '../support/login-flow.ts'
import { redirectUrl, startTestService } from '../support/service.ts'
import { injection, randomRequest } from './random-requests.ts'
import type { RawAnswer, RawRequest } from './raw-http.ts'
import { sendRaw } from './raw-http.ts'

/** How many requests run at once, and how often. */
const together = 10
const rounds = 150

const OpenApi = Type.Object({ paths: Type.Record(Type.String(), Type.Unknown()) })
const ProblemBody = Type.Object({
  type: Type.String({ pattern: '^urn:auth-movies:problem:[a-z-]+$' }),
  title: Type.String({ minLength: 1 }),
  status: Type.Number(),
  detail: Type.String({ minLength: 1 }),
  docs: Type.String({ minLength: 1 }),
  request_id: Type.String({ minLength: 1 }),
})

/** What no response may reveal: source files, libraries, storage. */
const internals =
  /node_modules|\/src\/|\bat [\w.]+ \(|\.ts:\d+|prisma|postgres|redis|ioredis|fastify|ajv|busboy|typebox|SELECT .* FROM|TypeError|SyntaxError|ECONN/i

/** Where a browser is shown a page. */
const isForPeople = (target: string) => /^\/api\/v1\/oauth\/(callback\/|login|logout)/.test(target)
/** The endpoints whose error responses are application/json for OAuth clients that accept only this type. */
const isStandard = (target: string) =>
  /^\/api\/v1\/oauth\/(refresh|revoke|introspect|token)\/?(\?|$)/.test(target)

/** The response is an HTML page where a browser may ask, otherwise problem+json, and reveals no internals. */
function holdAnswer(request: RawRequest, answer: RawAnswer, secrets: readonly string[]): void {
  const { status, headers, body } = answer
  assert.ok(status !== undefined, 'it answers')
  assert.ok(status < 500, `${status} ${body}`)
  assert.equal(headers.get('x-injected'), undefined, 'no header of the caller’s making')
  assert.ok(!body.includes(injection), 'nothing is echoed unescaped')
  if (status < 400) return
  assert.equal(headers.get('location'), undefined, 'no redirect')
  for (const secret of secrets) assert.ok(!body.includes(secret), 'no secret')
  if (request.method === 'HEAD') return
  const type = headers.get('content-type') ?? ''
  if (type.startsWith('text/html')) {
    assert.ok(isForPeople(request.target), 'a page only where people come')
    assert.doesNotMatch(body, internals)
    return
  }
  assert.match(
    type,
    isStandard(request.target) ? /^application\/(problem\+)?json/ : /^application\/problem\+json/,
  )
  const problem = Value.Parse(ProblemBody, JSON.parse(body))
  assert.equal(problem.status, status)
  assert.doesNotMatch(`${problem.title} ${problem.type}`, internals)
  // The name of a parameter may come from the caller.
  if (!/parameter/.test(problem.type)) assert.doesNotMatch(problem.detail, internals)
}

t.test('random requests never get 5xx, reveal no internals, and do not disturb logins', async (t) => {
  const service = await startTestService(t, { env: { RATE_LIMIT: 'off' } })
  const port = Number(new URL(service.url).port)
  const tokens = await logIn(service, 'google')
  const login = await loginToFinish(service)
  const { state } = await start(service, 'mail')
  const { paths } = Value.Parse(OpenApi, (await get(service, '/openapi.json')).json)
  const known = {
    paths: [
      ...Object.keys(paths).map((path) => path.replace(/\{\w+\}/g, 'yandex')),
      ...namesOf(service.doubles).map((provider) => `/api/v1/oauth/callback/${provider}`),
      '/api/v1/me/sessions/0199c0de-0000-7000-8000-000000000000',
      '/problems/not-found',
      '/openapi.json',
      '/docs',
    ],
    values: [
      ...namesOf(service.doubles),
      redirectUrl,
      state,
      login.state,
      login.code,
      tokens.accessToken,
      tokens.refreshToken,
      service.site.id,
      service.site.secret,
      'S256',
      'select_account',
      'refresh_token',
      'access_denied',
      'https://oauth.yandex.ru',
      'x'.repeat(43),
    ],
    forms: [
      Object.entries({ provider: 'yandex', client_redirect_url: redirectUrl }),
      Object.entries(login),
      Object.entries({ state, code: 'code-of-mail' }),
      Object.entries({ state: login.state, code: login.code }),
      Object.entries({ grant_type: 'refresh_token', refresh_token: tokens.refreshToken }),
      Object.entries({ token: tokens.accessToken }),
    ],
  }
  const secrets = [
    service.site.secret,
    tokens.accessToken,
    tokens.refreshToken,
    login.state,
    login.code,
    state,
  ]
  const statuses = new Map<number, number>()

  await fc.assert(
    fc.asyncProperty(
      fc.array(randomRequest(known), { minLength: together, maxLength: together }),
      async (requests) => {
        await Promise.all(
          requests.map(async (request) => {
            const answer = await sendRaw(port, request)
            const { status = 0 } = answer
            statuses.set(status, (statuses.get(status) ?? 0) + 1)
            holdAnswer(request, answer, secrets)
          }),
        )
      },
    ),
    { numRuns: rounds, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true },
  )
  const sent = [...statuses.values()].reduce((sum, count) => sum + count, 0)
  t.equal(sent, together * rounds, `${sent} requests: ${JSON.stringify([...statuses])}`)
  for (const status of [200, 302, 400, 401, 404, 405, 413, 415, 417])
    t.ok(statuses.has(status), `${status} among them`)
  t.strictSame(
    service.log.filter((line) => /"level":(50|60)/.test(line)),
    [],
    'nothing failed inside',
  )
  for (const provider of namesOf(service.doubles))
    t.equal((await finish(service, await loginToFinish(service, provider))).status, 200, provider)
})
