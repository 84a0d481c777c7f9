import type { Test } from 'tap'
import t from 'tap'
import type { NewSite } from '../../src/sites/site.ts'
import { addSite, updateSite } from '../../src/sites/store.ts'
import { expectProblem } from '../support/expect-problem.ts'
import type { Answer } from '../support/login-flow.ts'
import { finish, get, loginToFinish, openCallback, start } from '../support/login-flow.ts'
import { removeSite } from '../support/remove-site.ts'
import { sendBytes } from '../support/send-bytes.ts'
import { redirectUrl, startTestService } from '../support/service.ts'

const service = await startTestService(t)
const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8'
const callback = '/api/v1/oauth/callback/yandex'
const rules = { providers: ['yandex', 'google', 'mail'], loopback: true }

function isPage(t: Test, answer: Answer, status: number): void {
  t.equal(answer.status, status, answer.text)
  t.match(answer.headers.get('content-type'), /^text\/html; charset=utf-8$/)
  t.equal(answer.headers.get('location'), null)
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.equal(answer.headers.get('referrer-policy'), 'no-referrer')
  t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
  t.equal(answer.headers.get('cross-origin-opener-policy'), null, 'the header would break a login in a popup')
  const policy = answer.headers.get('content-security-policy') ?? ''
  for (const rule of [
    "default-src 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ])
    t.ok(policy.includes(rule), rule)
  t.notMatch(policy, /unsafe|https?:|script/)
  t.notMatch(
    answer.text,
    /<(script|img|link|iframe|form|meta http-equiv)| on\w+=|src=/i,
    'the page loads and runs nothing',
  )
  const id = answer.headers.get('x-request-id') ?? ''
  t.ok(id !== '' && answer.text.includes(id), 'the page shows the request id')
}

t.test('a second click on Allow shows that the login is completed, with a link to the site', async (t) => {
  const login = await loginToFinish(service)
  t.equal((await finish(service, login)).status, 200)
  const path = `${callback}?state=${login.state}&code=${login.code}`
  const english = await get(service, path, { accept: browser })
  isPage(t, english, 400)
  t.match(english.text, /<html lang="en">/)
  t.match(english.text, /already completed/)
  t.match(english.text, '<a href="https://client.example">Back to client.example</a>')
  t.notMatch(english.text, redirectUrl, 'the link leads to the origin, as the redirect URL needs parameters')
  const russian = await get(service, path, { accept: browser, 'accept-language': 'ru,en;q=0.5' })
  isPage(t, russian, 400)
  t.match(russian.text, /<html lang="ru">/)
  t.match(russian.text, '<a href="https://client.example">Вернуться на client.example</a>')
  for (const { text } of [english, russian]) {
    t.notMatch(text, login.state)
    t.notMatch(text, login.code)
  }
})

t.test('the page has no link where no login is known', async (t) => {
  const paths = [
    `${callback}?state=${'A'.repeat(43)}&code=c`,
    `${callback}?code=c`,
    `${callback}?state=a&state=b&code=c`,
    `${callback}?state=${'A'.repeat(43)}&code=%3Cscript%3Ealert(1)%3C/script%3E&redirect_uri=https://evil.example`,
    `${callback}?state=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&code=c`,
  ]
  for (const path of paths) {
    const answer = await get(service, path, { accept: browser })
    isPage(t, answer, 400)
    t.notMatch(answer.text, /<a |evil|alert/)
  }
})

t.test(
  'the callback of an unknown provider shows a page to a browser and a problem to a program',
  async (t) => {
    isPage(t, await get(service, '/api/v1/oauth/callback/vk?state=a&code=b', { accept: browser }), 404)
    const expected = { status: 404, type: 'not-found', error: 'invalid_request' } as const
    expectProblem(t, await get(service, '/api/v1/oauth/callback/__proto__?state=a&code=b'), expected)
  },
)

t.test('a program gets problem+json', async (t) => {
  for (const accept of ['*/*', 'application/problem+json', 'image/png'])
    expectProblem(
      t,
      await get(service, `${callback}?state=${'A'.repeat(43)}&code=c`, { accept }),
      { status: 400, type: 'unknown-login', error: 'invalid_grant' },
      accept,
    )
})

t.test('a code with line breaks adds no header to the redirect', async (t) => {
  const { state, authorizeUrl } = await start(service)
  const code = 'a\r\nSet-Cookie: x=1\r\n\r\n<html>'
  await service.doubles.yandex.consent(authorizeUrl, { code })
  const sent = `${callback}?state=${state}&code=${encodeURIComponent(code)}`
  const received = await sendBytes(service, [
    `GET ${sent} HTTP/1.1\r\nHost: x\r\nX-Request-Id: a b\r\nConnection: close\r\n\r\n`,
  ])
  const [head = ''] = received.split('\r\n\r\n')
  t.match(head, /^HTTP\/1\.1 303 /)
  t.equal(head.match(/^location: /gim)?.length, 1)
  t.match(head, /^location: \S+&code=a%0D%0ASet-Cookie%3A%20x%3D1%0D%0A%0D%0A%3Chtml%3E$/im)
  t.notMatch(head, /^set-cookie/im)
  t.match(head, /^x-request-id: [\w-]{36}$/im, 'an id that is unsafe in a header is replaced')
  t.equal((await finish(service, { provider: 'yandex', state, code })).status, 200, 'byte for byte')
})

t.test('a callback is no longer redirected 2 s after its site, URL or provider was disallowed', async (t) => {
  const { database } = service
  let count = 0
  const startedLogin = async (site: Partial<NewSite> = {}) => {
    const url = `https://site${++count}.example/return`
    const { id } = await addSite(database, { name: url, redirectUrls: [url], ...site }, rules)
    // The service has cached the site now, and must not use the cached one for longer than 2 s.
    await loginToFinish(service, 'yandex', { fields: { client_redirect_url: url } })
    const { state, authorizeUrl } = await start(service, 'yandex', { client_redirect_url: url })
    const callbackUrl = await service.doubles.yandex.consent(authorizeUrl)
    return { id, url, state, callbackUrl }
  }
  const cases = [
    {
      what: 'the site disabled',
      type: 'site-disabled',
      error: 'unauthorized_client',
      linked: false,
      change: (id: string) => updateSite(database, id, { disabled: true }, rules),
    },
    {
      what: 'the URL replaced',
      type: 'redirect-url-unknown',
      error: 'invalid_request',
      linked: false,
      change: (id: string) => updateSite(database, id, { redirectUrls: ['https://moved.example/'] }, rules),
    },
    {
      what: 'the provider withdrawn',
      type: 'provider-not-allowed',
      error: 'unauthorized_client',
      linked: true,
      change: (id: string) => updateSite(database, id, { providers: ['google'] }, rules),
    },
    {
      what: 'the site removed',
      type: 'redirect-url-unknown',
      error: 'invalid_request',
      linked: false,
      change: (id: string) => removeSite(database, id),
    },
  ] as const
  const logins = await Promise.all(cases.map(async (one) => ({ ...one, ...(await startedLogin()) })))
  const control = await startedLogin()
  for (const { change, id } of logins) await change(id)
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  for (const { what, type, error, linked, url, callbackUrl } of logins) {
    expectProblem(t, await openCallback(service, callbackUrl), { status: 400, type, error }, what)
    const page = await openCallback(service, callbackUrl, { accept: browser })
    isPage(t, page, 400)
    t.equal(page.text.includes(`<a href="${new URL(url).origin}">`), linked, what)
  }
  t.equal(
    (await openCallback(service, control.callbackUrl)).status,
    303,
    'the login of another site is redirected',
  )
})
