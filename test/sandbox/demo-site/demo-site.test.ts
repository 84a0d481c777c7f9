import t from 'tap'
import { startDemoSite } from '../../../sandbox/demo-site/demo-site.ts'
import { startSandbox } from '../../../sandbox/sandbox.ts'
import type { Answers } from './stand-in-service.ts'
import { startStandIn } from './stand-in-service.ts'

const offered = (name: string, available: boolean) => ({ name, title: { ru: name, en: name }, available })
const claims = Buffer.from('{"sub":"user-1"}').toString('base64url')
const tokens = { access_token: `h.${claims}.s`, refresh_token: 'refresh-1' }
const good = (): Answers => ({
  'POST /api/v1/oauth/authorize-url/': {
    status: 200,
    body: { state: 'state-1', authorize_url: 'https://provider.example/authorize?x=1' },
  },
  'POST /api/v1/oauth/authorize/': { status: 200, body: tokens },
  'POST /api/v1/oauth/refresh/': { status: 200, body: { ...tokens, refresh_token: 'refresh-2' } },
  'POST /api/v1/oauth/revoke/': { status: 200, body: '' },
  'GET /api/v1/me/': { status: 200, body: { id: 'user-1', name: '<Анна>', email: null, sessions: 1 } },
})

async function start(t: { teardown(end: () => Promise<unknown>): void }, siteSecret?: string) {
  const answers = good()
  const service = await startStandIn(answers)
  t.teardown(() => service.close())
  const sandbox = await startSandbox({ host: '127.0.0.1', port: 0, publicUrl: service.url })
  t.teardown(() => sandbox.close())
  sandbox.openDemo({
    serviceUrl: service.url,
    siteId: 'site-1',
    redirectUrl: sandbox.demoRedirectUrl,
    ...(siteSecret !== undefined && { siteSecret }),
  })
  return { answers, service, sandbox, browser: browserAt(sandbox.demoUrl) }
}

/** A browser with one cookie jar and no redirects. */
function browserAt(base: string) {
  let cookie = ''
  const ask = async (path: string, init: RequestInit = {}) => {
    const headers = { cookie, 'accept-language': 'en' }
    const response = await fetch(new URL(path, base), { ...init, redirect: 'manual', headers })
    cookie = response.headers.get('set-cookie')?.split(';')[0] ?? cookie
    const { status, headers: got } = response
    return {
      status,
      location: got.get('location'),
      setCookie: got.get('set-cookie'),
      text: await response.text(),
    }
  }
  return {
    get: (path: string) => ask(path),
    post: (path: string, fields: Record<string, string> = {}) =>
      ask(path, { method: 'POST', body: new URLSearchParams(fields) }),
    cookie: () => cookie,
  }
}

t.test('a visitor logs in, sees the profile, refreshes and logs out', async (t) => {
  const { service, browser, sandbox } = await start(t)
  t.match((await browser.get('')).text, /value="yandex".*value="google".*value="mail"/s)

  const begun = await browser.post('login', { provider: 'yandex' })
  t.match(begun, { status: 303, location: 'https://provider.example/authorize?x=1' })
  t.match(begun.setCookie, /^demo_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/)
  const posts = () => service.calls.filter(({ method }) => method === 'POST')
  t.strictSame(Object.fromEntries(new URLSearchParams(posts()[0]?.body)), {
    provider: 'yandex',
    client_redirect_url: sandbox.demoRedirectUrl,
  })

  const cookieBefore = browser.cookie()
  const query = 'provider=yandex&state=state-1&code=a%2Fb%2Bc%3D&utm=1&utm=2&empty='
  t.match(await browser.get(`return?${query}`), { status: 303, location: '/demo/' })
  t.equal(posts()[1]?.body, query, 'everything goes on one to one')
  t.not(browser.cookie(), cookieBefore, 'a new session id')
  t.equal(posts()[1]?.authorization, undefined)
  t.equal(posts()[1]?.language, 'en')

  const home = await browser.get('')
  t.match(home.text, '&lt;Анна&gt;')
  t.match(home.text, 'data-field="email">—<')
  t.match(home.text, 'user-1')
  t.equal(service.calls.at(-1)?.authorization, `Bearer ${tokens.access_token}`)
  t.match(await browser.get(`return?${query}`), { status: 303, location: '/demo/' }, 'the button "back"')

  t.match(await browser.post('refresh'), { status: 303 })
  t.equal(service.calls.at(-1)?.body, 'refresh_token=refresh-1')
  t.match(await browser.post('logout'), { status: 303 })
  t.equal(service.calls.at(-1)?.body, 'token=refresh-2')
  t.match((await browser.get('')).text, /value="yandex"/)
  t.match(await browser.post('refresh'), { status: 303, location: '/demo/' })
})

t.test(
  'the button of a provider that does not work is disabled; no button is, if the list cannot be read',
  async (t) => {
    const { answers, browser } = await start(t)
    t.notMatch((await browser.get('')).text, /disabled>/)
    answers['GET /api/v1/oauth/providers/'] = {
      status: 200,
      body: { providers: [offered('yandex', true), offered('google', false), offered('mail', true)] },
    }
    const { text } = await browser.get('')
    t.match(text, /value="yandex".*<button disabled><svg [^]*?<\/svg>Log in with google .*value="mail"/s)
    answers['GET /api/v1/oauth/providers/'] = { status: 200, body: { providers: 'many' } }
    t.notMatch((await browser.get('')).text, /disabled>/)
  },
)

t.test("the site's secret is sent by HTTP Basic if there is one", async (t) => {
  const { service, browser } = await start(t, 'secret-1')
  await browser.post('login', { provider: 'mail' })
  t.equal(service.calls[0]?.authorization, `Basic ${Buffer.from('site-1:secret-1').toString('base64')}`)
})

t.test('a login that another browser started is rejected before any request to the service', async (t) => {
  const { service, browser, sandbox } = await start(t)
  await browser.post('login', { provider: 'yandex' })
  const victim = browserAt(sandbox.demoUrl)
  const asked = service.calls.length
  t.match(await victim.get('return?provider=yandex&state=state-1&code=attackers'), {
    status: 400,
    text: /not started in this browser/,
  })
  await victim.post('login', { provider: 'yandex' })
  t.match(await victim.get('return?provider=yandex&state=state-2&code=attackers'), { status: 400 })
  t.equal(service.calls.length, asked + 1, 'only the victim’s own start')
})

t.test('the page explains why there was no code', async (t) => {
  const { browser, service } = await start(t)
  await browser.post('login', { provider: 'yandex' })
  for (const [error, words] of [
    ['access_denied', /You did not allow access/],
    ['login_expired', /too long/],
    ['temporarily_unavailable', /busy/],
    ['server_error', /could not log you in/],
    ['constructor', /could not log you in/],
  ] as const) {
    const { text } = await browser.get(
      `return?provider=yandex&state=state-1&error=${error}&error_description=%3Ci%3E`,
    )
    t.match(text, words, error)
    t.notMatch(text, /lt;i&gt;|<i>/, 'the description is for developers')
  }
  const odd = await browser.get('return?provider=yandex&state=state-1&error=%22%3E%3Ci%3E')
  t.match(odd.text, 'data-error="&quot;&gt;&lt;i&gt;"')
  t.notOk(service.calls.some(({ path }) => path.endsWith('/authorize/')))
  t.equal(
    (await browser.get('return?provider=yandex&state=state-1&code=c')).status,
    303,
    'a code may still follow',
  )
})

t.test('a problem is shown with its request id, and the finish can be repeated', async (t) => {
  const { answers, browser } = await start(t)
  const finish = 'return?provider=yandex&state=state-1&code=c'
  await browser.post('login', { provider: 'yandex' })
  answers['POST /api/v1/oauth/authorize/'] = {
    status: 503,
    body: {
      title: 'TITLE',
      detail: 'DETAIL',
      error_description: 'DESCRIPTION',
      user_message: 'The provider is <busy>',
      request_id: 'req-7',
    },
  }
  const { status, text } = await browser.get(finish)
  t.equal(status, 502)
  t.match(text, 'The provider is &lt;busy&gt;')
  t.match(text, 'req-7')
  t.notMatch(text, /TITLE|DETAIL|DESCRIPTION|HTTP/, 'nothing that is written for developers')
  Object.assign(answers, good())
  t.equal((await browser.get(finish)).status, 303)
})

t.test('unusable responses of the service are shown as an error', async (t) => {
  const { answers, browser, service } = await start(t)
  answers['POST /api/v1/oauth/authorize-url/'] = { status: 400, body: '<h1>Bad gateway</h1>' }
  t.match(await browser.post('login', { provider: 'yandex' }), {
    status: 400,
    text: /does not work at the moment/,
  })
  for (const body of ['', 'null', '[]', '{"state":1}', { state: 'x' }]) {
    answers['POST /api/v1/oauth/authorize-url/'] = { status: 200, body }
    t.match(await browser.post('login', { provider: 'yandex' }), {
      status: 502,
      text: /does not work at the moment/,
    })
  }
  t.equal((await browser.post('login')).status, 400, 'no provider chosen')
  await service.close()
  t.match(await browser.post('login', { provider: 'yandex' }), {
    status: 502,
    text: /does not work at the moment/,
  })
})

t.test('an expired access token is refreshed, and an ended session is deleted', async (t) => {
  const { answers, browser, service } = await start(t)
  await browser.post('login', { provider: 'yandex' })
  await browser.get('return?provider=yandex&state=state-1&code=c')
  answers['GET /api/v1/me/'] = { status: 401, body: { user_message: 'Ended' } }
  t.match(await browser.get(''), { status: 400, text: /Ended/ })
  t.strictSame(
    service.calls.slice(-3).map(({ path }) => path),
    ['/api/v1/me/', '/api/v1/oauth/refresh/', '/api/v1/me/'],
  )
  answers['POST /api/v1/oauth/refresh/'] = { status: 400, body: { user_message: 'Session over' } }
  t.match(await browser.get(''), { status: 400, text: /Session over/ })
  t.match((await browser.get('')).text, /value="yandex"/)
})

t.test('the page says that the service is starting until the demo site knows its URL', async (t) => {
  const sandbox = await startSandbox({ host: '127.0.0.1', port: 0, publicUrl: 'http://127.0.0.1:3000' })
  t.teardown(() => sandbox.close())
  t.match(await browserAt(sandbox.demoUrl).get(''), { status: 503, text: /is starting/ })
})

t.test('the demo site also runs without the sandbox', async (t) => {
  const answers = good()
  answers['GET /api/v1/oauth/providers/'] = {
    status: 200,
    body: { providers: [offered('mail', true), offered('corp', true), { name: 7 }] },
  }
  const service = await startStandIn(answers)
  t.teardown(() => service.close())
  const options = { serviceUrl: service.url, siteId: 'site-1' }
  await t.rejects(
    startDemoSite({ ...options, redirectUrl: 'http://127.0.0.1:3999/elsewhere' }),
    /demo\/return/,
  )
  const free = await startStandIn({})
  await free.close()
  const demo = await startDemoSite({ ...options, redirectUrl: `${free.url}/demo/return` })
  t.teardown(() => demo.close())
  t.match((await browserAt(demo.url).get('')).text, /value="mail"/)
})
