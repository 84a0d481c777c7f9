import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import t from 'tap'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import {
  basic,
  bound,
  finish,
  locationFields,
  loginToFinish,
  openCallback,
  post,
  start,
  verifier,
} from '../support/login-flow.ts'
import { loginStores } from '../support/login-stores.ts'
import type { TestService } from '../support/service.ts'
import { registerSite, startTestService } from '../support/service.ts'

const grant = (type: ExpectedProblem['type']) => ({ status: 400, type, error: 'invalid_grant' }) as const
const wrongCredentials = { status: 401, type: 'wrong-credentials', error: 'invalid_client' } as const

type Login = Readonly<Record<'provider' | 'state' | 'code', string>>

/** Checks that no request was sent to the provider and that the login was not changed: the right finish succeeds once. */
async function isUnchanged(t: Test, service: TestService, login: Login) {
  const { requests } = service.doubles.yandex
  t.strictSame(requests, [], 'the provider was not asked')
  const answer = await finish(service, login)
  t.equal(answer.status, 200, answer.text)
  t.equal(requests.filter(({ path }) => path === '/token').length, 1)
  expectProblem(t, await finish(service, login), grant('login-completed'))
}

t.jobs = loginStores.length
for (const { store, skip, options } of loginStores)
  t.test(`logins in ${store}`, { skip, buffered: true }, async (t) => {
    const service = await startTestService(t, await options(t))
    const other = await registerSite(service.database, 'https://other.example/return')
    const guardedUrl = 'https://guarded.example/return'
    const guarded = await registerSite(service.database, guardedUrl, true)
    const newLogin = async (options: Parameters<typeof loginToFinish>[2] = {}): Promise<Login> => {
      const login = await loginToFinish(service, 'yandex', options)
      service.doubles.yandex.requests.length = 0
      return login
    }

    // Requests to finish a login, each with one flaw.
    const table: readonly (readonly [
      string,
      (login: Login) => Readonly<Record<string, string>> | readonly (readonly [string, string])[],
      Readonly<Record<string, string>>,
      ExpectedProblem,
    ])[] = [
      ['another provider', (login) => ({ ...login, provider: 'google' }), {}, grant('provider-mismatch')],
      ['another code', (login) => ({ ...login, code: `${login.code}x` }), {}, grant('code-mismatch')],
      [
        'a code decoded twice',
        (login) => ({ ...login, code: decodeURIComponent(login.code) }),
        {},
        grant('code-mismatch'),
      ],
      [
        'a code in another case',
        (login) => ({ ...login, code: login.code.toUpperCase() }),
        {},
        grant('code-mismatch'),
      ],
      [
        'no code',
        ({ provider, state }) => ({ provider, state }),
        {},
        { status: 400, type: 'missing-parameter', error: 'invalid_request' },
      ],
      [
        'an empty code',
        (login) => ({ ...login, code: '' }),
        {},
        { status: 400, type: 'missing-parameter', error: 'invalid_request' },
      ],
      [
        'the code twice',
        (login) => [...Object.entries(login), ['code', login.code]],
        {},
        { status: 400, type: 'repeated-parameter', error: 'invalid_request' },
      ],
      [
        'no provider',
        ({ state, code }) => ({ state, code }),
        {},
        { status: 400, type: 'missing-parameter', error: 'invalid_request' },
      ],
      [
        'a verifier where no challenge was',
        (login) => ({ ...login, code_verifier: verifier }),
        {},
        grant('verifier-unexpected'),
      ],
      ['the state cut', (login) => ({ ...login, state: login.state.slice(1) }), {}, grant('unknown-login')],
      [
        'a wrong secret',
        (login) => login,
        basic({ ...service.site, secret: other.secret }),
        wrongCredentials,
      ],
      ['an unknown site', (login) => login, basic({ id: 'nobody', secret: other.secret }), wrongCredentials],
      ['credentials that cannot be read', (login) => login, { authorization: 'Basic ???' }, wrongCredentials],
      ["another site's secret", (login) => login, basic(other), grant('site-mismatch')],
    ]
    for (const [name, change, headers, expected] of table)
      t.test(`a finish does not use the login up: ${name}`, async (t) => {
        const login = await newLogin({ code: `a%2Bb${randomUUID()}` })
        const answer = await finish(service, change(login), headers)
        expectProblem(t, answer, expected)
        t.notMatch(answer.text, login.code)
        t.notMatch(answer.text, login.state)
        await isUnchanged(t, service, login)
      })

    t.test('a login that started with a challenge is finished only with its verifier', async (t) => {
      const login = await newLogin({ fields: bound })
      const wrong: readonly (readonly [string, Record<string, string>, ExpectedProblem])[] = [
        ['no verifier', {}, grant('verifier-missing')],
        ['an empty verifier', { code_verifier: '' }, grant('verifier-missing')],
        ['another verifier', { code_verifier: verifier.replace('a', 'b') }, grant('verifier-mismatch')],
        ['the challenge itself', { code_verifier: bound.code_challenge }, grant('verifier-mismatch')],
        ['a verifier of 512 characters', { code_verifier: 'v'.repeat(512) }, grant('verifier-mismatch')],
      ]
      for (const [name, fields, expected] of wrong)
        expectProblem(t, await finish(service, { ...login, ...fields }), expected, name)
      t.strictSame(service.doubles.yandex.requests, [])
      const withSecretOnly = await finish(service, { ...login, ...wrong[0]?.[1] }, basic(service.site))
      expectProblem(t, withSecretOnly, grant('verifier-missing'), 'the secret does not replace the verifier')
      const answer = await finish(service, { ...login, code_verifier: verifier })
      t.equal(answer.status, 200, answer.text)
    })

    t.test('a site that requires its secret finishes a login only with it', async (t) => {
      const fields = { client_redirect_url: guardedUrl }
      const login = await newLogin({ fields, headers: basic(guarded) })
      const required = { status: 401, type: 'secret-required', error: 'invalid_client' } as const
      expectProblem(t, await finish(service, login), required)
      expectProblem(t, await finish(service, login, basic({ ...guarded, secret: '' })), required, 'empty')
      expectProblem(t, await finish(service, login, basic({ ...guarded, secret: 'no' })), wrongCredentials)
      expectProblem(t, await finish(service, login, basic(service.site)), grant('site-mismatch'))
      t.strictSame(service.doubles.yandex.requests, [])
      const answer = await finish(service, login, basic(guarded))
      t.equal(answer.status, 200, answer.text)
      t.strictSame(Object.keys(answer.json).toSorted(), [
        'access_token',
        'expires_in',
        'refresh_token',
        'token_type',
      ])
    })

    t.test(
      'a finish before the callback gets login-unanswered, after a denial access-denied, and neither uses the login up',
      async (t) => {
        const { state, authorizeUrl } = await start(service)
        const callbackUrl = await service.doubles.yandex.consent(authorizeUrl)
        const code = new URL(callbackUrl).searchParams.get('code') ?? ''
        const login = { provider: 'yandex', state, code }
        expectProblem(t, await finish(service, login), grant('login-unanswered'))
        const denial = await openCallback(service, await service.doubles.yandex.refuse(authorizeUrl))
        const denied = { status: 400, type: 'access-denied', error: 'access_denied' } as const
        expectProblem(
          t,
          await finish(service, locationFields(denial)),
          denied,
          'the parameters of the redirect',
        )
        expectProblem(
          t,
          await finish(service, login),
          denied,
          'with a code that did not come to the callback',
        )
        t.equal((await openCallback(service, callbackUrl)).status, 303)
        service.doubles.yandex.requests.length = 0
        await isUnchanged(t, service, login)
      },
    )

    t.test('a body of another type gets a 415 that names the accepted types', async (t) => {
      const login = await newLogin()
      const answer = await post(service, '/api/v1/oauth/authorize/', login, { contentType: 'text/plain' })
      expectProblem(t, answer, { status: 415, type: 'unsupported-media-type', error: 'invalid_request' })
      t.match(answer.json.detail, /application\/x-www-form-urlencoded.*multipart\/form-data/)
      await isUnchanged(t, service, login)
    })

    t.test('parameters in the query string are ignored', async (t) => {
      const login = await newLogin()
      const path = `/api/v1/oauth/authorize/?${new URLSearchParams(login).toString()}`
      const expected = { status: 400, type: 'missing-parameter', error: 'invalid_request' } as const
      expectProblem(t, await post(service, path, {}), expected)
      await isUnchanged(t, service, login)
    })
  })
