import { chromium as driver } from 'playwright-core'
import type { Test } from 'tap'
import t from 'tap'
import { startDemoSite } from '../../sandbox/demo-site/demo-site.ts'
import { appleSubject } from '../../sandbox/doubles/apple.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import {
  get,
  locationFields,
  logIn,
  loginToFinish,
  openCallback,
  post,
  start,
} from '../support/login-flow.ts'
import { freePort } from '../support/process.ts'
import { registerSite, startDoubles, startTestService } from '../support/service.ts'

// A provider that sends its authorization response as a form (OAuth 2.0 Form Post Response Mode), as Apple does.

const path = '/api/v1/oauth/callback/apple'

/** A service whose Apple double can be switched. */
async function serve(t: Test) {
  const doubles = await startDoubles(t)
  const service = await startTestService(t, { doubles })
  const { switches } = doubles.apple
  const me = async (person: object) => {
    const { accessToken } = await logIn(service, 'apple', { person })
    return (await get(service, '/api/v1/me/', { authorization: `Bearer ${accessToken}` })).json
  }
  const dropped = () => service.log.filter((line) => line.includes('cannot be used and was left out'))
  return { service, switches, me, dropped }
}

t.test('the callback takes a POST of a form and no GET', async (t) => {
  const { service } = await serve(t)
  const { state, authorizeUrl } = await start(service, 'apple')
  const callback = new URL(await service.doubles.apple.consent(authorizeUrl))
  t.equal((await get(service, `${path}${callback.search}`)).status, 404, 'the query of a GET is no response')
  const fields = [...callback.searchParams]
  const answer = await post(service, path, fields)
  t.equal(answer.status, 303)
  t.strictSame(locationFields(answer), [
    ['provider', 'apple'],
    ['state', state],
    ['code', callback.searchParams.get('code') ?? ''],
  ])
})

t.test('a person who cancels is told to the site as access_denied', async (t) => {
  const { service } = await serve(t)
  const { authorizeUrl } = await start(service, 'apple')
  const callback = await service.doubles.apple.refuse(authorizeUrl)
  t.match(callback, 'error=user_cancelled_authorize')
  const answer = await openCallback(service, callback)
  t.equal(Object.fromEntries(locationFields(answer)).error, 'access_denied')
  t.match(
    service.log.find((line) => line.includes('provider refused')),
    'user_cancelled_authorize',
    'the log has the word of the provider',
  )
  const withoutState = await post(service, path, { error: 'user_cancelled_authorize' })
  t.match(withoutState.json.type, /:access-denied$/)
})

t.test('the name that comes once is kept at later logins, and the email follows', async (t) => {
  const { service, switches, me } = await serve(t)
  const person = { id: '77', name: 'Анна Петрова', email: 'anna@mail.example', emailVerified: true }
  const first = await me(person)
  t.match(first, { name: 'Анна Петрова', email: 'anna@mail.example', email_verified: true, login: null })
  switches.relay = true
  const second = await me(person)
  t.match(second, { id: first.id, name: 'Анна Петрова', email: /@privaterelay\./ })
  switches.relay = false
  const third = await me({ ...person, email: null })
  t.match(third, { id: first.id, email: second.email, email_verified: true }, 'not told this time')
  switches.user = 'always'
  t.match(await me({ ...person, name: 'Анна Новая' }), { id: first.id, name: 'Анна Новая' })
  const identity = await service.database.prisma.identity.findFirst({ where: { provider: 'apple' } })
  t.equal(identity?.subject, appleSubject('77'))
})

t.test(
  'a `user` that is broken or too long is left out with a log line, and costs nobody a login',
  async (t) => {
    const { switches, me, dropped } = await serve(t)
    const forms = ['broken', 'too-long'] as const
    for (const [at, form] of forms.entries()) {
      switches.userForm = form
      t.match(
        await me({ id: `8${at}`, email: 'b@mail.example' }),
        { name: null, email: 'b@mail.example' },
        form,
      )
      t.equal(dropped().length, at + 1)
      t.match(JSON.parse(dropped().at(-1) ?? '{}'), { level: 40, provider: 'apple', parameter: 'user' })
      t.notMatch(dropped().join(), /firstName|xxxx/, 'without its value')
    }
    switches.userForm = 'markup'
    t.match(await me({ id: '90' }), { name: '<img src=x onerror=alert(1)> "&' }, 'a name is only text')
  },
)

t.test('a callback of another provider is no form', async (t) => {
  const { service } = await serve(t)
  const login = await loginToFinish(service, 'yandex')
  t.equal((await post(service, '/api/v1/oauth/callback/yandex', login)).status, 405)
})

t.test(
  'the cross-site POST ends at the site, whose SameSite=Lax cookie comes along',
  { skip: withoutChromium, timeout: 60_000 },
  async (t) => {
    const port = await freePort()
    const doubles = await startDoubles(t, `http://127.0.0.1:${port}`)
    // Another site than 127.0.0.1 for the browser, and the same computer.
    const appleAt = doubles.apple.origin.replace('127.0.0.1', 'localhost')
    const env = { APPLE_AUTHORIZE_URL: `${appleAt}/auth/authorize` }
    const service = await startTestService(t, { doubles, reachable: port, env })
    const own = `http://127.0.0.1:${await freePort()}/demo/return`
    const { id } = await registerSite(service.database, own)
    const demo = await startDemoSite({ serviceUrl: service.url, siteId: id, redirectUrl: own })
    t.teardown(() => demo.close())
    const browser = await driver.launch({
      executablePath: `/usr/bin/${chromium}`,
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    })
    t.teardown(() => browser.close())
    const page = await browser.newPage()
    const seen: { method: string; url: string; headers: Promise<Record<string, string>> }[] = []
    page.on('request', (request) =>
      seen.push({ method: request.method(), url: request.url(), headers: request.allHeaders() }),
    )
    await page.goto(demo.url)
    await page.click('button[name=provider][value=apple]')
    t.ok(page.url().startsWith(appleAt), 'the person is at the provider, another site')
    await page.click('button[value=anna]')
    await page.click('button[value=allow]')
    await page.waitForSelector('dd[data-field=email]')
    t.ok(page.url().startsWith(demo.url), 'logged in at the site')
    t.match(await page.textContent('dd[data-field=name]'), 'Анна Демидова')

    const posted = seen.find(({ method, url }) => method === 'POST' && url.includes(path))
    const posting = (await posted?.headers) ?? {}
    t.equal(posting['sec-fetch-site'], 'cross-site')
    t.equal(posting.cookie, undefined, 'a Lax cookie of this host does not go with the POST itself')
    const returned = await seen.find(({ url }) => url.startsWith(own))?.headers
    t.match(returned?.cookie, /demo_session=/, 'but with the GET that it is redirected to')
  },
)

t.test('a code that is no Unicode is no code, and breaks nothing', async (t) => {
  const { service } = await serve(t)
  const { state } = await start(service, 'apple')
  const response = await fetch(service.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/problem+json' },
    body: JSON.stringify({ state, code: `a${String.fromCharCode(0xd8_00)}` }),
    redirect: 'manual',
  })
  t.equal(response.status, 400)
  t.match(await response.json(), { type: /:invalid-parameter$/ })
})
