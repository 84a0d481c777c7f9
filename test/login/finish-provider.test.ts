import type { Test } from 'tap'
import t from 'tap'
import type { Fault } from '../../sandbox/doubles/faults.ts'
import { startGoogleDouble } from '../../sandbox/doubles/google.ts'
import type { IdTokenSpoiling } from '../../sandbox/doubles/id-token.ts'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import type { ProviderName } from '../support/login-flow.ts'
import { basic, finish, loginToFinish } from '../support/login-flow.ts'
import { publicUrl, startDoubles, startTestService } from '../support/service.ts'

const service = await startTestService(t)
const { yandex, mail } = service.doubles

const count = (provider: ProviderName, path: string) =>
  service.doubles[provider].requests.filter((request) => request.path === path).length
const lost = { status: 400, type: 'login-lost', error: 'invalid_grant' } as const
const bad = (type: ExpectedProblem['type'], status = 502) =>
  ({ status, type, error: 'server_error' }) as const

/** Checks that a login is used up: it makes one token request in all, whatever is posted afterwards. */
async function isUsedUp(t: Test, provider: ProviderName, expected: ExpectedProblem, prepare: () => void) {
  const login = await loginToFinish(service, provider)
  service.doubles[provider].requests.length = 0
  prepare()
  expectProblem(t, await finish(service, login), expected)
  expectProblem(t, await finish(service, login), lost, 'not authenticated')
  expectProblem(t, await finish(service, login, basic(service.site)), lost, 'authenticated')
  t.equal(count(provider, '/token'), 1, 'the token request is never repeated')
  const fine = await finish(service, await loginToFinish(service, provider))
  t.equal(fine.status, 200, `the next login succeeds: ${fine.text}`)
}

const atToken: readonly (readonly [Fault, ExpectedProblem])[] = [
  ['500-json', bad('provider-error')],
  ['503-html', bad('provider-error')],
  ['reset', bad('provider-error')],
  ['reset-midway', bad('provider-error')],
  ['200-html', bad('provider-invalid-response')],
  ['200-empty', bad('provider-invalid-response')],
  ['json-null', bad('provider-invalid-response')],
  ['json-array', bad('provider-invalid-response')],
  ['truncated-json', bad('provider-invalid-response')],
  ['gzip-bomb', bad('provider-invalid-response')],
  ['login-redirect', bad('provider-invalid-response')],
]
for (const [fault, expected] of atToken)
  t.test(`a login is used up by a fault of the token endpoint: ${fault}`, (t) =>
    isUsedUp(t, 'yandex', expected, () => yandex.fault('token', fault, 1)),
  )

const jsonResponse = (body: object, status: number) => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})
const errorResponses: readonly (readonly [string, ReturnType<typeof jsonResponse>, ExpectedProblem])[] = [
  ['invalid_client', jsonResponse({ error: 'invalid_client' }, 401), bad('provider-misconfigured')],
  ['unauthorized_client', jsonResponse({ error: 'unauthorized_client' }, 400), bad('provider-misconfigured')],
  [
    'invalid_grant',
    jsonResponse({ error: 'invalid_grant' }, 400),
    { status: 400, type: 'code-rejected', error: 'invalid_grant' },
  ],
  [
    'invalid_grant with a 200',
    jsonResponse({ error: 'invalid_grant' }, 200),
    { status: 400, type: 'code-rejected', error: 'invalid_grant' },
  ],
  ['an error of its own', jsonResponse({ error: 'strange' }, 400), bad('provider-invalid-response')],
  ['no access_token', jsonResponse({ token_type: 'bearer' }, 200), bad('provider-invalid-response')],
  [
    'a MAC token',
    jsonResponse({ access_token: 'x', token_type: 'mac' }, 200),
    bad('provider-invalid-response'),
  ],
]
for (const [name, answer, expected] of errorResponses)
  t.test(`a login is used up by an error response of the token endpoint: ${name}`, async (t) => {
    const login = await loginToFinish(service)
    yandex.requests.length = 0
    yandex.answer('token', answer, 1)
    expectProblem(t, await finish(service, login), expected)
    expectProblem(t, await finish(service, login), lost)
    t.equal(count('yandex', '/token'), 1)
  })

t.test(
  'a code that has expired at the provider is answered with code-rejected, a changed secret with provider-misconfigured',
  async (t) => {
    t.teardown(() => Object.assign(mail.switches, { codeLifetime: 600, forgetClient: false }))
    const [late, misconfigured] = [await loginToFinish(service, 'mail'), await loginToFinish(service, 'mail')]
    mail.switches.codeLifetime = 0
    const rejected = { status: 400, type: 'code-rejected', error: 'invalid_grant' } as const
    expectProblem(t, await finish(service, late), rejected)
    mail.switches.codeLifetime = 600
    mail.switches.forgetClient = true
    expectProblem(t, await finish(service, misconfigured), bad('provider-misconfigured'))
    t.match(
      await service.metrics.registry.metrics(),
      /logins_finished_total\{provider="mail",outcome="provider-misconfigured"\} 1\b/,
      'counted in a metric of its own',
    )
  },
)

t.test('a profile that fails once is requested once more, and the login succeeds', async (t) => {
  for (const fault of ['503-html', 'reset'] as const) {
    const login = await loginToFinish(service)
    yandex.requests.length = 0
    yandex.fault('userinfo', fault, 1)
    t.equal((await finish(service, login)).status, 200, fault)
    t.equal(count('yandex', '/info'), 2)
    t.equal(count('yandex', '/token'), 1)
  }
})

t.test('a login is used up by a profile that fails twice or is invalid', async (t) => {
  await isUsedUp(t, 'yandex', bad('provider-error'), () => yandex.fault('userinfo', '503-html', 2))
  await isUsedUp(t, 'yandex', bad('provider-invalid-response'), () => yandex.fault('userinfo', '200-html', 1))
  const noId = jsonResponse({ login: 'x', client_id: yandex.env.YANDEX_CLIENT_ID }, 200)
  await isUsedUp(t, 'yandex', bad('provider-invalid-response'), () => yandex.answer('userinfo', noId, 1))
  const foreign = jsonResponse({ id: '1', client_id: 'another application' }, 200)
  await isUsedUp(t, 'yandex', bad('provider-invalid-response'), () => yandex.answer('userinfo', foreign, 1))
})

t.test('a bad ID token opens no session and leaves no user', async (t) => {
  const google = await startGoogleDouble({ redirectUris: [`${publicUrl}/api/v1/oauth/callback/google`] })
  t.teardown(() => google.close())
  const doubles = { ...(await startDoubles(t)), google }
  const strict = await startTestService(t, { doubles })
  const spoilings: readonly IdTokenSpoiling[] = [
    'absent',
    'wrong-nonce',
    'no-nonce',
    'wrong-aud',
    'wrong-iss',
    'wrong-azp',
    'expired',
    'bad-signature',
    'alg-none',
    'alg-hs256',
    'other-sub',
  ]
  for (const spoiling of spoilings) {
    const login = await loginToFinish(strict, 'google')
    google.switches.idToken = spoiling
    expectProblem(t, await finish(strict, login), bad('provider-invalid-response'), spoiling)
    google.switches.idToken = undefined
    expectProblem(t, await finish(strict, login), lost, spoiling)
  }
  t.equal(await strict.database.prisma.user.count(), 0)
  t.equal((await finish(strict, await loginToFinish(strict, 'google'))).status, 200)
})

t.test(
  'a login is not used up while the keys of the provider cannot be fetched, and fetched keys are kept',
  async (t) => {
    const doubles = await startDoubles(t)
    doubles.google.fault('jwks', '503-html')
    const keyless = await startTestService(t, { doubles })
    const login = await loginToFinish(keyless, 'google')
    const tokenRequests = () => doubles.google.requests.filter(({ path }) => path === '/token').length
    const unavailable = {
      status: 503,
      type: 'provider-unavailable',
      error: 'temporarily_unavailable',
      retryAfter: [1, 1],
    } as const
    for (let attempt = 0; attempt < 3; attempt++)
      expectProblem(t, await finish(keyless, login), unavailable, 'the same request may be repeated')
    t.equal(tokenRequests(), 0, 'the code was not sent')
    doubles.google.fault('jwks', undefined)
    t.equal((await finish(keyless, login)).status, 200, 'the same finish succeeds')
    doubles.google.fault('jwks', '503-html')
    t.equal((await finish(keyless, await loginToFinish(keyless, 'google'))).status, 200, 'keys are kept')
    t.match(
      keyless.log.find((line) => line.includes('background work of a provider failed')),
      /"provider":"google","work":"keys"/,
      'the failure is logged',
    )
  },
)
