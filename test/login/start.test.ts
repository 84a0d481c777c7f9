import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { OutgoingHttpHeaders } from 'node:http'
import { request } from 'node:http'
import t from 'tap'
import { namesOf } from '../../sandbox/doubles/index.ts'
import { addSite, updateSite } from '../../src/sites/store.ts'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import type { Answer, ProviderName } from '../support/login-flow.ts'
import { basic, finish, loginToFinish, openCallback, post, start, text } from '../support/login-flow.ts'
import { eventually } from '../support/process.ts'
import { publicUrl, redirectUrl, registerSite, startDoubles, startTestService } from '../support/service.ts'

const path = '/api/v1/oauth/authorize-url/'
const rules = { providers: ['yandex', 'google', 'mail'], loopback: true }
const service = await startTestService(t)
const other = await registerSite(service.database, 'https://other.example/return')
const guarded = 'https://guarded.example/return'
const guardedSite = await registerSite(service.database, guarded, true)

const ask = (
  fields: Readonly<Record<string, string>> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> =>
  post(service, path, { provider: 'yandex', client_redirect_url: redirectUrl, ...fields }, { headers })

const challenge = createHash('sha256').update('v'.repeat(43)).digest('base64url')
const encoded = (credentials: string, scheme = 'Basic') => ({
  authorization: `${scheme} ${Buffer.from(credentials).toString('base64')}`,
})

t.test('the response has state and authorize_url and nothing else', async (t) => {
  const answer = await ask()
  t.equal(answer.status, 200)
  t.strictSame(Object.keys(answer.json).toSorted(), ['authorize_url', 'state'])
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.match(text(answer, 'state'), /^[A-Za-z0-9_-]{43}$/)
  const url = new URL(text(answer, 'authorize_url'))
  t.equal(url.searchParams.get('state'), answer.json.state)
  t.strictSame([...url.searchParams.keys()].toSorted(), [
    'client_id',
    'code_challenge',
    'code_challenge_method',
    'redirect_uri',
    'response_type',
    'scope',
    'state',
  ])
})

t.test('each provider gets the parameters of its own authorization request', async (t) => {
  const asked = async (provider: ProviderName, fields: Record<string, string>) => {
    const { authorizeUrl } = await start(service, provider, fields)
    t.ok(await service.doubles[provider].consent(authorizeUrl), 'the provider takes it')
    return Object.fromEntries(new URL(authorizeUrl).searchParams)
  }
  const wishes = { login_hint: 'anna@mail.example', prompt: 'select_account' }
  const yandex = await asked('yandex', wishes)
  t.match(yandex, { login_hint: 'anna@mail.example', force_confirm: 'yes' })
  t.notOk('prompt' in yandex || 'nonce' in yandex)
  t.notOk('force_confirm' in (await asked('yandex', {})), 'only where it was wished')
  const google = await asked('google', wishes)
  t.match(google, { ...wishes, nonce: /^[A-Za-z0-9_-]{22,}$/, scope: /(^| )openid( |$)/ })
  t.not((await asked('google', {})).nonce, google.nonce, 'another nonce each time')
  t.notOk('login_hint' in (await asked('google', { login_hint: '' })), 'an empty hint is none')
  const mail = await asked('mail', wishes)
  t.notOk('login_hint' in mail || 'prompt' in mail, 'Mail documents neither')
  for (const [provider, sent] of Object.entries({ yandex, google, mail }))
    t.match(sent, {
      response_type: 'code',
      redirect_uri: `${publicUrl}/api/v1/oauth/callback/${provider}`,
      code_challenge: /^[A-Za-z0-9_-]{43}$/,
      code_challenge_method: 'S256',
    })
})

t.test(
  'the account within a provider is passed on where the provider has such, and ignored elsewhere',
  async (t) => {
    const asked = async (provider: ProviderName, fields: Record<string, string>) => {
      const { authorizeUrl } = await start(service, provider, fields)
      t.ok(await service.doubles[provider].consent(authorizeUrl), 'the provider takes it')
      return new URL(authorizeUrl).searchParams
    }
    for (const account of ['ok_ru', 'mail_ru']) {
      const vkid = await asked('vkid', { provider_account: account })
      t.strictSame([vkid.get('provider'), vkid.get('prompt')], [account, 'login'])
      for (const provider of namesOf(service.doubles))
        if (provider !== 'vkid')
          t.notMatch((await asked(provider, { provider_account: account })).toString(), account, provider)
    }
    t.equal((await asked('vkid', { provider_account: '' })).get('provider'), null, 'an empty one is none')
    const body = { provider: 'vkid', client_redirect_url: redirectUrl, provider_account: 'facebook' }
    const answer = await post(service, '/api/v1/oauth/authorize-url/', body)
    expectProblem(t, answer, { status: 400, type: 'invalid-parameter', error: 'invalid_request' })
  },
)

t.test('the verifier of the challenge is sent to the provider, only at its token endpoint', async (t) => {
  for (const provider of namesOf(service.doubles)) {
    const { requests, env } = service.doubles[provider]
    const tokenPath = new URL(env[`${provider.toUpperCase()}_TOKEN_URL`] ?? '').pathname
    const { state, authorizeUrl } = await start(service, provider)
    const back = await service.doubles[provider].consent(authorizeUrl)
    await openCallback(service, back)
    requests.length = 0
    const code = new URL(back).searchParams.get('code') ?? ''
    t.equal((await finish(service, { provider, state, code })).status, 200)
    const verifier = new URLSearchParams(requests.find(({ path }) => path === tokenPath)?.body).get(
      'code_verifier',
    )
    t.match(verifier, /^[A-Za-z0-9_-]{43}$/)
    t.equal(
      createHash('sha256')
        .update(verifier ?? '')
        .digest('base64url'),
      new URL(authorizeUrl).searchParams.get('code_challenge'),
    )
    t.notMatch(authorizeUrl, verifier ?? '')
    t.notMatch(JSON.stringify(requests.filter(({ path }) => path !== tokenPath)), verifier ?? '')
  }
})

t.test('with PKCE off for a provider there is no challenge and no verifier', async (t) => {
  const doubles = await startDoubles(t)
  const plain = await startTestService(t, { doubles, env: { YANDEX_PKCE: 'off' } })
  const login = await loginToFinish(plain)
  t.equal((await finish(plain, login)).status, 200)
  t.notMatch(JSON.stringify(doubles.yandex.requests), /code_verifier/)
  t.notMatch((await start(plain)).authorizeUrl, /code_challenge/)
})

const refusals: readonly [string, Record<string, string>, ExpectedProblem, RegExp][] = [
  [
    'a challenge without its method',
    { code_challenge: challenge },
    { status: 400, type: 'invalid-parameter', error: 'invalid_request' },
    /S256/,
  ],
  [
    'a method without a challenge',
    { code_challenge_method: 'S256' },
    { status: 400, type: 'invalid-parameter', error: 'invalid_request' },
    /S256/,
  ],
  [
    'method plain',
    { code_challenge: challenge, code_challenge_method: 'plain' },
    { status: 400, type: 'invalid-parameter', error: 'invalid_request' },
    /code_challenge_method/,
  ],
  [
    'a challenge of 42 characters',
    { code_challenge: challenge.slice(1), code_challenge_method: 'S256' },
    { status: 400, type: 'invalid-parameter', error: 'invalid_request' },
    /code_challenge/,
  ],
  [
    'an empty challenge',
    { code_challenge: '', code_challenge_method: 'S256' },
    { status: 400, type: 'invalid-parameter', error: 'invalid_request' },
    /code_challenge/,
  ],
  [
    'prompt none',
    { prompt: 'none' },
    { status: 400, type: 'invalid-parameter', error: 'invalid_request' },
    /prompt/,
  ],
  [
    'a hint of 256 characters',
    { login_hint: 'a'.repeat(256) },
    { status: 400, type: 'invalid-parameter', error: 'invalid_request' },
    /login_hint/,
  ],
  [
    'an unknown provider (the problem lists the known ones)',
    { provider: 'vk' },
    { status: 400, type: 'unknown-provider', error: 'invalid_request' },
    /yandex, google, mail/,
  ],
  [
    'a provider in another case',
    { provider: 'Yandex' },
    { status: 400, type: 'unknown-provider', error: 'invalid_request' },
    /lower case/,
  ],
  [
    'a name that every object has',
    { provider: '__proto__' },
    { status: 400, type: 'unknown-provider', error: 'invalid_request' },
    /yandex/,
  ],
  [
    'an unregistered host',
    { client_redirect_url: 'https://nobody.example/oauth/return' },
    { status: 400, type: 'redirect-url-unknown', error: 'invalid_request' },
    /not registered/,
  ],
  [
    "a host that looks like the site's",
    { client_redirect_url: 'https://client.example.evil.example/oauth/return' },
    { status: 400, type: 'redirect-url-unknown', error: 'invalid_request' },
    /not registered/,
  ],
]
for (const [name, fields, expected, detail] of refusals)
  t.test(`a start is answered with a problem: ${name}`, async (t) => {
    const answer = await ask(fields)
    expectProblem(t, answer, expected)
    t.match(answer.json.detail, detail)
  })

t.test('a misnamed parameter is answered with its right name', async (t) => {
  const answer = await post(service, path, { provider: 'yandex', client_redirect_uri: redirectUrl })
  expectProblem(t, answer, { status: 400, type: 'misnamed-parameter', error: 'invalid_request' })
  t.match(answer.json.detail, /client_redirect_uri.*client_redirect_url/)
})

t.test('a provider that came later is in no existing site until an operator adds it', async (t) => {
  const url = 'https://older.example/return'
  const older = { name: 'older', redirectUrls: [url], providers: ['yandex', 'google', 'mail'] }
  const all = { providers: namesOf(service.doubles), loopback: true }
  const { id } = await addSite(service.database, older, all)
  const ask = (provider: string) => post(service, path, { provider, client_redirect_url: url })
  t.equal((await ask('yandex')).status, 200)
  for (const provider of namesOf(service.doubles).filter((name) => !older.providers.includes(name)))
    expectProblem(t, await ask(provider), {
      status: 400,
      type: 'provider-not-allowed',
      error: 'unauthorized_client',
    })
  await updateSite(service.database, id, { providers: [...older.providers, 'vkid'] }, all)
  await eventually(async () => {
    if ((await ask('vkid')).status !== 200) throw new Error('not added yet')
  })
})

t.test('a provider that is not configured is answered with the ones that are', async (t) => {
  const { doubles, database, site } = service
  const env = { MAIL_CLIENT_ID: '', MAIL_CLIENT_SECRET: '' }
  const fewer = await startTestService(t, { doubles, database, site, env })
  const answer = await post(fewer, path, { provider: 'mail', client_redirect_url: redirectUrl })
  expectProblem(t, answer, { status: 400, type: 'unknown-provider', error: 'invalid_request' })
  const others = namesOf(doubles).filter((name) => name !== 'mail')
  t.match(answer.json.detail, `: ${others.join(', ')}.`)
})

const differences: readonly [string, string, RegExp][] = [
  ['scheme', 'http://client.example/oauth/return', /the scheme/],
  ['port', 'https://client.example:8443/oauth/return', /the port/],
  ['case of the path', 'https://client.example/OAuth/return', /upper and lower case/],
  ['case of the host', 'https://CLIENT.example/oauth/return', /upper and lower case/],
  ['trailing slash', 'https://client.example/oauth/return/', /the slash at its end/],
  ['path', 'https://client.example/oauth/retour', /the path/],
  ['query', 'https://client.example/oauth/return?next=1', /after the question mark/],
  ['fragment', 'https://client.example/oauth/return#top', /after the question mark/],
]
for (const [name, url, word] of differences)
  t.test(`an unregistered URL is answered with its difference: ${name}`, async (t) => {
    const expected = { status: 400, type: 'redirect-url-differs', error: 'invalid_request' } as const
    const strange = await ask({ client_redirect_url: url })
    expectProblem(t, strange, expected)
    t.match(strange.json.detail, word)
    t.notMatch(strange.text, redirectUrl, 'the registered URL is not shown')
    const foreign = await ask({ client_redirect_url: url }, basic(other))
    expectProblem(t, foreign, expected)
    t.notMatch(foreign.text, redirectUrl, "nor with another site's secret")
    const own = await ask({ client_redirect_url: url }, basic(service.site))
    expectProblem(t, own, expected)
    t.match(own.json.detail, `registered for your site: ${redirectUrl}`)
  })

const right = `${service.site.id}:${service.site.secret}`
const percentEncoded = right.replace(/[^:]/g, (one) => `%${one.charCodeAt(0).toString(16).padStart(2, '0')}`)
const accepted: readonly [string, Record<string, string>][] = [
  ['right', encoded(right)],
  ['form-encoded, every character (RFC 6749 §2.3.1)', encoded(percentEncoded)],
  ['the scheme in capitals', encoded(right, 'BASIC')],
  ['an empty secret is no secret', encoded(`${service.site.id}:`)],
  ['another scheme is none of ours', { authorization: 'Bearer abc' }],
]
for (const [name, headers] of accepted)
  t.test(`a start with credentials succeeds: ${name}`, async (t) => {
    t.equal((await ask({}, headers)).status, 200)
  })

const wrong = { status: 401, type: 'wrong-credentials', error: 'invalid_client' } as const
const refused: readonly [string, Record<string, string>, ExpectedProblem][] = [
  ['wrong secret', basic({ ...service.site, secret: other.secret }), wrong],
  ['a secret of one character', basic({ ...service.site, secret: 'x' }), wrong],
  ['a secret of 10,000 characters', basic({ ...service.site, secret: 'x'.repeat(10_000) }), wrong],
  ['unknown site', basic({ id: 'site_unknown', secret: service.site.secret }), wrong],
  ['an id that no site can have', basic({ id: "x' OR 1=1--", secret: service.site.secret }), wrong],
  ['no base64', { authorization: 'Basic %%%' }, wrong],
  ['no credentials after the scheme', { authorization: 'Basic' }, wrong],
  ['a broken escape', encoded('site%:secret%zz'), wrong],
  ["another site's", basic(other), { status: 400, type: 'site-mismatch', error: 'invalid_grant' }],
]
for (const [name, headers, expected] of refused)
  t.test(`a start with credentials fails: ${name}`, async (t) => {
    const answer = await ask({}, headers)
    expectProblem(t, answer, expected)
    t.notMatch(answer.text, service.site.secret)
  })

t.test('a site that requires its secret starts a login only with it', async (t) => {
  const url = { client_redirect_url: guarded }
  const required = { status: 401, type: 'secret-required', error: 'invalid_client' } as const
  expectProblem(t, await ask(url), required)
  expectProblem(t, await ask(url, encoded(`${guardedSite.id}:`)), required, 'empty')
  expectProblem(t, await ask(url, basic({ ...guardedSite, secret: 'wrong' })), wrong)
  t.equal((await ask(url, basic(guardedSite))).status, 200)
})

t.test('a disabled site, and a provider that the site may not use, start no login', async (t) => {
  const url = 'https://changing.example/return'
  const site = { name: 'changing', redirectUrls: [url], providers: ['mail', 'google'], disabled: true }
  const { id } = await addSite(service.database, site, rules)
  expectProblem(t, await ask({ provider: 'mail', client_redirect_url: url }), {
    status: 400,
    type: 'site-disabled',
    error: 'unauthorized_client',
  })
  await updateSite(service.database, id, { disabled: false }, rules)
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  t.equal((await ask({ provider: 'mail', client_redirect_url: url })).status, 200, 'enabled after 2 s')
  const answer = await ask({ provider: 'yandex', client_redirect_url: url })
  expectProblem(t, answer, { status: 400, type: 'provider-not-allowed', error: 'unauthorized_client' })
  t.match(answer.json.detail, /yandex/)
})

t.test('no forwarding header changes a URL', async (t) => {
  const headers: OutgoingHttpHeaders = {
    host: 'evil.example',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    'x-forwarded-for': '203.0.113.1',
    'x-forwarded-port': '444',
    forwarded: 'host=evil.example;proto=https',
    'x-original-url': '/evil',
    'content-type': 'application/x-www-form-urlencoded',
  }
  const sent = request(service.url + path, { method: 'POST', headers })
  sent.end(new URLSearchParams({ provider: 'google', client_redirect_url: redirectUrl }).toString())
  const [response] = (await once(sent, 'response')) as [AsyncIterable<Buffer> & { statusCode: number }]
  let body = ''
  for await (const chunk of response) body += chunk.toString()
  t.equal(response.statusCode, 200)
  t.notMatch(body, /evil/)
  const { authorize_url: url } = JSON.parse(body) as { authorize_url: string }
  t.equal(new URL(url).searchParams.get('redirect_uri'), `${publicUrl}/api/v1/oauth/callback/google`)
})

t.test('a problem is in Russian on request, and error_description stays ASCII', async (t) => {
  const answer = await ask({ provider: 'vk' }, { 'accept-language': 'ru-RU,ru;q=0.9,en;q=0.8' })
  t.match(answer.json, { title: /[а-я]/, detail: /[а-я].*yandex, google, mail/ })
  t.match(answer.json.error_description, /^[\x20-\x7e]+$/)
  t.notMatch((await ask({ provider: 'vk' }, { 'accept-language': 'de' })).text, /[а-я]/)
})

t.test('a thousand states are all different, and each character is about as frequent', async (t) => {
  const { doubles, database, site } = service
  const unlimited = await startTestService(t, { doubles, database, site, env: { RATE_LIMIT: 'off' } })
  const states = new Set<string>()
  for (let round = 0; round < 20; round++)
    for (const { state } of await Promise.all(Array.from({ length: 50 }, () => start(unlimited))))
      states.add(state)
  t.equal(states.size, 1_000)
  const counts = new Map<string, number>()
  // The last character has four bits only (256 = 42 × 6 + 4).
  for (const state of states)
    for (const one of state.slice(0, 42)) counts.set(one, (counts.get(one) ?? 0) + 1)
  t.equal(counts.size, 64)
  const expected = 42_000 / 64
  const chiSquare = [...counts.values()].reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0)
  // With 63 degrees of freedom the value exceeds 131 once in a million runs.
  t.ok(chiSquare < 131, `chi-square ${chiSquare}`)
})
