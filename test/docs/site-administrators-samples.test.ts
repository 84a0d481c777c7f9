import { createContext, runInContext } from 'node:vm'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import t from 'tap'
import { introspect, logInAt, revoke, sessionOf } from '../sessions/http/session-requests.ts'
import { redirectUrl, startTestService } from '../support/service.ts'
import { readGuide } from './guide.ts'

// The guide's samples in JavaScript, run as they stand.
const [en, ru] = [await readGuide('en', 'site-administrators'), await readGuide('ru', 'site-administrators')]
const service = await startTestService(t, { reachable: true })

type Variables = Readonly<Record<string, string>>
type Json = Readonly<Record<string, unknown>>

t.test('the samples in both languages differ in comments alone', async (t) => {
  const bare = (sample: string) => sample.replace(/ *\/\/ .*$/gm, '')
  t.equal(en.samples.length, 2)
  t.strictSame(ru.samples.map(bare), en.samples.map(bare))
})

interface Visit {
  readonly headers: Variables
  readonly query: Variables
  readonly body: Variables
  readonly session: { states?: readonly string[] }
}

/** The guide's sample of a site, run as it stands; `redirects` and `tokens` are what it did. */
function sampleSite(sample: string) {
  const redirects: string[] = []
  const tokens: Json[] = []
  const logged: unknown[][] = []
  const context = createContext({
    fetch,
    URLSearchParams,
    AbortSignal,
    btoa,
    console: { error: (...words: unknown[]) => void logged.push(words) },
    AUTH: service.url,
    SITE_ID: service.site.id,
    SITE_SECRET: service.site.secret,
    REDIRECT_URL: redirectUrl,
    LoginError: class LoginError extends Error {},
    newSessionFor: async (_request: Visit, pair: Json) => void tokens.push(pair),
  })
  type Handler = (request: Visit, response: { redirect(status: number, url: string): void }) => Promise<void>
  type Post = (request: Visit, path: string, parameters: Variables) => Promise<Json>
  const site: { login: Handler; loginReturn: Handler; post: Post } = runInContext(
    `${sample}\n;({ login, loginReturn, post })`,
    context,
  )
  const response = { redirect: (_status: number, url: string) => void redirects.push(url) }
  return {
    redirects,
    tokens,
    logged,
    post: site.post,
    login: (visit: Visit) => site.login(visit, response),
    loginReturn: (visit: Visit) => site.loginReturn(visit, response),
  }
}

t.test('sample: compare state', async (t) => {
  const site = sampleSite(en.samples[0] ?? '')
  const session: Visit['session'] = {}
  const none = { headers: {}, query: {}, body: {}, session }
  await site.login({ ...none, body: { provider: 'yandex' } })
  await site.login({ ...none, body: { provider: 'yandex' } })
  const [first = '', second = ''] = site.redirects.splice(0)
  t.equal(session.states?.length, 2, 'a login in each of two tabs')

  const back = async (authorizeUrl: string): Promise<Variables> => {
    const callback = new URL(await service.doubles.yandex.consent(authorizeUrl))
    const answer = await fetch(service.url + callback.pathname + callback.search, { redirect: 'manual' })
    return Object.fromEntries(new URL(answer.headers.get('location') ?? '').searchParams)
  }
  const query = await back(first)
  await site.loginReturn({ ...none, query, session: {} })
  t.match(site.redirects.splice(0), [/other-browser/], 'login CSRF: the state of another browser')
  t.strictSame(site.tokens, [])
  await site.loginReturn({ ...none, query })
  t.strictSame(site.redirects.splice(0), ['/'])
  t.match(site.tokens, [{ access_token: String, refresh_token: String, token_type: 'Bearer' }])
  const revoked = await site.post(none, '/api/v1/oauth/revoke/', {
    token: String(site.tokens[0]?.refresh_token),
  })
  t.strictSame({ ...revoked }, {}, 'an answer without a body')
  await site.loginReturn({ ...none, query })
  t.match(site.redirects.splice(0), [/other-browser/], 'a reloaded page')

  await site.loginReturn({ ...none, query: { ...(await back(second)), error: 'access_denied' } })
  t.match(site.redirects.splice(0), [/reason=provider/])

  const wrong = { ...none, body: { provider: 'nobody' }, headers: { 'accept-language': 'ru' } }
  await t.rejects(
    site.login(wrong),
    { name: 'Error', message: /^[А-Я][^A-Za-z]+[.]$/ },
    'words for the visitor',
  )
  t.match(site.logged, [[/:unknown-provider$/, /^[\w-]+$/, /^[\x20-\x7e]+$/]], 'and English for the log')
})

t.test('sample: check an access token', async (t) => {
  const sample = (en.samples[1] ?? '').replace(
    /^import \{ createRemoteJWKSet, jwtVerify \} from 'jose'$/m,
    '',
  )
  const userOf = (accessToken: string): Promise<unknown> =>
    runInContext(
      `(async () => { ${sample}; return userId })()`,
      createContext({
        URL,
        createRemoteJWKSet,
        jwtVerify,
        accessToken,
        AUTH: service.url,
        SITE_ID: service.site.id,
      }),
    )
  const { accessToken, refreshToken } = await logInAt(service)
  t.equal(await userOf(accessToken), decodeJwt(accessToken).sub)
  await t.rejects(userOf(refreshToken))
  await t.rejects(userOf(`${accessToken}x`))
})

t.test(
  'after a logout the offline check still accepts the token, as the guide warns, and asking does not',
  async (t) => {
    const pair = await logInAt(service)
    await revoke(service, pair.refreshToken)
    const keys = createRemoteJWKSet(new URL(`${service.url}/.well-known/jwks.json`))
    t.match(await jwtVerify(pair.accessToken, keys), { payload: { sid: sessionOf(pair) } })
    t.strictSame((await introspect(service, pair.accessToken)).json, { active: false })
  },
)
