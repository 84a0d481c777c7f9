import type { Test } from 'tap'
import t from 'tap'
import { expectProblem } from '../support/expect-problem.ts'
import type { Answer, ProviderName } from '../support/login-flow.ts'
import {
  answered,
  answeredLogin,
  basic,
  comeBack,
  finish,
  get,
  locationFields,
  start,
} from '../support/login-flow.ts'
import { loginStores } from '../support/login-stores.ts'
import type { TestService } from '../support/service.ts'
import { publicUrl, redirectUrl, startTestService } from '../support/service.ts'

const base = '/api/v1/oauth/callback/'
const refused = { access_denied: 'access_denied' } as const
const badLogin = (type: 'unknown-login' | 'login-completed' | 'code-mismatch' | 'provider-mismatch') =>
  ({ status: 400, type, error: 'invalid_grant' }) as const

/** A callback that no provider sent. */
const callBack = (
  service: TestService,
  provider: string,
  parameters: readonly (readonly [string, string])[],
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> => get(service, `${base}${provider}?${query(parameters)}`, headers)

const query = (parameters: readonly (readonly [string, string])[]): string =>
  parameters.map((pair) => pair.map(encodeURIComponent).join('=')).join('&')

/** What the service does meanwhile happens so many seconds ago by its clock. */
async function secondsAgo<T>(seconds: number, work: () => Promise<T>): Promise<T> {
  const { now } = Date
  Date.now = () => now() - seconds * 1000
  try {
    return await work()
  } finally {
    Date.now = now
  }
}

/** The login can still be answered and finished: nothing was used up. */
async function isUsable(t: Test, service: TestService, provider: ProviderName, authorizeUrl: string) {
  const back = await comeBack(service, await service.doubles[provider].consent(authorizeUrl))
  t.equal(back.status, 303, back.text)
  const finished = await finish(service, locationFields(back))
  t.equal(finished.status, 200, finished.text)
}

for (const { store, skip, options } of loginStores)
  t.test(`logins in ${store}`, { skip }, async (t) => {
    const service = await startTestService(t, await options(t))
    const hasty = await startTestService(t, {
      ...(await options(t)),
      database: service.database,
      doubles: service.doubles,
      site: service.site,
      env: { LOGIN_TTL: '1' },
    })

    t.test('the browser goes to the registered URL with provider, state and code', async (t) => {
      const { state, authorizeUrl } = await start(service)
      const callbackUrl = await service.doubles.yandex.consent(authorizeUrl, { code: 'a/b+c %41&=é' })
      const back = await comeBack(service, callbackUrl)
      t.equal(back.status, 303)
      t.equal(
        back.headers.get('location'),
        `${redirectUrl}?provider=yandex&state=${state}&code=a%2Fb%2Bc%20%2541%26%3D%C3%A9`,
      )
      t.equal(back.text, '')
      closedHeaders(t, back)
      t.test('the same callback again: the same redirect, and the login can be finished', async (t) => {
        const again = await comeBack(service, callbackUrl)
        t.equal(again.headers.get('location'), back.headers.get('location'))
        t.equal((await comeBack(service, callbackUrl.replace('/yandex?', '/yandex/?'))).status, 303)
        t.equal((await finish(service, locationFields(again))).status, 200)
      })
    })

    t.test(
      'after a code neither another one nor a refusal is redirected, and nobody gets the code',
      async (t) => {
        const { state, authorizeUrl } = await start(service)
        const first = await service.doubles.yandex.consent(authorizeUrl, { code: 'the-first-code' })
        const back = await comeBack(service, first)
        const late: readonly (readonly [string, string])[][] = [
          [['code', 'another-code']],
          [['error', 'access_denied']],
          [['error', 'server_error']],
        ]
        for (const parameters of late)
          for (const accept of ['text/html', '*/*']) {
            const answer = await callBack(service, 'yandex', [['state', state], ...parameters], { accept })
            t.equal(answer.status, 400)
            t.equal(answer.headers.get('location'), null)
            t.notMatch(answer.text, /the-first-code|another-code/)
            t.notMatch(answer.text, state)
            if (accept === '*/*') expectProblem(t, answer, badLogin('code-mismatch'))
          }
        t.equal((await comeBack(service, first)).headers.get('location'), back.headers.get('location'))
        t.equal((await finish(service, locationFields(back))).status, 200, 'the first code still works')
      },
    )

    t.test('a refusal does not end the login: a code may follow', async (t) => {
      const { state, authorizeUrl } = await start(service)
      const denial = await comeBack(service, await service.doubles.yandex.refuse(authorizeUrl))
      t.equal(denial.status, 303)
      t.strictSame(locationFields(denial).slice(0, 3), [
        ['provider', 'yandex'],
        ['state', state],
        ['error', refused.access_denied],
      ])
      const posted = await finish(service, locationFields(denial))
      expectProblem(t, posted, { status: 400, type: 'access-denied', error: 'access_denied' })
      await isUsable(t, service, 'yandex', authorizeUrl)
    })

    t.test('an unknown, a completed and a senseless state are never redirected', async (t) => {
      const login = await answeredLogin(service)
      t.equal((await finish(service, login)).status, 200)
      const parameters = (state: string, code: string) => [['state', state] as const, ['code', code] as const]
      const completed = await callBack(service, 'yandex', parameters(login.state, login.code))
      expectProblem(t, completed, badLogin('login-completed'))
      t.notMatch(completed.text, login.code)
      for (const state of ['A'.repeat(43), 'x', 'x'.repeat(512), `${login.state}=`, '*', '__proto__'])
        expectProblem(
          t,
          await callBack(service, 'yandex', parameters(state, 'c')),
          badLogin('unknown-login'),
          state,
        )
    })

    t.test('a login that ran out: the site is told, and the state is of no use any more', async (t) => {
      const ways = {
        agreed: (authorizeUrl: string) => hasty.doubles.yandex.consent(authorizeUrl),
        refused: (authorizeUrl: string) => hasty.doubles.yandex.refuse(authorizeUrl),
      }
      for (const [way, answer] of Object.entries(ways)) {
        const { state, authorizeUrl } = await start(hasty)
        const callbackUrl = await answer(authorizeUrl)
        await new Promise((resolve) => setTimeout(resolve, 1_050))
        const back = await comeBack(hasty, callbackUrl)
        t.equal(back.status, 303, back.text)
        const { error_description: description, ...fields } = Object.fromEntries(locationFields(back))
        t.strictSame(fields, { provider: 'yandex', state, error: 'login_expired' }, way)
        t.match(description, /^[ -~]+$/)
        const code = new URL(callbackUrl).searchParams.get('code') ?? 'c'
        const finished = await finish(hasty, { provider: 'yandex', state, code })
        expectProblem(t, finished, { status: 400, type: 'login-expired', error: 'invalid_grant' })
      }
    })

    t.test('a login that was finished at the end of its time stays finished', async (t) => {
      const { state, authorizeUrl } = await start(service)
      const callbackUrl = await service.doubles.yandex.consent(authorizeUrl)
      // The code came almost ten minutes ago.
      const back = await secondsAgo(598, () => comeBack(service, callbackUrl))
      const login = Object.fromEntries(locationFields(back))
      const unfinished = await secondsAgo(598, () => answeredLogin(service))
      const first = await finish(service, login)
      t.equal(first.status, 200, first.text)
      await new Promise((resolve) => setTimeout(resolve, 2_050))
      expectProblem(t, await comeBack(service, callbackUrl), badLogin('login-completed'))
      expectProblem(t, await finish(service, login), badLogin('login-completed'), 'unproved')
      const again = await finish(service, login, basic(service.site))
      t.equal(again.status, 200, `a proved caller gets a lost answer again: ${again.text}`)
      const expired = { status: 400, type: 'login-expired', error: 'invalid_grant' } as const
      expectProblem(t, await finish(service, unfinished), expired, 'one that was not finished in time')
      expectProblem(t, await finish(service, { ...login, state, code: 'x' }), badLogin('code-mismatch'))
    })

    t.test('another provider cannot answer', async (t) => {
      const { state, authorizeUrl } = await start(service, 'google')
      const parameters = [['state', state] as const, ['code', 'c'] as const]
      expectProblem(t, await callBack(service, 'yandex', parameters), badLogin('provider-mismatch'))
      expectProblem(t, await callBack(service, 'mail', parameters), badLogin('provider-mismatch'))
      await isUsable(t, service, 'google', authorizeUrl)
    })

    t.test('iss must be the one of the provider (RFC 9207), where it comes', async (t) => {
      const { google } = service.doubles
      t.teardown(() => {
        google.switches.callback = undefined
      })
      const { authorizeUrl } = await start(service, 'google')
      for (const iss of ['https://accounts.example', `${google.origin}/`, google.origin.toUpperCase(), '']) {
        const answer = await comeBack(service, await google.consent(authorizeUrl, { extra: [['iss', iss]] }))
        expectProblem(t, answer, { status: 400, type: 'issuer-mismatch', error: 'invalid_request' }, iss)
      }
      const right = await google.consent(authorizeUrl)
      t.match(right, /[?&]iss=/, 'the double sends it')
      await isUsable(t, service, 'google', authorizeUrl)
      const without = await start(service, 'google')
      const bare = new URL(await google.consent(without.authorizeUrl))
      bare.searchParams.delete('iss')
      t.equal((await comeBack(service, bare.href)).status, 303, 'it may be missing')
      const yandex = await start(service)
      const extra = [['iss', 'https://anything.example'] as const]
      const callbackUrl = await service.doubles.yandex.consent(yandex.authorizeUrl, { extra })
      t.equal(
        (await comeBack(service, callbackUrl)).status,
        303,
        'a provider without an issuer: not ours to judge',
      )
    })

    t.test('what is not an answer changes nothing', async (t) => {
      const { state, authorizeUrl } = await start(service)
      const invalid = (type: 'missing-parameter' | 'repeated-parameter' | 'invalid-parameter') =>
        ({ status: 400, type, error: 'invalid_request' }) as const
      const [s, c, e] = [
        ['state', state],
        ['code', 'c'],
        ['error', 'access_denied'],
      ] as const
      const table: readonly (readonly [
        readonly (readonly [string, string])[],
        ReturnType<typeof invalid>,
      ])[] = [
        [[c], invalid('missing-parameter')],
        [[], invalid('missing-parameter')],
        [[s], invalid('missing-parameter')],
        [[s, c, e], invalid('invalid-parameter')],
        [[s, s, c], invalid('repeated-parameter')],
        [[s, c, c], invalid('repeated-parameter')],
        [[s, c, ['code', 'd']], invalid('repeated-parameter')],
        [[s, ['code', '']], invalid('missing-parameter')],
        [[['state', ''], c], invalid('missing-parameter')],
        [[s, ['code', 'c'.repeat(4_097)]], invalid('invalid-parameter')],
      ]
      for (const [parameters, expected] of table)
        expectProblem(t, await callBack(service, 'yandex', parameters), expected, JSON.stringify(parameters))
      await isUsable(t, service, 'yandex', authorizeUrl)
    })

    t.test('a browser that looks ahead, and HEAD, change nothing', async (t) => {
      const { authorizeUrl } = await start(service)
      const callbackUrl = await service.doubles.yandex.consent(authorizeUrl, { code: 'looked-ahead' })
      const prefetches = [
        { 'sec-purpose': 'prefetch' },
        { 'sec-purpose': 'prefetch;prerender' },
        { purpose: 'prefetch' },
        { 'x-moz': 'prefetch' },
        { purpose: 'preview' },
      ]
      for (const headers of prefetches) {
        const answer = await comeBack(service, callbackUrl, headers)
        t.equal(answer.status, 204)
        t.equal(answer.text, '')
        t.equal(answer.headers.get('location'), null)
        closedHeaders(t, answer)
      }
      const url = service.url + callbackUrl.slice(publicUrl.length)
      const head = await fetch(url, { method: 'HEAD', redirect: 'manual' })
      t.equal(head.status, 405)
      t.equal(head.headers.get('allow'), 'GET')
      t.equal(head.headers.get('location'), null)
      const posted = await answered(await fetch(url, { method: 'POST', redirect: 'manual' }))
      expectProblem(t, posted, { status: 405, type: 'method-not-allowed', error: 'invalid_request' })
      const code = new URL(callbackUrl).searchParams.get('code') ?? ''
      const state = new URL(callbackUrl).searchParams.get('state') ?? ''
      const finished = await finish(service, { provider: 'yandex', state, code })
      expectProblem(t, finished, { status: 400, type: 'login-unanswered', error: 'invalid_grant' })
      await isUsable(t, service, 'yandex', authorizeUrl)
    })

    t.test('each error of a provider, in our words alone', async (t) => {
      const { state } = await start(service)
      const table = {
        access_denied: 'access_denied',
        temporarily_unavailable: 'temporarily_unavailable',
        server_error: 'server_error',
        invalid_scope: 'server_error',
        unauthorized_client: 'server_error',
        'a\r\nb': 'server_error',
        login_expired: 'server_error',
        constructor: 'server_error',
      }
      for (const [said, told] of Object.entries(table)) {
        const answer = await callBack(service, 'yandex', [
          ['state', state],
          ['error', said],
          ['error_description', '<b>words of the provider</b>'],
          ['error_uri', 'https://evil.example/'],
        ])
        t.equal(answer.status, 303, answer.text)
        const fields = Object.fromEntries(locationFields(answer))
        t.strictSame(Object.keys(fields), ['provider', 'state', 'error', 'error_description'])
        t.match(fields, { provider: 'yandex', state, error: told, error_description: /^[ -~]+$/ })
        t.notMatch(answer.headers.get('location'), /words|evil/)
        const posted = await finish(service, locationFields(answer))
        if (told === 'access_denied')
          expectProblem(t, posted, { status: 400, type: 'access-denied', error: told }, said)
        else expectProblem(t, posted, { status: 400, type: 'provider-declined', error: told }, said)
      }
      t.ok(
        service.log.some((line) => line.includes('words of the provider')),
        'they stand in the log',
      )
    })
  })

function closedHeaders(t: Test, answer: Answer): void {
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.equal(answer.headers.get('referrer-policy'), 'no-referrer')
  t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
  t.match(answer.headers.get('content-security-policy'), /default-src 'none'.*frame-ancestors 'none'/)
  t.equal(answer.headers.get('cross-origin-opener-policy'), null, 'it would cut off a login in a popup')
}
