import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { decodeJwt } from 'jose'
import type { Test } from 'tap'
import t from 'tap'
import { problems } from '../../src/problems/table.ts'
import { logInAt, me, problemOf, refresh } from '../sessions/http/session-requests.ts'
import { finish, loginToFinish } from '../support/login-flow.ts'
import { redirectUrl, startTestService } from '../support/service.ts'
import { readGuide } from './guide.ts'

const [en, ru] = [await readGuide('en', 'site-administrators'), await readGuide('ru', 'site-administrators')]
const service = await startTestService(t, { reachable: true })
const execute = promisify(execFile)

/** What a reader has set in the shell. */
const always = {
  AUTH: service.url,
  REDIRECT_URL: redirectUrl,
  SITE_ID: service.site.id,
  SITE_SECRET: service.site.secret,
}
type Variables = Readonly<Record<string, string>>
type Json = Readonly<Record<string, unknown>>

/** Runs a block unchanged. Its curl has no `-f`, so that an error response is printed, too. */
async function run(name: string, variables: Variables = {}): Promise<string> {
  const env = { PATH: process.env.PATH, ...always, ...variables }
  const { stdout } = await execute('bash', ['-euo', 'pipefail', '-c', en.requests.get(name) ?? 'false'], {
    env,
  })
  return stdout
}

async function answer(name: string, variables?: Variables): Promise<Json> {
  const json: unknown = JSON.parse(await run(name, variables))
  if (typeof json !== 'object' || json === null) throw new Error(`${name} answered no object`)
  return Object.fromEntries(Object.entries(json))
}

/** Every character that a shell, a form or a multipart body could mistake. */
const code = `4/0A+x=y&z%2F@<;"'$HOME \\b`
const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
const challenge = createHash('sha256').update(verifier).digest('base64url')

/** A login up to the finish, a new one for each block. */
async function answered(fields: Variables = {}): Promise<Variables> {
  const login = await loginToFinish(service, 'yandex', { code: `${code}${performance.now()}`, fields })
  return { STATE: login.state, CODE: login.code }
}

async function loggedIn(): Promise<Variables> {
  const { accessToken, refreshToken } = await logInAt(service)
  return { ACCESS_TOKEN: accessToken, REFRESH_TOKEN: refreshToken }
}

const pair = { access_token: String, refresh_token: String, token_type: 'Bearer', expires_in: 900 }

async function starts(t: Test, name: string, variables?: Variables): Promise<URL> {
  const started = await answer(name, variables)
  t.strictSame(Object.keys(started).toSorted(), ['authorize_url', 'state'])
  t.match(started.state, /^[\w-]{43}$/)
  return new URL(String(started.authorize_url))
}

async function finishes(t: Test, name: string, variables: Variables): Promise<void> {
  const tokens = await answer(name, variables)
  t.match(tokens, pair)
  t.equal((await me(service, String(tokens.access_token))).status, 200)
}

async function refreshes(t: Test, name: string): Promise<void> {
  const variables = await loggedIn()
  const tokens = await answer(name, variables)
  t.match(tokens, pair)
  t.match(decodeJwt(String(tokens.refresh_token)), { gen: 1 })
  t.match(await answer(name, variables), pair, 'the same token again within the grace, as the guide says')
}

async function revokes(t: Test, name: string): Promise<void> {
  const variables = await loggedIn()
  const { ACCESS_TOKEN = '', REFRESH_TOKEN = '' } = variables
  for (let n = 0; n < 2; n++) t.notOk((await run(name, variables)).includes('error'), 'also when repeated')
  t.equal(problemOf(await refresh(service, REFRESH_TOKEN)), 'session-ended')
  t.equal((await me(service, ACCESS_TOKEN)).status, 401)
}

/** What each request of the guide must do. */
const outcomes: Readonly<Record<string, (t: Test, name: string) => Promise<void>>> = {
  providers: async (t, name) => {
    const { providers } = await answer(name)
    t.match(providers, [{ name: 'yandex' }, { name: 'google' }, { name: 'mail' }])
    const [sample = ''] = /^\{\n {2}"providers".*?^\}$/ms.exec(en.text) ?? []
    const shape = (list: unknown) =>
      [list].flat().map((one) => Object.entries(Object(one)).map(([key, value]) => [key, typeof value]))
    const shown: Json = JSON.parse(sample)
    t.strictSame(shape(shown.providers)[0], shape(providers)[0], 'the guide shows every member')
  },
  'start-plain': async (t, name) => void (await starts(t, name)),
  'start-multipart': async (t, name) => void (await starts(t, name)),
  start: async (t, name) => {
    await starts(t, name)
    t.match(await answer(name, { SITE_SECRET: 'wrong' }), { status: 401, error: 'invalid_client' })
  },
  'start-for-visitor': async (t, name) => void (await starts(t, name)),
  'start-with-challenge': async (t, name) => void (await starts(t, name, { CODE_VERIFIER: verifier })),
  'make-verifier': async (t, name) => {
    const [one, two] = [await run(name), await run(name)]
    t.match(one, /^[\w-]{43}$/)
    t.not(one, two)
  },
  'finish-plain': async (t, name) => finishes(t, name, await answered()),
  'finish-multipart': async (t, name) => finishes(t, name, await answered()),
  finish: async (t, name) => {
    const login = await answered()
    await finishes(t, name, login)
    t.match(await answer(name, login), pair, 'may be repeated for 60 s, as the guide says')
  },
  'finish-with-verifier': async (t, name) => {
    const login = await answered({ code_challenge: challenge, code_challenge_method: 'S256' })
    t.match(await answer(name, { ...login, CODE_VERIFIER: `${verifier}x` }), { status: 400 })
    await finishes(t, name, { ...login, CODE_VERIFIER: verifier })
    t.match(await answer(name, { ...login, CODE_VERIFIER: verifier }), pair)
  },
  me: async (t, name) => {
    const login = await loggedIn()
    const { sub } = decodeJwt(login.ACCESS_TOKEN ?? '')
    const person = await answer(name, login)
    t.match(person, { id: sub, name: String, login: String, email: String })
    const [sample = ''] = /\{[^{}]*"email_verified"[^{}]*\}/.exec(en.text) ?? []
    t.strictSame(Object.keys(person), Object.keys(JSON.parse(sample)), 'the guide shows every member')
  },
  refresh: refreshes,
  'refresh-plain': refreshes,
  jwks: async (t, name) => {
    t.match(await answer(name), { keys: [{ kty: 'OKP', alg: 'EdDSA', use: 'sig' }] })
  },
  metadata: async (t, name) => {
    t.match(await answer(name), {
      issuer: service.url,
      token_endpoint: `${service.url}/api/v1/oauth/token/`,
    })
  },
  introspect: async (t, name) => {
    const login = await loggedIn()
    t.match(await answer(name, login), { active: true, client_id: service.site.id })
    t.equal((await refresh(service, login.REFRESH_TOKEN ?? '')).status, 200, 'asking changes nothing')
  },
  revoke: revokes,
  'revoke-plain': revokes,
  sessions: async (t, name) => {
    const login = await loggedIn()
    const { sid } = decodeJwt(login.ACCESS_TOKEN ?? '')
    t.match(await answer(name, login), { sessions: [{ id: sid, current: true, provider: 'yandex' }] })
  },
  'logout-everywhere': async (t, name) => {
    const [here, elsewhere] = [await loggedIn(), await loggedIn()]
    t.equal(await run(name, here), '')
    for (const { ACCESS_TOKEN = '' } of [here, elsewhere])
      t.equal((await me(service, ACCESS_TOKEN)).status, 401)
  },
  site: async (t, name) => {
    const { id } = service.site
    const about = await answer(name)
    t.match(about, { id })
    t.ok(JSON.stringify(about).includes(redirectUrl))
    t.notOk(JSON.stringify(about).includes(service.site.secret))
    t.match(await answer(name, { SITE_SECRET: 'wrong' }), { status: 401 })
  },
  logins: async (t, name) => {
    await loggedIn()
    t.match(await answer(name), { logins: [{ provider: 'yandex', outcome: 'success' }] })
  },
  'failed-logins': async (t, name) => {
    await loggedIn()
    const { STATE: state = '' } = await answered()
    const refused = await finish(service, { provider: 'google', state, code: 'x' })
    t.equal(problemOf(refused), 'provider-mismatch')
    const { logins } = await answer(name)
    t.match(logins, [{ outcome: 'failed', problem: 'provider-mismatch' }])
    t.notMatch(JSON.stringify(logins), /"success"/)
  },
}

for (const [name, check] of Object.entries(outcomes)) t.test(`request: ${name}`, async (t) => check(t, name))

t.test('every request of the guide is tested above, and both languages have the same', async (t) => {
  t.strictSame([...en.requests.keys()].toSorted(), Object.keys(outcomes).toSorted())
  t.strictSame([...ru.requests], [...en.requests])
})

t.test('both languages explain every problem that a site can meet, with its status', async (t) => {
  const document = await (await fetch(`${service.url}/openapi.json`)).text()
  const met = new Set(
    [...document.matchAll(/"type":"urn:auth-movies:problem:([a-z-]+)"/g)].map(([, name]) => name),
  )
  t.ok(met.size > 30)
  const known: Readonly<Record<string, { readonly status: number }>> = problems
  for (const guide of [en, ru]) {
    const rows = [...guide.text.matchAll(/^\| `([a-z-]+)` (\d{3}) \|/gm)]
    for (const [, name = '', status] of rows) t.equal(Number(status), known[name]?.status, name)
    const explained = new Set(rows.map(([, name]) => name))
    t.strictSame(
      [...met].filter((name) => !explained.has(name)),
      [],
    )
  }
})
