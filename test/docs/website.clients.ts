import { createReadStream, existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { chromium as driver } from 'playwright-core'
import t from 'tap'
import { kinds } from '../../docs/.vitepress/navigation.ts'
import { chromium, withoutChromium } from '../support/chromium.ts'
import { listenOnLoopback } from '../support/process.ts'
import { runTool } from '../support/tools.ts'
import { filesUnder, root } from './markdown.ts'

// The site of the documentation: built as `npm run docs` builds it, which fails at a dead link, and then looked at in a
// browser that reaches nothing but the built files.

const built = await runTool('npm', ['run', '--silent', 'docs'], { cwd: root })
// Through npm's shell: tap would load its hooks into a child that is a Node program.
await runTool('bash', ['-c', 'NODE_OPTIONS= node_modules/.bin/tsc --project docs'], { cwd: root })
const dist = join(root, 'docs/.vitepress/dist')

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
}
const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://site')
  const file = join(dist, decodeURI(pathname.endsWith('/') ? `${pathname}index.html` : pathname))
  response.setHeader('content-type', types[extname(file)] ?? 'text/plain; charset=utf-8')
  if (existsSync(file)) createReadStream(file).pipe(response)
  else response.writeHead(404).end()
})
const origin = `http://127.0.0.1:${await listenOnLoopback(server)}`
t.teardown(() => void server.close())

let browser: Browser | undefined
if (withoutChromium === false)
  browser = await driver.launch({
    executablePath: `/usr/bin/${chromium}`,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
t.teardown(() => browser?.close())

/** Opens a page of the site; whatever it asks of another origin, and every error of a script, fails the test. */
async function open(
  path: string,
  { width = 1280, dark = false, scripts = true }: { width?: number; dark?: boolean; scripts?: boolean } = {},
): Promise<Page> {
  if (browser === undefined) throw new Error('There is no browser.')
  const context = await browser.newContext({
    viewport: { width, height: 800 },
    colorScheme: dark ? 'dark' : 'light',
    javaScriptEnabled: scripts,
    bypassCSP: true,
  })
  const page = await context.newPage()
  page.on('pageerror', (error) => t.fail(`${path}: a script failed: ${error.message}`))
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:'))
      t.fail(`${path} asks for ${request.url()}`)
  })
  page.on('response', (response) => {
    if (response.status() >= 400) t.fail(`${path}: ${response.status()} for ${response.url()}`)
  })
  await page.goto(`${origin}${path}`)
  if (scripts) await page.waitForLoadState('networkidle')
  return page
}

const everyPage = (await filesUnder('docs'))
  .filter((path) => /^docs\/(en|ru|decisions)\/.*\.md$/.test(path))
  .map((path) =>
    path
      .slice('docs/'.length)
      .replace(/^decisions/, 'en/decisions')
      .replace('README.md', 'index.md'),
  )
  .map((path) => `/${path.replace(/\.md$/, '.html')}`)

t.test('every page is there, and every link of every page leads to a heading that exists', async (t) => {
  const texts = new Map<string, string>()
  const read = async (path: string) => {
    const text = texts.get(path) ?? (await readFile(join(dist, path), 'utf8').catch(() => ''))
    texts.set(path, text)
    return text
  }
  let count = 0
  for (const page of everyPage) {
    const main = /<main\b.*<\/main>/s.exec(await read(page))?.[0] ?? ''
    if (!t.ok(main.length > 100, page)) continue
    for (const [, href = ''] of main.matchAll(/<a\b[^>]*? href="([^"]+)"/g)) {
      if (/^(https:|mailto:)/.test(href)) continue
      const { pathname, hash } = new URL(href, `${origin}${page}`)
      const path = pathname.endsWith('/') ? `${pathname}index.html` : decodeURI(pathname)
      const text = await read(path)
      count += 1
      if (text === '') t.fail(`${page}: ${href} leads nowhere`)
      else if (hash !== '' && !text.includes(`id="${decodeURIComponent(hash.slice(1))}"`))
        t.fail(`${page}: ${href} has no such heading`)
    }
  }
  t.ok(count > 1_500, `${count} links`)
  const { openapi }: { openapi?: string } = JSON.parse(await read('/openapi.json'))
  t.equal(openapi, '3.1.0')
})

t.test('the build says where the site is and how it is looked at', (t) => {
  t.match(built, /The site is in docs\/\.vitepress\/dist\. To look at it: npm run docs -- preview\n$/)
  t.end()
})

t.test('every page has a description of its own, which search engines show', async (t) => {
  const pages = new Map<string, string>()
  for (const page of everyPage) {
    const html = await readFile(join(dist, page), 'utf8')
    const described = Array.from(
      html.matchAll(/<meta name="description" content="([^"]+)">/g),
      ([, text]) => text,
    )
    const [description = ''] = described
    t.match(
      [described.length, description.length >= 20 && description.length < 260],
      [1, true],
      `${page}: ${description}`,
    )
    t.equal(pages.get(description), undefined, `${page} has the description of another page: ${description}`)
    pages.set(description, page)
  }
})

t.test('the build is small and has no address of another origin to load from', async (t) => {
  const index = await readFile(join(dist, 'en/index.html'), 'utf8')
  t.notMatch(index, /(?:src|href)="(?:https?:)?\/\/[^"]*\.(?:js|css|woff2?)/)
  t.ok(index.length < 60_000, `the start has ${index.length} characters, and every page has its menu`)
})

t.test(
  'the language switch leads to the same page in the other language',
  { skip: withoutChromium },
  async (t) => {
    for (const [from, to, label] of [
      ['/en/operators.html', '/ru/operators.html', 'Русский'],
      ['/ru/openid-connect/go.html', '/en/openid-connect/go.html', 'English'],
      ['/ru/providers/', '/en/providers/', 'English'],
      ['/en/decisions/0003-migrations.html', '/ru/', 'Русский'],
    ] as const) {
      const page = await open(from)
      await page.hover('.VPNavBarTranslations button')
      await page.click(`.VPNavBarTranslations a:has-text("${label}")`)
      await page.waitForURL(`${origin}${to}`)
      await page.waitForSelector(`html[lang=${to.slice(1, 3)}]`)
      t.pass(`${from} → ${to}`)
      await page.context().close()
    }
  },
)

t.test('the search finds words in both languages', { skip: withoutChromium }, async (t) => {
  for (const [start, word, wanted] of [
    ['/en/', 'refresh', /site-administrators|login-flow|problems/],
    ['/ru/', 'обновление', /site-administrators|upgrade|first-login/],
    ['/ru/', 'login-expired', /problems/],
  ] as const) {
    const page = await open(start)
    await page.click('.VPNavBarSearch button')
    await page.fill('.search-input', word)
    await page.waitForSelector('.results a')
    const found = await page.$$eval('.results a', (links) =>
      links.map((link) => link.getAttribute('href') ?? ''),
    )
    t.ok(
      found.some((href) => wanted.test(href)),
      `${word}: ${found.join(' ')}`,
    )
    t.ok(
      found.every((href) => href.startsWith(start)),
      'in the language of the page',
    )
    await page.context().close()
  }
})

t.test('dark follows the system and the switch, drawings too', { skip: withoutChromium }, async (t) => {
  const page = await open('/en/login-flow.html', { dark: true })
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  const dark = await ground()
  await page.click('.VPNavBarAppearance button')
  await page.waitForFunction((before) => getComputedStyle(document.body).backgroundColor !== before, dark)
  t.notOk(await page.evaluate(() => document.documentElement.classList.contains('dark')))
  const drawn = await page.$$eval('main img', (images) => images.map((image) => image.getAttribute('alt')))
  t.equal(drawn.length, 4)
  t.notOk(drawn.includes(''), 'each drawing has words')
  await page.context().close()
})

t.test('no page is wider than 320 pixels, and axe finds nothing', { skip: withoutChromium }, async (t) => {
  const looked = ['/ru/', '/', '/en/site-administrators.html', '/ru/reference/problems.html']
  const others = ['/ru/login-flow.html', '/en/reference/http-api.html', '/ru/client-guide.html']
  for (const path of [...looked, ...others])
    for (const dark of [false, true]) {
      const page = await open(path, { width: 320, dark })
      const width = await page.evaluate(() => document.documentElement.scrollWidth)
      t.ok(width <= 320, `${path}: ${width} pixels`)
      const found = await page.evaluate<string[]>(
        `(() => { ${axe.source}; return axe.run().then(({ violations }) => violations.map(
          ({ id, nodes }) => id + ': ' + nodes.slice(0, 3).map(({ html }) => html).join(' '))) })()`,
      )
      t.strictSame(found, [], `${path}, ${dark ? 'dark' : 'light'}`)
      await page.context().close()
    }
})

t.test(
  'every page is in the sidebar and can be read without scripts',
  { skip: withoutChromium },
  async (t) => {
    const page = await open('/ru/operators.html', { scripts: false })
    t.match(await page.textContent('h1'), 'Руководство оператора')
    const links = await page.$$eval('.VPSidebar a', (all) => all.map((link) => link.getAttribute('href')))
    for (const one of kinds.flatMap(({ groups }) => groups.flatMap((group) => group.pages)))
      if (!one.startsWith('/'))
        t.ok(
          links.includes(
            `/ru/${one.replace(/(^|\/)index$/, '$1')}${/(^|\/)index$/.test(one) ? '' : '.html'}`,
          ),
          one,
        )
    for (const group of await page.$$('.VPSidebarItem.level-1')) {
      const [title, ...names] = (await group.innerText()).split('\n')
      t.notOk(names.includes(title ?? ''), `${title} is the name of a group alone`)
    }
    await page.context().close()
  },
)
