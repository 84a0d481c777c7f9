import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { chromium as driver } from 'playwright-core'
import type { Test } from 'tap'
import { chromium } from '../support/chromium.ts'
import { listenOnLoopback } from '../support/process.ts'

/** Starts the browser; closed when `test` ends. */
export async function startBrowser(test: Pick<Test, 'teardown'>): Promise<Browser> {
  const browser = await driver.launch({
    executablePath: `/usr/bin/${chromium}`,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
  test.teardown(() => browser.close())
  return browser
}

/** Serves a site on a free port of loopback, from web-standard requests. @returns its origin */
export async function serveSite(
  test: Pick<Test, 'teardown'>,
  handle: (request: Request) => Response | Promise<Response>,
): Promise<string> {
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const headers = new Headers(
      Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)]),
    )
    const { method = 'GET', url = '/' } = incoming
    const body = method === 'GET' || method === 'HEAD' ? null : new Uint8Array(await buffer(incoming))
    const response = await handle(
      new Request(`http://${headers.get('host')}${url}`, { method, headers, body }),
    )
    for (const cookie of response.headers.getSetCookie()) outgoing.appendHeader('set-cookie', cookie)
    for (const [name, value] of response.headers) if (name !== 'set-cookie') outgoing.setHeader(name, value)
    outgoing.writeHead(response.status).end(Buffer.from(await response.arrayBuffer()))
  }
  const server = createServer((incoming, outgoing) => void answer(incoming, outgoing))
  const port = await listenOnLoopback(server)
  test.teardown(() => server.close().closeAllConnections())
  return `http://127.0.0.1:${port}`
}

/** A page of HTML. */
export function html(body: string): Response {
  return new Response(`<!doctype html><meta charset="utf-8"><title>site</title>${body}`, {
    headers: { 'content-type': 'text/html; charset=utf-8' },
  })
}

/** From the page to choose a provider on: chooses it, an account, and allows. */
export async function logInThrough(page: Page, provider = 'yandex'): Promise<void> {
  await page.click(`a[href*="provider=${provider}"]`)
  await consent(page)
}

/** On the provider's page: chooses an account and allows. */
export async function consent(page: Page): Promise<void> {
  await page.click('button[value=anna]')
  await page.click('button[value=allow]')
}

/** The ids of the rules of accessibility that a page breaks. */
export async function brokenRules(page: Page): Promise<string[]> {
  return await page.evaluate<string[]>(
    `(() => { ${axe.source}; return axe.run().then(({ violations }) => violations.map(({ id }) => id)) })()`,
  )
}
