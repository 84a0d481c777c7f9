import t from 'tap'
import { expectProblem } from '../support/expect-problem.ts'
import type { Encoding } from '../support/login-flow.ts'
import { basic, finish, logIn, loginToFinish, post, text } from '../support/login-flow.ts'
import { redirectUrl, registerSite, startTestService } from '../support/service.ts'

const service = await startTestService(t, { env: { RATE_LIMIT: 'off' } })
const { site } = service
const other = await registerSite(service.database, 'https://other.example/return')
const inBody = ({ id, secret }: { id: string; secret: string }) => ({ client_id: id, client_secret: secret })

/** The five requests that accept credentials in their body, each with otherwise valid fields. */
const requests = {
  start: {
    path: '/api/v1/oauth/authorize-url/',
    fields: async () => ({ provider: 'yandex', client_redirect_url: redirectUrl }),
  },
  finish: { path: '/api/v1/oauth/authorize/', fields: () => loginToFinish(service) },
  refresh: {
    path: '/api/v1/oauth/refresh/',
    fields: async () => ({ refresh_token: (await logIn(service)).refreshToken }),
  },
  revoke: {
    path: '/api/v1/oauth/revoke/',
    fields: async () => ({ token: (await logIn(service)).refreshToken }),
  },
  introspect: {
    path: '/api/v1/oauth/introspect/',
    fields: async () => ({ token: (await logIn(service)).refreshToken }),
  },
} as const

for (const [name, { path, fields }] of Object.entries(requests))
  t.test(`${name} takes HTTP Basic or the body, and checks what comes`, async (t) => {
    const good: Readonly<Record<string, string>> = await fields()
    const send = (own: Readonly<Record<string, string>>, headers = {}, encoding: Encoding = 'urlencoded') =>
      post(service, path, { ...good, ...own }, { headers, encoding })
    const wrong = { ...site, secret: other.secret }
    const refused = { status: 401, type: 'wrong-credentials', error: 'invalid_client' } as const
    expectProblem(t, await send({}, basic(wrong)), refused, 'Basic')
    for (const encoding of ['urlencoded', 'multipart', 'json'] as const)
      expectProblem(t, await send(inBody(wrong), {}, encoding), refused, encoding)
    expectProblem(t, await send({ client_secret: site.secret }), refused, 'a secret that nobody claims')
    expectProblem(t, await send(inBody({ ...site, id: '' })), refused, 'an empty id')
    expectProblem(t, await send({ client_id: other.id }, basic(wrong)), {
      status: 400,
      type: 'invalid-parameter',
      error: 'invalid_request',
    })
    const contradicting = { status: 400, type: 'invalid-parameter', error: 'invalid_request' } as const
    expectProblem(t, await send(inBody(wrong), basic(site)), contradicting, 'another secret in the body')
    expectProblem(t, await send(inBody(other), basic(site)), contradicting, 'another site in the body')
    const answer = await send(inBody(site), basic(site))
    t.equal(answer.status, 200, `the same in both places: ${answer.text}`)
    const again = await post(service, path, { ...(await fields()), ...inBody(site) })
    t.equal(again.status, 200, `in the body alone: ${again.text}`)
  })

t.test('an empty secret counts as none, in the header and in the body', async (t) => {
  const empty = inBody({ ...site, secret: '' })
  const { path, fields } = requests.start
  t.equal((await post(service, path, { ...(await fields()), ...empty })).status, 200)
  t.equal((await post(service, path, { ...(await fields()), client_id: 'anything' })).status, 200)
  const both = await post(
    service,
    path,
    { ...(await fields()), ...empty },
    { headers: basic({ ...site, secret: '' }) },
  )
  t.equal(both.status, 200)
})

t.test('a site that requires its secret may send it in the body', async (t) => {
  const guardedUrl = 'https://guarded.example/return'
  const guarded = await registerSite(service.database, guardedUrl, true)
  const { path } = requests.start
  const fields = { provider: 'yandex', client_redirect_url: guardedUrl }
  const required = { status: 401, type: 'secret-required', error: 'invalid_client' } as const
  expectProblem(t, await post(service, path, { ...fields, client_id: guarded.id }), required)
  const started = await post(service, path, { ...fields, ...inBody(guarded) })
  t.equal(started.status, 200, started.text)
})

t.test("a finish with another site's credentials does not use up the login", async (t) => {
  const login = await loginToFinish(service)
  const foreign = { status: 400, type: 'site-mismatch', error: 'invalid_grant' } as const
  expectProblem(t, await finish(service, { ...login, ...inBody(other) }), foreign)
  t.match(text(await finish(service, login), 'access_token'), /^ey/)
})

t.test('one blank or more stand between Basic and the credentials (RFC 9110 §11.4)', async (t) => {
  const { path, fields } = requests.introspect
  const { authorization = '' } = basic(site)
  for (const [blanks, status] of [
    [' ', 200],
    ['  ', 200],
    [' '.repeat(20), 200],
    ['\t', 401],
  ] as const) {
    const headers = { authorization: authorization.replace(' ', blanks) }
    const answer = await post(service, path, await fields(), { headers })
    t.equal(answer.status, status, JSON.stringify(blanks))
  }
})

t.test('an optional parameter without a value counts as omitted (RFC 6749 §3.1)', async (t) => {
  const empty: Readonly<Record<keyof typeof requests, readonly string[]>> = {
    start: ['code_challenge', 'code_challenge_method', 'login_hint', 'user_ip', 'prompt'],
    finish: ['code_verifier'],
    refresh: ['grant_type'],
    revoke: ['token_type_hint'],
    introspect: ['token_type_hint'],
  }
  for (const [name, { path, fields }] of Object.entries(requests))
    for (const encoding of ['urlencoded', 'multipart', 'json'] as const) {
      const names = Object.entries(empty).find(([one]) => one === name)?.[1] ?? []
      const all = { ...(await fields()), ...Object.fromEntries(names.map((one) => [one, ''])) }
      const answer = await post(service, path, all, { encoding, headers: basic(site) })
      t.equal(answer.status, 200, `${name} ${encoding} ${answer.text}`)
      const without = { ...all, client_id: '', client_secret: '' }
      if (name === 'start') t.equal((await post(service, path, without, { encoding })).status, 200)
    }
  const { path, fields } = requests.start
  const invalid = { status: 400, type: 'invalid-parameter', error: 'invalid_request' } as const
  for (const half of [
    { code_challenge: '', code_challenge_method: 'S256' },
    { code_challenge: 'a'.repeat(43), code_challenge_method: '' },
    { provider: '' },
  ])
    t.match((await post(service, path, { ...(await fields()), ...half })).json, { status: 400 })
  expectProblem(t, await post(service, path, { ...(await fields()), client_redirect_url: '' }), invalid)
})
