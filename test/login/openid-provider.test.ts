import { createServer } from 'node:http'
import { exportJWK, generateKeyPair } from 'jose'
import { Provider } from 'oidc-provider'
import type { Test } from 'tap'
import t from 'tap'
import { authorize } from '../openid/standard-client.ts'
import { expectProblem } from '../support/expect-problem.ts'
import type { Answer } from '../support/login-flow.ts'
import { finish, get, locationFields, post, text } from '../support/login-flow.ts'
import { eventually, freePort, listenOnLoopback } from '../support/process.ts'
import type { TestService } from '../support/service.ts'
import { publicUrl, redirectUrl, startDoubles, startTestService } from '../support/service.ts'

// An OpenID provider that others wrote (oidc-provider, certified), added by configuration alone.

const callbackUrl = `${publicUrl}/api/v1/oauth/callback/corp`
const keys = await Promise.all(
  (['RS256', 'ES256', 'Ed25519'] as const).map(async (alg) => {
    const { privateKey } = await generateKeyPair(alg, { extractable: true })
    return { ...(await exportJWK(privateKey)), alg, use: 'sig' }
  }),
)

interface ClientSettings {
  readonly token_endpoint_auth_method?: string
  readonly id_token_signed_response_alg?: string
}

/** Serves the provider, at a free port unless one is given. @returns its issuer */
async function serveProvider(t: Test, client: ClientSettings = {}, port = 0): Promise<string> {
  const server = createServer()
  const at = port === 0 ? await listenOnLoopback(server) : port
  const issuer = `http://127.0.0.1:${at}`
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'auth-movies',
        ...(client.token_endpoint_auth_method !== 'none' && { client_secret: 'a+secret' }),
        redirect_uris: [callbackUrl],
        ...client,
      },
    ],
    jwks: { keys },
    cookies: { keys: ['a key for cookies'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'] },
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'Ed25519'] },
    findAccount: (_context: unknown, sub: string) => ({
      accountId: sub,
      claims: () => ({ sub, name: 'Анна Петрова', email: `${sub}@corp.example`, email_verified: true }),
    }),
  })
  server.on('request', provider.callback())
  if (port !== 0) await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return issuer
}

/** A service that knows the provider by configuration, and a site that may use it. */
async function serve(t: Test, issuer: string, env: Record<string, string> = {}): Promise<TestService> {
  const service = await startTestService(t, {
    doubles: await startDoubles(t),
    env: {
      OIDC_PROVIDERS: 'corp',
      CORP_ISSUER: issuer,
      CORP_CLIENT_ID: 'auth-movies',
      CORP_CLIENT_SECRET: 'a+secret',
      CORP_TITLE_EN: 'Company login',
      ...env,
    },
  })
  await service.database.pool.query(`UPDATE sites SET providers = providers || 'corp'::text WHERE id = $1`, [
    service.site.id,
  ])
  return service
}

async function listed(service: TestService): Promise<unknown> {
  const { providers } = (await get(service, '/api/v1/oauth/providers/')).json
  return Array.isArray(providers) ? providers.find((one: { name: string }) => one.name === 'corp') : undefined
}

const begin = (service: TestService) =>
  post(service, '/api/v1/oauth/authorize-url/', { provider: 'corp', client_redirect_url: redirectUrl })

/** A person at the pages of the provider: logs in and consents. @returns the callback URL */
async function consentAt(authorizeUrl: string, login: string): Promise<URL> {
  const cookies = new Map<string, string>()
  let [url, form] = [new URL(authorizeUrl), undefined as Record<string, string> | undefined]
  for (let step = 0; step < 12; step++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    const page = await response.text()
    const location = response.headers.get('location')
    const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1]
    if (location === null && action === undefined) throw new Error(`${response.status} ${page}`)
    url = new URL(location ?? action ?? '', url)
    if (url.href.startsWith(callbackUrl)) return url
    const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1] ?? ''
    form = location === null ? { prompt, login, password: 'any' } : undefined
  }
  throw new Error('The pages of the provider do not end.')
}

async function logIn(service: TestService, login: string): Promise<Answer> {
  const started = await begin(service)
  const callback = await consentAt(text(started, 'authorize_url'), login)
  const back = await get(service, callback.pathname + callback.search)
  const finished = await finish(service, Object.fromEntries(locationFields(back)))
  const authorization = `Bearer ${text(finished, 'access_token')}`
  return get(service, '/api/v1/me/', { authorization })
}

const clients: readonly (readonly [string, ClientSettings, Record<string, string>])[] = [
  ['a secret in HTTP Basic, RS256', {}, {}],
  [
    'a secret in the body, ES256',
    { token_endpoint_auth_method: 'client_secret_post', id_token_signed_response_alg: 'ES256' },
    { CORP_TOKEN_AUTH: 'body' },
  ],
  [
    'no secret, Ed25519',
    { token_endpoint_auth_method: 'none', id_token_signed_response_alg: 'Ed25519' },
    { CORP_TOKEN_AUTH: 'none', CORP_CLIENT_SECRET: '' },
  ],
]
for (const [title, client, env] of clients)
  t.test(`a person logs in: ${title}`, async (t) => {
    const service = await serve(t, await serveProvider(t, client), env)
    await eventually(async () => {
      if ((await begin(service)).status !== 200) throw new Error('not discovered yet')
    })
    t.match(await listed(service), {
      name: 'corp',
      title: { ru: 'Company login', en: 'Company login' },
      available: true,
      gives: ['name', 'email'],
    })
    const me = await logIn(service, 'anna')
    t.match(me.json, {
      name: 'Анна Петрова',
      login: null,
      email: 'anna@corp.example',
      email_verified: true,
      provider: 'corp',
    })
    t.equal((await logIn(service, 'anna')).json.id, me.json.id, 'the same person again')
    t.not((await logIn(service, 'boris')).json.id, me.json.id)
  })

t.test('what a site is told of an answer that is not as the provider promised', async (t) => {
  const service = await serve(t, await serveProvider(t))
  await eventually(async () => {
    if ((await begin(service)).status !== 200) throw new Error('not discovered yet')
  })
  const started = await begin(service)
  const callback = await consentAt(text(started, 'authorize_url'), 'anna')
  const issuer = callback.searchParams.get('iss') ?? ''
  t.ok(issuer.startsWith('http://127.0.0.1:'), 'it promises `iss`, and sends it')
  callback.searchParams.delete('iss')
  const without = await get(service, callback.pathname + callback.search)
  expectProblem(t, without, { status: 400, type: 'issuer-mismatch', error: 'invalid_request' })
  callback.searchParams.set('iss', 'https://another.example')
  const other = await get(service, callback.pathname + callback.search)
  expectProblem(t, other, { status: 400, type: 'issuer-mismatch', error: 'invalid_request' })
  callback.searchParams.set('iss', issuer)
  const back = await get(service, callback.pathname + callback.search)
  const fields = Object.fromEntries(locationFields(back))
  t.equal((await finish(service, fields)).status, 200, 'neither used the login up')
})

t.test('a provider that is away at the start keeps nobody from starting, and is found later', async (t) => {
  const port = await freePort()
  const service = await serve(t, `http://127.0.0.1:${port}`)
  const failed = () => service.log.find((one) => one.includes('background work of a provider failed'))
  t.match(await listed(service), { available: false })
  const refused = await begin(service)
  expectProblem(t, refused, {
    status: 503,
    type: 'provider-unavailable',
    error: 'temporarily_unavailable',
    retryAfter: [1, 10],
  })
  t.match(await service.metrics.registry.metrics(), /provider_breaker_state\{provider="corp"\} 2\b/)
  await eventually(async () => {
    if (failed() === undefined) throw new Error('not logged yet')
  })
  t.match(JSON.parse(failed() ?? '{}'), { provider: 'corp', work: 'discovery', level: 40 })
  await serveProvider(t, {}, port)
  await eventually(async () => {
    if ((await begin(service)).status !== 200) throw new Error('not discovered yet')
  }, 15_000)
  t.match((await logIn(service, 'anna')).json, { provider: 'corp' })
  t.match(await service.metrics.registry.metrics(), /provider_breaker_state\{provider="corp"\} 0\b/)
})

t.test('what a standard client asks of the person is handed on to a provider that knows it', async (t) => {
  const service = await serve(t, await serveProvider(t))
  await eventually(async () => {
    const asked = await authorize(service, service.site, {
      provider: 'corp',
      max_age: '600',
      prompt: 'consent',
    })
    const url = new URL(asked.headers.get('location') ?? '')
    if (url.origin === new URL(redirectUrl).origin) throw new Error('not connected yet')
    t.match(Object.fromEntries(url.searchParams), { max_age: '600', prompt: 'consent' })
  })
})
