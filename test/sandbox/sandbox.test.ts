import { createServer } from 'node:net'
import t from 'tap'
import { providers } from '../../plugins/index.ts'
import type { ProviderDouble } from '../../sandbox/doubles/double.ts'
import { faultIds } from '../../sandbox/faults/catalogue.ts'
import type { Sandbox } from '../../sandbox/sandbox.ts'
import { startSandbox } from '../../sandbox/sandbox.ts'
import { challengeOf } from '../providers/provider-setup.ts'
import { listenOnLoopback } from '../support/process.ts'

const publicUrl = 'http://127.0.0.1:3000'
const start = async (t: { teardown(end: () => Promise<void>): void }) => {
  const sandbox = await startSandbox({ host: '127.0.0.1', port: 0, publicUrl })
  t.teardown(() => sandbox.close())
  return sandbox
}

const verifier = 'v'.repeat(43)
const names = providers.map(({ name }) => name)

function authorizeUrl({ env }: Sandbox, name: string, extra = ''): string {
  const prefix = name.toUpperCase()
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: env[`${prefix}_CLIENT_ID`] ?? '',
    redirect_uri: `${publicUrl}/api/v1/oauth/callback/${name}`,
    state: 'the+state/=%',
    scope: providers.find((one) => one.name === name)?.defaults.scope ?? '',
    response_mode: 'form_post',
    code_challenge: challengeOf(verifier),
    code_challenge_method: 'S256',
  })
  return `${env[`${prefix}_AUTHORIZE_URL`]}?${query.toString()}${extra}`
}

const doubleOf = (sandbox: Sandbox, name: string): ProviderDouble | undefined =>
  new Map<string, ProviderDouble>(Object.entries(sandbox.doubles)).get(name)

const post = (url: string, fields: Record<string, string>) =>
  fetch(url, { method: 'POST', redirect: 'manual', body: new URLSearchParams(fields) })
/** The URL to which the response to a form at `url` redirects. */
const pageAfter = (url: string, response: Response) =>
  new URL(response.headers.get('location') ?? '', url).href
/** Where an authorization response goes: a redirect, or a form that the browser posts at once. */
async function callbackOf(response: Response): Promise<URL> {
  const location = response.headers.get('location')
  if (location !== null) return new URL(location)
  const page = await response.text()
  const unescaped = (text = '') => text.replaceAll('&quot;', '"').replaceAll('&amp;', '&')
  const url = new URL(unescaped(/<form method="post" action="([^"]+)"/.exec(page)?.[1] ?? 'about:blank'))
  for (const [, name = '', value] of page.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g))
    url.searchParams.append(name, unescaped(value))
  return url
}

t.test('the sandbox uses the next free port and returns its URLs', async (t) => {
  const other = createServer()
  const taken = await listenOnLoopback(other)
  t.teardown(() => other.close())
  const sandbox = await startSandbox({ host: '127.0.0.1', port: taken, publicUrl, nextPort: true })
  t.teardown(() => sandbox.close())
  t.ok(Number(new URL(sandbox.url).port) > taken)
  await t.rejects(startSandbox({ host: '127.0.0.1', port: taken, publicUrl }), { code: 'EADDRINUSE' })
  t.equal(sandbox.demoUrl, `${sandbox.url}/demo/`)
  t.equal(sandbox.env['GOOGLE_ISSUER'], `${sandbox.url}/google`)
  for (const [name, value] of Object.entries(sandbox.env))
    if (name.endsWith('_URL')) t.ok(value.startsWith(sandbox.url), name)
})

t.test('a host of another computer is an error and no other ports are tried', async (t) => {
  await t.rejects(startSandbox({ host: '192.0.2.1', port: 0, publicUrl }), { code: 'EADDRNOTAVAIL' })
})

for (const name of names)
  t.test(`${name}: a person clicks through the pages`, async (t) => {
    const sandbox = await start(t)
    const url = authorizeUrl(sandbox, name)
    const login = await fetch(url)
    t.match(await login.text(), /value="anna"/)
    const chosen = await post(url, { person: 'anna' })
    t.equal(chosen.status, 303, 'the next page has a URL of its own, so that the browser can go back to it')
    const consent = await (await fetch(pageAfter(url, chosen))).text()
    t.match(consent, /Анна Демидова/)
    t.match(consent, /<input type="hidden" name="person" value="anna">/)

    const allowed = await post(url, { person: 'anna', decision: 'allow' })
    const { callbackMethod = 'GET', requests = [] } = doubleOf(sandbox, name) ?? {}
    t.equal(allowed.status, callbackMethod === 'GET' ? 303 : 200)
    const callback = await callbackOf(allowed)
    t.equal(callback.origin + callback.pathname, `${publicUrl}/api/v1/oauth/callback/${name}`)
    t.equal(callback.searchParams.get('state'), 'the+state/=%')
    t.ok(callback.searchParams.has('code'))

    const denied = await callbackOf(await post(pageAfter(url, chosen), { person: 'anna', decision: 'deny' }))
    t.match(denied.searchParams.get('error'), /^(access_denied|user_cancelled_authorize)$/)
    t.notOk(denied.searchParams.has('code'))
    t.equal(requests[0]?.method, 'GET')
    t.notMatch(requests[0]?.path, `/${name}/`, 'paths are told without the prefix')
  })

t.test('a made-up person reaches userinfo and is escaped on the page', async (t) => {
  const sandbox = await start(t)
  const url = authorizeUrl(sandbox, 'mail')
  const own = { person: 'own', name: '<b>"Вера"&\'', login: 'vera', email: '', id: '7' }
  const page = await (await fetch(pageAfter(url, await post(url, own)))).text()
  t.match(page, '&lt;b&gt;&quot;Вера&quot;&amp;&#39;')
  t.notMatch(page, '<b>')

  const { searchParams } = await callbackOf(await post(url, { ...own, decision: 'allow' }))
  const code = searchParams.get('code') ?? ''
  const tokens = await post(sandbox.env['MAIL_TOKEN_URL'] ?? '', {
    grant_type: 'authorization_code',
    code,
    redirect_uri: `${publicUrl}/api/v1/oauth/callback/mail`,
    client_id: sandbox.env['MAIL_CLIENT_ID'] ?? '',
    client_secret: sandbox.env['MAIL_CLIENT_SECRET'] ?? '',
    code_verifier: verifier,
  })
  const { access_token } = (await tokens.json()) as { access_token: string }
  const profile = await fetch(`${sandbox.env['MAIL_USERINFO_URL']}?access_token=${access_token}`)
  const fields: unknown = await profile.json()
  t.match(fields, { id: '7', nickname: 'vera', name: own.name })
  t.notOk(Object.hasOwn(Object(fields), 'email'))
})

t.test('sandbox_person redirects at once, without pages', async (t) => {
  const sandbox = await start(t)
  for (const name of names) {
    const response = await fetch(authorizeUrl(sandbox, name, '&sandbox_person=boris'), { redirect: 'manual' })
    t.equal(response.status, doubleOf(sandbox, name)?.callbackMethod === 'GET' ? 302 : 200)
    t.ok((await callbackOf(response)).searchParams.has('code'))
  }
  const nobody = await fetch(authorizeUrl(sandbox, 'yandex', '&sandbox_person=toString'), {
    redirect: 'manual',
  })
  t.equal(nobody.status, 200, 'an unknown person gets the login page')
})

t.test("only the service's own callback is registered at the doubles", async (t) => {
  const sandbox = await start(t)
  const url = authorizeUrl(sandbox, 'yandex').replace('callback%2Fyandex', 'callback%2Fmail')
  const response = await fetch(url, { redirect: 'manual', headers: { 'accept-language': 'ru' } })
  t.equal(response.status, 400)
  t.match(await response.text(), 'никого не отправляет обратно')
})

t.test("pages are in the browser's language and load nothing from elsewhere", async (t) => {
  const sandbox = await start(t)
  for (const url of [sandbox.url, sandbox.demoUrl, authorizeUrl(sandbox, 'google')]) {
    for (const [accept, lang] of [
      [undefined, 'en'],
      ['fr', 'en'],
      ['ru-RU,ru;q=0.9,en;q=0.5', 'ru'],
    ] as const) {
      const headers = accept === undefined ? new Headers() : new Headers({ 'accept-language': accept })
      const response = await fetch(url, { headers })
      const page = await response.text()
      // fetch itself adds "*", which leaves the choice to us.
      t.match(page, `<html lang="${lang}">`, `${url} ${accept ?? ''}`)
      t.notMatch(page, /<script|src=|@import|url\(/)
      t.match(response.headers.get('content-security-policy'), "default-src 'none'")
    }
  }
})

t.test('the menu sets a fault for a provider and takes it away', async (t) => {
  const sandbox = await start(t)
  // A login keeps the fault that it began with, so each is another login.
  let logins = 0
  const ask = () =>
    fetch(authorizeUrl(sandbox, 'yandex').replace('state=', `state=${++logins}`), { redirect: 'manual' })
  const menu = await (await fetch(sandbox.url)).text()
  for (const id of faultIds) t.match(menu, `<option value="${id}"`)

  t.equal((await post(sandbox.url, { yandex: 'refuses' })).headers.get('location'), '/?done=1')
  t.match((await ask()).headers.get('location'), /error=access_denied/)
  t.match(await (await fetch(sandbox.url)).text(), /<option value="refuses" selected>/)
  t.equal((await fetch(authorizeUrl(sandbox, 'mail'))).status, 200, 'the others are as they were')

  await post(sandbox.url, { yandex: 'no-such-fault', nobody: 'refuses', telegram: 'no-email' })
  t.match((await ask()).headers.get('location'), /error=access_denied/, 'and nothing else is changed')
  await post(sandbox.url, { yandex: '' })
  t.equal((await ask()).status, 200)
  t.notMatch(await (await fetch(sandbox.url)).text(), /selected>/)
})

t.test('a fault belongs to its own logins, and leaves no trace at the double', async (t) => {
  const sandbox = await start(t)
  const before = JSON.stringify(sandbox.doubles.mail.switches)
  for (const id of faultIds) {
    const url = authorizeUrl(sandbox, 'mail', `&sandbox_person=anna&sandbox_fault=${id}`)
    await fetch(url.replace('state=', `state=${id}`), { redirect: 'manual' })
    t.equal(JSON.stringify(sandbox.doubles.mail.switches), before, id)
  }
  const plain = await fetch(authorizeUrl(sandbox, 'mail', '&sandbox_person=anna'), { redirect: 'manual' })
  t.ok((await callbackOf(plain)).searchParams.has('code'))
})
