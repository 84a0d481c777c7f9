import type { Page } from 'playwright-core'
import { chromium as driver } from 'playwright-core'
import t from 'tap'
import { chromium, withoutChromium } from './support/chromium.ts'
import { emptyFolder, startSandboxed } from './support/npm-start.ts'

// What a person clicks, in a real browser, on what `npm start` gives: from the demo site through each provider's
// consent page and back.
t.test('a person logs in, refuses, and logs out', { skip: withoutChromium, timeout: 120_000 }, async (t) => {
  const started = await startSandboxed(t, await emptyFolder(t))
  const demo = `http://127.0.0.1:${started.ports.SANDBOX_PORT}/demo/`
  const browser = await driver.launch({
    executablePath: `/usr/bin/${chromium}`,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
  t.teardown(() => browser.close())

  const visit = async (language = 'ru') => {
    const context = await browser.newContext({ locale: language })
    const page = await context.newPage()
    page.on('pageerror', (error) => t.fail(`a script failed: ${error.message}`))
    await page.goto(demo)
    return page
  }
  const choose = async (page: Page, provider: string) => {
    await page.click(`button[name=provider][value=${provider}]`)
    await page.click('button[value=anna]')
  }

  for (const provider of ['yandex', 'google', 'mail'])
    await t.test(`${provider}: log in and log out`, async (t) => {
      const page = await visit()
      await choose(page, provider)
      await page.click('button[value=allow]')
      await page.waitForSelector('dd[data-field=email]')
      t.ok(page.url().startsWith(demo))
      t.match(await page.textContent('dd[data-field=email]'), /@/)
      t.notMatch(page.url(), /code=|state=/, 'the credentials do not stay in the address')
      await page.reload()
      t.ok(await page.$('dd[data-field=email]'), 'still logged in')
      await page.click('form[action$=refresh] button')
      t.ok(await page.waitForSelector('dd[data-field=email]'), 'and after a refresh')
      await page.click('form[action$=logout] button')
      t.ok(await page.waitForSelector(`button[name=provider][value=${provider}]`), 'logged out')
      await page.context().close()
    })

  await t.test('the user refuses: the demo site explains, and offers to try again', async (t) => {
    const page = await visit('en')
    await choose(page, 'yandex')
    await page.click('button[value=deny]')
    t.ok(await page.waitForSelector('.card[data-error=access_denied]'))
    await page.context().close()
  })

  await t.test('back after a finished login: a page in plain words that leads to the site', async (t) => {
    const page = await visit('ru')
    let callback = ''
    page.on('request', (request) => {
      if (request.url().includes('/oauth/callback/')) callback = request.url()
    })
    await choose(page, 'mail')
    await page.click('button[value=allow]')
    await page.waitForSelector('dd[data-field=email]')
    await page.goto(callback)
    t.equal(await page.getAttribute('html', 'lang'), 'ru')
    await page.click(`a[href="http://127.0.0.1:${started.ports.SANDBOX_PORT}"]`)
    t.ok(page.url().startsWith(`http://127.0.0.1:${started.ports.SANDBOX_PORT}/`))
    await page.context().close()
  })
})
