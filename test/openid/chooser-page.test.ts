import t from 'tap'
import { addSite } from '../../src/sites/store.ts'
import { siteRules } from '../../src/sites/validate.ts'
import { withoutChromium } from '../support/chromium.ts'
import { get } from '../support/login-flow.ts'
import { startTestService } from '../support/service.ts'
import { brokenRules, html, logInThrough, serveSite, startBrowser } from './person.ts'
import { authorizationRequest, authorize, paths } from './standard-client.ts'

const service = await startTestService(t, { reachable: true })
let arrived: { method: string; form: string; query: string } | undefined
const origin = await serveSite(t, async (request) => {
  const { pathname, search } = new URL(request.url)
  if (pathname === '/return') arrived = { method: request.method, form: await request.text(), query: search }
  return html('<p id=back>back</p>')
})
const redirectUri = `${origin}/return`
const rules = { ...siteRules('development', [{ name: 'yandex' }, { name: 'google' }, { name: 'mail' }]) }
const site = await addSite(
  service.database,
  { name: `<b>Кино & "Co"</b> ${'долгое имя '.repeat(5)}`.trim(), redirectUrls: [redirectUri] },
  rules,
)
const client = { ...site, redirectUri }
const query = new URLSearchParams({ ...authorizationRequest(client), provider: '' })
const address = `${service.url}${paths.authorization}?${query}`

t.test('the page names the site, and its buttons are links to the same request', async (t) => {
  const page = await authorize(service, client, { provider: '', state: `"><script>&amp;'` })
  t.equal(page.status, 200)
  t.match(page.headers.get('content-type'), /^text\/html/)
  t.equal(page.headers.get('cache-control'), 'no-store')
  t.equal(page.headers.get('set-cookie'), null)
  t.equal(page.headers.get('referrer-policy'), 'no-referrer')
  t.match(
    page.headers.get('content-security-policy'),
    /^default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-[\w+/=]+'$/,
  )
  t.match(page.text, '&#60;b&#62;Кино &#38; &#34;Co&#34;')
  t.notMatch(page.text, /<script|<form|<b>/)
  for (const provider of ['yandex', 'google', 'mail']) {
    const [, link = ''] = new RegExp(`href="([^"]*provider=${provider})"`).exec(page.text) ?? []
    const target = new URLSearchParams(link.slice(1).replaceAll('&#38;', '&'))
    t.match(Object.fromEntries(target), { state: `"><script>&amp;'`, provider, nonce: 'nonce-of-the-client' })
  }
  t.match(page.text, /<svg [^>]*aria-hidden="true"/)
})

t.test('its language is the first of ui_locales that we have, else that of the browser', async (t) => {
  const language = async (ui_locales: string, accept: string) => {
    const headers = { accept: 'text/html', 'accept-language': accept }
    const { text } = await authorize(service, client, { provider: '', ui_locales }, headers)
    return /<html lang="(\w+)"/.exec(text)?.[1]
  }
  t.equal(await language('', 'ru'), 'ru')
  t.equal(await language('', 'de'), 'en')
  t.equal(await language('en', 'ru'), 'en')
  t.equal(await language('de-DE ru-RU en', 'en'), 'ru')
  t.equal(await language('de', 'ru'), 'ru')
})

t.test('in a browser', { skip: withoutChromium }, async (t) => {
  const browser = await startBrowser(t)
  for (const colorScheme of ['light', 'dark'] as const)
    for (const width of [320, 768, 1920])
      await t.test(`${colorScheme}, ${width} px: whole and accessible`, async (t) => {
        const context = await browser.newContext({ colorScheme, viewport: { width, height: 700 } })
        const page = await context.newPage()
        page.on('console', (message) => t.not(message.type(), 'error', message.text()))
        await page.goto(address)
        t.strictSame(await brokenRules(page), [])
        t.ok(
          await page.evaluate('document.documentElement.scrollWidth <= innerWidth'),
          'no sideways scrolling',
        )
        for (const link of await page.locator('a').all()) {
          const box = await link.boundingBox()
          t.ok(box !== null && box.height >= 44, 'large enough to touch')
        }
        await context.close()
      })

  await t.test('by keyboard alone, and no cookie of ours afterwards', async (t) => {
    const context = await browser.newContext({ locale: 'ru' })
    const page = await context.newPage()
    await page.goto(address)
    await page.keyboard.press('Tab')
    t.equal((await page.locator(':focus').textContent())?.trim(), 'Яндекс')
    await page.keyboard.press('Enter')
    await page.click('button[value=anna]')
    await page.click('button[value=allow]')
    await page.waitForSelector('#back')
    t.match(arrived, { method: 'GET', query: /[?&]code=.*&state=state-of-the-client&iss=/ })
    const cookies = await context.cookies(service.url)
    t.strictSame(cookies, [])
    await context.close()
  })

  for (const javaScriptEnabled of [true, false])
    await t.test(
      `form_post ${javaScriptEnabled ? 'posts itself' : 'has a button without scripts'}`,
      async (t) => {
        const context = await browser.newContext({ javaScriptEnabled })
        const page = await context.newPage()
        page.on('console', (message) => t.not(message.type(), 'error', message.text()))
        await page.goto(`${address}&response_mode=form_post`)
        await logInThrough(page, 'mail')
        if (!javaScriptEnabled) await page.click('button')
        await page.waitForSelector('#back')
        t.match(arrived, { method: 'POST', form: /^code=.*&state=state-of-the-client&iss=/, query: '' })
        await context.close()
      },
    )

  await t.test('it cannot be framed (clickjacking)', async (t) => {
    const page = await (await browser.newContext()).newPage()
    const framing = await serveSite(t, () =>
      html(`<iframe src="${address.replaceAll('&', '&amp;')}"></iframe>`),
    )
    const refused = page.waitForEvent('console', (message) => /frame-ancestors/.test(message.text()))
    await page.goto(framing)
    t.ok(await refused)
    t.equal(await page.frames()[1]?.locator('a').count(), 0)
  })
})

t.test('a request by POST gets the same page', async (t) => {
  const answer = await fetch(service.url + paths.authorization, { method: 'POST', body: query })
  t.match(await answer.text(), /provider=yandex/)
  t.equal((await get(service, paths.authorization)).status, 400)
})
