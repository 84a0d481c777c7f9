import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { chromium as driver } from 'playwright-core'
import t from 'tap'
import { providers } from '../plugins/index.ts'
import { chromium, withoutChromium } from './support/chromium.ts'
import { emptyFolder, startSandboxed } from './support/npm-start.ts'

// What a person clicks, in a real browser, on what `npm start` gives: from the demo site through each provider's
// consent page and back.
t.test('a person logs in, refuses, and logs out', { skip: withoutChromium, timeout: 240_000 }, async (t) => {
  const started = await startSandboxed(t, await emptyFolder(t))
  const demo = `http://127.0.0.1:${started.ports.SANDBOX_PORT}/demo/`
  const browser = await driver.launch({
    executablePath: `/usr/bin/${chromium}`,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
  t.teardown(() => browser.close())

  const visit = async (language = 'ru', colorScheme: 'light' | 'dark' = 'light') => {
    const context = await browser.newContext({ locale: language, colorScheme })
    const page = await context.newPage()
    page.on('pageerror', (error) => t.fail(`a script failed: ${error.message}`))
    await page.goto(demo)
    return page
  }
  const choose = async (page: Page, provider: string) => {
    await page.click(`button[name=provider][value=${provider}]`)
    await page.click('button[value=anna]')
  }

  // The last one sends its response as a form. The others differ in nothing that a browser sees.
  for (const provider of ['yandex', 'google', 'mail', 'apple'])
    await t.test(`${provider}: log in and log out`, async (t) => {
      const page = await visit()
      for (const { name } of providers)
        t.ok(await page.$(`button[name=provider][value=${name}] svg`), `${name} has a button and a mark`)
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
    await page.goBack()
    await page.click('button[value=allow]')
    t.ok(await page.waitForSelector('dd[data-field=email]'), 'back, and allowed: the same login succeeds')
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

  await t.test('after failures the menu shows the open circuit, and a click closes it', async (t) => {
    const menu = `http://127.0.0.1:${started.ports.SANDBOX_PORT}/`
    const page = await visit('en')
    const state = () => page.getAttribute('dd[data-circuit=yandex]', 'data-state')
    await page.goto(menu)
    t.equal(await state(), 'closed')
    await page.selectOption('select[name=yandex]', 'error-500')
    await page.click('form[action="/"] button')
    for (let failure = 0; failure < 5; failure++) {
      await page.goto(demo)
      await choose(page, 'yandex')
      await page.click('button[value=allow]')
      await page.waitForSelector('.card.bad')
    }
    await page.goto(demo)
    t.ok(await page.isDisabled('button:has-text("Yandex")'), 'the demo site offers the others meanwhile')
    await page.goto(menu)
    t.not(await state(), 'closed')
    await page.selectOption('select[name=yandex]', '')
    await page.click('form[action="/"] button')
    await page.click('button[name=close][value=yandex]')
    t.equal(await state(), 'closed')
    await page.goto(demo)
    await choose(page, 'yandex')
    await page.click('button[value=allow]')
    t.ok(await page.waitForSelector('dd[data-field=email]'), 'a login succeeds at once')
    await page.context().close()
  })

  await t.test('only a provider that vouches for an email offers to choose so', async (t) => {
    for (const [provider, vouches] of [
      ['yandex', false],
      ['google', true],
      ['mail', false],
      ['github', true],
    ] as const) {
      const page = await visit('en')
      await page.click(`button[name=provider][value=${provider}]`)
      t.equal((await page.$('input[name=emailVerified]')) !== null, vouches, provider)
      await page.context().close()
    }
  })

  const service = `http://127.0.0.1:${started.ports.PORT}`
  const addresses = [
    { url: `http://127.0.0.1:${started.ports.SANDBOX_PORT}/`, worst: [] },
    { url: demo, worst: [] },
    { url: `${service}/problems/`, worst: [] },
    { url: `${service}/problems/unknown-login`, worst: [] },
    { url: `${service}/api/v1/oauth/callback/yandex?state=unknown&code=1`, worst: [] },
    // Buttons within headings and sections outside landmarks are swagger-ui's own; none of them is critical.
    { url: `${service}/docs/`, worst: ['heading-order', 'nested-interactive', 'region'] },
  ]
  // swagger-ui knows no dark colours.
  const schemes = ({ url }: { url: string }) =>
    url.endsWith('/docs/') ? (['light'] as const) : (['light', 'dark'] as const)
  const looks = addresses.flatMap((address) => schemes(address).map((scheme) => ({ ...address, scheme })))
  for (const { url, worst, scheme } of looks)
    await t.test(
      `${new URL(url).pathname}, ${scheme}, is accessible, and its console stays empty`,
      async (t) => {
        const page = await visit('en', scheme)
        page.on('console', (message) => {
          // The callback page is a 400, which the console repeats.
          if (message.type() === 'error' && !/status of 400/.test(message.text())) t.fail(message.text())
        })
        await page.goto(url)
        await page.waitForLoadState('networkidle')
        const found = await page.evaluate<string[]>(
          `(() => { ${axe.source}; return axe.run().then(({ violations }) => violations.map(({ id }) => id)) })()`,
        )
        t.strictSame(found.toSorted(), worst)
        await page.context().close()
      },
    )
})
