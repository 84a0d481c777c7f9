import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import type { Test } from 'tap'
import { consent } from '../openid/person.ts'
import type { ProviderName } from '../support/login-flow.ts'
import { openCallback } from '../support/login-flow.ts'
import { eventually } from '../support/process.ts'
import type { TestService } from '../support/service.ts'
import type { Cases, Running } from './run-example.ts'
import { fresh, returnPath, sessionCookie } from './run-example.ts'

/** From the page with the buttons: logs in as Anna. */
async function logIn(page: Page, provider: ProviderName): Promise<void> {
  await page.click(`button[name=provider][value=${provider}]`)
  await consent(page)
  await page.waitForSelector('form[action="/logout"]')
}

const alert = (page: Page) => page.textContent('[role=alert]', { timeout: 5_000 })

/** The statuses of the answers that the service has given to a route by now. */
function answered({ service }: Running, route: string): number[] {
  return service.log.flatMap((line) => {
    const entry: { route?: string; status?: number } = JSON.parse(line)
    return entry.route === route && entry.status !== undefined ? [entry.status] : []
  })
}

/** Begins a login, and does the rest without the browser. @returns the address of the site that it would come back to */
async function answerOf(page: Page, { service }: Running): Promise<string> {
  await page.click('button[name=provider][value=google]')
  const callback = await service.doubles.google.consent(page.url())
  return (await openCallback(service, callback)).headers.get('location') ?? ''
}

/** What every site does that uses the two requests of the service. */
export const siteCases: Cases = { door: 'two requests', run: testSite }

async function testSite(t: Test, running: Running): Promise<void> {
  const { service, origin, browser } = running
  const finishes = () => answered(running, '/api/v1/oauth/authorize/').length

  await everyProvider(t, running)

  const visit = async (locale = 'en') => {
    const page = await (await browser.newContext({ locale })).newPage()
    await page.goto(origin)
    return page
  }

  await t.test('the person refuses, goes back, and agrees', async (t) => {
    const page = await visit()
    await page.click('button[name=provider][value=yandex]')
    await page.click('button[value=anna]')
    await page.click('button[value=deny]')
    t.match(await alert(page), /did not allow/)
    t.equal(page.url(), `${origin}/`)
    await page.goBack()
    await page.click('button[value=allow]')
    t.ok(await page.waitForSelector('form[action="/logout"]'))
    await page.context().close()
  })

  await t.test('an error of the return: words for what is known, and a general sentence', async (t) => {
    const page = await visit()
    const address = await answerOf(page, running)
    for (const [error, words] of [
      ['login_expired', /took too long/],
      ['server_error', /did not succeed/],
      ['constructor', /did not succeed/],
    ] as const) {
      await page.goto(address.replace(/code=[^&]*/, `error=${error}`))
      t.match(await alert(page), words, error)
    }
    await page.context().close()
  })

  await t.test('an answer to the login of another browser is not used', async (t) => {
    const [attacker, victim, member] = [await visit(), await visit(), await visit()]
    const address = await answerOf(attacker, running)
    await logIn(member, 'mail')
    const before = finishes()
    await victim.goto(address)
    t.match(await alert(victim), /did not begin in this browser/)
    await member.goto(address)
    t.ok(await member.waitForSelector('form[action="/logout"]'), 'and somebody who is logged in stays so')
    t.equal(finishes(), before, 'the service was not asked')
    await victim.goto(`${origin}${returnPath}?state[]=1&error=%3Cb%3E&provider=&code=%FF`)
    t.match(await alert(victim), /did not begin in this browser/)
    await attacker.goto(address)
    t.ok(await attacker.waitForSelector('form[action="/logout"]'), 'in its own browser it still is')
    await attacker.goto(address)
    t.ok(await attacker.waitForSelector('form[action="/logout"]'), 'and again: nothing happens')
    t.equal(finishes(), before + 1)
    for (const page of [attacker, victim, member]) await page.context().close()
  })

  await t.test('two logins in two tabs', async (t) => {
    const first = await visit()
    await first.click('button[name=provider][value=google]')
    const second = await first.context().newPage()
    await second.goto(origin)
    await second.click('button[name=provider][value=yandex]')
    await consent(first)
    t.ok(await first.waitForSelector('form[action="/logout"]'))
    await first.context().close()
  })

  await t.test("the provider is down: the service's sentence, in the visitor's language", async (t) => {
    const page = await visit('ru')
    service.doubles.yandex.fault('token', '503-html', 1)
    await page.click('button[name=provider][value=yandex]')
    await consent(page)
    t.match(await alert(page), /^\p{Script=Cyrillic}.*\.$/u)
    t.equal(page.url(), `${origin}/`)
    await logIn(page, 'google')
    await page.context().close()
  })

  await t.test('a name that is HTML stays text', async (t) => {
    const page = await visit()
    const name = `<img src=x onerror=alert(1)> & "Анна" 😀 'b'`
    await page.click('button[name=provider][value=yandex]')
    await page.click('summary')
    await page.fill('input[name=name]', name)
    await page.click('button[value=own]')
    await page.click('button[value=allow]')
    t.equal(await page.textContent('b'), name)
    await page.context().close()
  })

  await sessionsCases(t, running, visit)

  t.notMatch(running.said(), /[?&]code=/, 'no code is in its log')

  await t.test('odd requests leave it running', async (t) => {
    for (const path of ['/\\[', '//', '//x:y', '/return?%', '/return?state=%FF&state[]='])
      t.ok((await statusOf(origin, path)) < 500, path)
    for (const body of ['provider=%zz&%', '', 'x'.repeat(5_000)]) {
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      const posted = await fetch(`${origin}/login`, { method: 'POST', body, headers, redirect: 'manual' })
      t.ok(posted.status < 500, `a form: ${body.slice(0, 20)}`)
    }
    t.equal(await statusOf(origin, '/'), 200)
  })

  await t.test('the service does not answer: a page in plain words', async (t) => {
    const page = await visit()
    await service.close()
    await page.reload()
    t.match(await alert(page), /does not work at the moment/)
    t.notMatch(await page.textContent('body'), /error|exception|fetch|127/i)
  })
}

/** Asks for a path exactly as it is given, which `fetch` would correct. */
async function statusOf(origin: string, path: string): Promise<number> {
  const { hostname, port } = new URL(origin)
  const [response]: IncomingMessage[] = await once(get({ hostname, port, path, agent: false }), 'response')
  response?.resume()
  return response?.statusCode ?? 0
}

async function everyProvider(t: Test, { service, origin, browser }: Running): Promise<void> {
  for (const { name } of Object.values(service.doubles))
    await t.test(`${name}: log in and log out`, async (t) => {
      const context = await browser.newContext()
      const page = await context.newPage()
      page.on('pageerror', (error) => t.fail(`a script failed: ${error.message}`))
      await page.goto(origin)
      await page.click(`button[name=provider][value=${name}]`)
      const before = await sessionCookie(context)
      await consent(page)
      await page.waitForSelector('form[action="/logout"]')
      t.match(await page.textContent('b'), /Анна Демидова|anna/i)
      t.equal(page.url(), `${origin}/`, 'state and code are not in the address')
      const after = await sessionCookie(context)
      t.match(after, { httpOnly: true, sameSite: 'Lax', path: '/' })
      t.not(after?.value, before?.value, 'a new session id')
      await page.click('form[action="/logout"] button')
      t.ok(await page.waitForSelector('button[name=provider]'), 'logged out')
      t.equal(await endedSessions(service), await allSessions(service), 'at the service, too')
      await context.close()
    })
}

const count = async ({ database }: TestService, where: string) => {
  const { rows } = await database.pool.query(`SELECT count(*)::int AS n FROM sessions WHERE ${where}`)
  return Number(rows[0]?.n)
}
const allSessions = (service: TestService) => count(service, 'true')
const endedSessions = (service: TestService) => count(service, 'revoked_at IS NOT NULL')

async function sessionsCases(t: Test, running: Running, visit: () => Promise<Page>): Promise<void> {
  const { service, origin, network } = running
  const refreshes = () => answered(running, '/api/v1/oauth/refresh/').length

  await t.test('a token that ends soon is refreshed, once for all requests of a session', async (t) => {
    const page = await visit()
    await logIn(page, 'yandex')
    const before = refreshes()
    await page.reload()
    t.equal(refreshes(), before, 'not earlier')
    await sleep(fresh + 200)
    const answers = await Promise.all(Array.from({ length: 5 }, () => page.request.get(origin)))
    for (const one of answers) t.match(await one.text(), /Анна Демидова/)
    t.equal(refreshes(), before + 1)
    await page.reload()
    t.equal(await page.textContent('b'), 'Анна Демидова')
    await page.context().close()
  })

  await t.test('the answer to a refresh is lost: the person stays logged in', async (t) => {
    const page = await visit()
    await logIn(page, 'yandex')
    let before = refreshes()
    await sleep(fresh + 200)
    network.cutAtAnswer()
    await page.reload()
    t.equal(await page.textContent('b'), 'Анна Демидова', 'the connection was cut')
    t.equal(refreshes(), before + 2)
    await sleep(fresh + 200)
    before = refreshes()
    network.withholdAnswersTo(/^POST \S+\/refresh\//)
    const reloaded = page.reload()
    await eventually(() => assert(refreshes() > before))
    network.withholdAnswersTo(/^nothing more/)
    await reloaded
    network.resume()
    t.equal(
      await page.textContent('b'),
      'Анна Демидова',
      'no answer came, and the site waited for less than 10 seconds',
    )
    t.equal(refreshes(), before + 2)
    await page.context().close()
  })

  await t.test('the service cannot refresh for a while: the person stays logged in', async (t) => {
    const page = await visit()
    await logIn(page, 'yandex')
    await sleep(fresh + 200)
    const before = refreshes()
    await service.database.pool.query('ALTER TABLE sessions RENAME TO away')
    await page.reload()
    await service.database.pool.query('ALTER TABLE away RENAME TO sessions')
    t.match(await alert(page), /^\p{Lu}.*\.$/u)
    t.equal(refreshes(), before + 2, 'it was tried twice')
    await page.reload()
    t.equal(await page.textContent('b'), 'Анна Демидова')
    await page.context().close()
  })

  await t.test(
    'a session that the operator has ended: the person is told, and may log in again',
    async (t) => {
      const page = await visit()
      await logIn(page, 'google')
      await service.database.pool.query('UPDATE sessions SET revoked_at = now() WHERE revoked_at IS NULL')
      await page.reload()
      t.match(await alert(page), /^\p{Lu}.*\.$/u)
      await page.goto(origin)
      await logIn(page, 'google')
      await page.context().close()
    },
  )

  await t.test('the form of another site logs nobody out', async (t) => {
    const page = await visit()
    await logIn(page, 'mail')
    const headers = { origin: 'https://evil.example' }
    for (const path of ['/logout', '/login']) {
      const answer = await page.request.post(origin + path, {
        headers,
        form: { provider: 'mail' },
        maxRedirects: 0,
      })
      t.ok([403, 404].includes(answer.status()), path)
    }
    await page.reload()
    t.ok(await page.$('form[action="/logout"]'))
    await page.context().close()
  })
}
