import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { chromium as driver } from 'playwright-core'
import t from 'tap'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { emptyFolder, startSandboxAlone } from '../support/npm-start.ts'

t.test('the pages of the sandbox in a browser', { skip: withoutChromium, timeout: 240_000 }, async (t) => {
  const { line } = await startSandboxAlone(t, await emptyFolder(t))
  const browser = await driver.launch({
    executablePath: `/usr/bin/${chromium}`,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
  t.teardown(() => browser.close())

  /** Chooses Anna, allows, and waits for the demo site. */
  const allow = async (page: Page) => {
    await page.click('button[value=anna]')
    await page.click('button[value=allow]')
    await page.waitForURL(/\/demo\//)
  }
  const sandbox = (path: string) => async (page: Page) => {
    await page.goto(line.sandbox_url + path)
  }
  const places: Readonly<Record<string, (page: Page) => Promise<void>>> = {
    'the first page': sandbox('/'),
    'a fault': sandbox('/faults/error-500'),
    'the fault with the longest texts': sandbox('/faults/wrong-state'),
    'the demo site': sandbox('/demo/?fault=long-name'),
    'the page of a provider': async (page) => {
      await page.goto(line.demo_url)
      await page.click('button[value=google]')
    },
    'the consent page': async (page) => {
      await page.goto(line.demo_url)
      await page.click('button[value=google]')
      await page.click('button[value=anna]')
    },
    'a person with a name of 4,000 letters': async (page) => {
      await page.goto(`${line.demo_url}?fault=long-name`)
      await page.click('button[value=yandex]')
      await allow(page)
      await page.waitForSelector('.name')
    },
    'a refused state': async (page) => {
      await page.goto(`${line.demo_url}?fault=wrong-state`)
      await page.click('button[value=yandex]')
      await allow(page)
      await page.waitForSelector('.card.bad')
    },
  }
  const looks = [
    { locale: 'en', colorScheme: 'light' },
    { locale: 'ru', colorScheme: 'dark' },
  ] as const
  for (const [name, go] of Object.entries(places))
    for (const look of looks)
      await t.test(`${name}, ${look.colorScheme}, ${look.locale}`, async (t) => {
        const context = await browser.newContext(look)
        const page = await context.newPage()
        page.on('console', (message) => {
          if (message.type() === 'error' && !/status of 400/.test(message.text())) t.fail(message.text())
        })
        await go(page)
        t.equal(await page.getAttribute('html', 'lang'), look.locale)
        for (const width of [320, 1920]) {
          await page.setViewportSize({ width, height: 900 })
          const wide = await page.evaluate<number>('document.documentElement.scrollWidth')
          t.ok(wide <= width, `${wide} of ${width} pixels`)
          const found = await page.evaluate<string[]>(
            `(() => { ${axe.source}; return axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ' ' + nodes[0].html)) })()`,
          )
          t.strictSame(found, [], `axe at ${width} pixels`)
        }
        await context.close()
      })

  await t.test(
    'without scripts: a click sets a fault, and its page says what the demo site did',
    async (t) => {
      const context = await browser.newContext({ javaScriptEnabled: false, locale: 'en' })
      const page = await context.newPage()
      await page.goto(line.sandbox_url)
      await page.click('a[href="/faults/no-email"]')
      await page.selectOption('select[name=provider]', 'github')
      await page.click('form[action="/faults/no-email"] button')
      t.match(await page.textContent('[role=status]'), 'Set')
      await page.goto(line.sandbox_url)
      t.equal(await page.inputValue('select[name=github]'), 'no-email')
      await page.goto(line.demo_url)
      await page.click('button[value=github]')
      await allow(page)
      t.equal(await page.textContent('dd[data-field=email]'), '—')
      await page.click('a[href="/faults/no-email"]')
      t.equal(await page.getAttribute('[data-did]', 'data-did'), 'true')
      await page.goto(line.sandbox_url)
      t.equal(await page.inputValue('select[name=github]'), '', 'it was set for one login')
      t.match(await page.textContent('li:has(a[href="/faults/no-email"])'), '✓')
      await context.close()
    },
  )

  await t.test('the link to the other language keeps the page, and the choice', async (t) => {
    const context = await browser.newContext({ locale: 'en' })
    const page = await context.newPage()
    await page.goto(`${line.sandbox_url}/faults/slow`)
    await page.click('a[hreflang=ru]')
    t.equal(page.url(), `${line.sandbox_url}/faults/slow`)
    t.equal(await page.getAttribute('html', 'lang'), 'ru')
    await page.goto(line.demo_url)
    t.equal(await page.getAttribute('html', 'lang'), 'ru')
    for (const elsewhere of ['//example.com', '/\\example.com', 'https://example.com'])
      t.equal(
        (
          await fetch(`${line.sandbox_url}/language?${new URLSearchParams({ back: elsewhere }).toString()}`, {
            redirect: 'manual',
          })
        ).headers.get('location'),
        '/',
      )
    await context.close()
  })

  await t.test('a page for a fault that does not exist, and one that is not possible', async (t) => {
    t.equal((await fetch(`${line.sandbox_url}/faults/nothing`)).status, 404)
    const impossible = await fetch(`${line.sandbox_url}/faults/no-email`, {
      method: 'POST',
      body: new URLSearchParams({ provider: 'telegram' }),
    })
    t.equal(impossible.status, 400)
    t.match(await impossible.text(), 'telegram cannot have the fault no-email')
  })
})
