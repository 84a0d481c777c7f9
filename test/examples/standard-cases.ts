import type { Test } from 'tap'
import { consent } from '../openid/person.ts'
import { codeFor } from '../openid/standard-client.ts'
import type { Cases, Running } from './run-example.ts'
import { returnPath, sessionCookie } from './run-example.ts'

/** What every site does that uses a library of OpenID Connect. */
export const standardCases: Cases = { door: 'standard', run: testSite }

async function testSite(t: Test, { service, site, origin, browser, said }: Running): Promise<void> {
  const visit = async () => {
    const page = await (await browser.newContext({ locale: 'en' })).newPage()
    await page.goto(origin)
    return page
  }
  const toChooser = async () => {
    const page = await visit()
    await page.click('form[action="/login"] button')
    return page
  }
  const ended = async () => {
    const { rows } = await service.database.pool.query(
      'SELECT count(*)::int AS n FROM sessions WHERE revoked_at IS NULL',
    )
    return rows[0]?.n === 0
  }

  for (const { name } of Object.values(service.doubles))
    await t.test(`${name}: log in and log out`, async (t) => {
      const page = await toChooser()
      const before = await sessionCookie(page.context())
      await page.click(`a[href*="provider=${name}"]`)
      await consent(page)
      await page.waitForSelector('form[action="/logout"]')
      t.match(await page.textContent('b'), /\S/)
      t.equal(page.url(), `${origin}/`, 'state and code are not in the address')
      const after = await sessionCookie(page.context())
      t.match(after, { httpOnly: true, sameSite: 'Lax', path: '/' })
      t.not(after?.value, before?.value, 'a new session id')
      await page.click('form[action="/logout"] button')
      t.ok(await page.waitForSelector('form[action="/login"]'))
      t.ok(await ended(), 'at the service, too')
      await page.context().close()
    })

  await t.test('the person refuses', async (t) => {
    const page = await toChooser()
    await page.click('a[href*="provider=yandex"]')
    await page.click('button[value=anna]')
    await page.click('button[value=deny]')
    t.match(await page.textContent('[role=alert]'), /did not allow/)
    await page.context().close()
  })

  await t.test('a foreign state leaves the login as it is', async (t) => {
    const page = await toChooser()
    const chooser = page.url()
    await page.goto(`${origin}${returnPath}?state=foreign&code=foreign`)
    t.ok(await page.$('form[action="/login"]'))
    await page.goto(chooser)
    await page.click('a[href*="provider=google"]')
    await consent(page)
    t.ok(await page.waitForSelector('form[action="/logout"]'))
    await page.context().close()
  })

  await t.test('a code of another login is not taken', async (t) => {
    const page = await visit()
    const begun = page.waitForRequest(/[?&]state=/)
    await page.click('form[action="/login"] button')
    const state = new URL((await begun).url()).searchParams.get('state') ?? ''
    const code = await codeFor(service, { ...site, redirectUri: origin + returnPath })
    const address = `${origin}${returnPath}?${new URLSearchParams({ code, state, iss: service.url })}`
    await page.goto(address)
    t.match(await page.textContent('[role=alert]'), /did not succeed/)
    t.ok(await page.$('form[action="/login"]'))
    await page.context().close()
  })

  await t.test('the provider is down', async (t) => {
    service.doubles.yandex.fault('token', '503-html', 1)
    const page = await toChooser()
    await page.click('a[href*="provider=yandex"]')
    await consent(page)
    t.match(await page.textContent('[role=alert]'), /did not succeed/)
    t.ok(await page.$('form[action="/login"]'))
    await page.context().close()
  })

  t.notMatch(said(), /[?&]code=/, 'no code is in its log')
}
