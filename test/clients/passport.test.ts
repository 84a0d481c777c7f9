import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import t from 'tap'
import { addSite } from '../../src/sites/store.ts'
import { siteRules } from '../../src/sites/validate.ts'
import { guideBlock } from '../openid/guide-block.ts'
import { logInThrough, startBrowser } from '../openid/person.ts'
import { withoutChromium } from '../support/chromium.ts'
import { listenOnLoopback } from '../support/process.ts'
import { startTestService } from '../support/service.ts'
import { passport, Strategy } from './passport-openidconnect.ts'

/** Runs a text as the body of a function that may wait. */
const AsyncFunction: new (...words: string[]) => (...values: object[]) => Promise<void> =
  Object.getPrototypeOf(async () => {}).constructor

t.test('passport-openidconnect logs a person in', { skip: withoutChromium }, async (t) => {
  const service = await startTestService(t, { reachable: true })
  const sessions = new Map<string, object>()
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    // What express and express-session do for a site.
    const id = /sid=(\w+)/.exec(request.headers.cookie ?? '')?.[1] ?? randomBytes(8).toString('hex')
    const session = sessions.get(id) ?? {}
    sessions.set(id, session)
    const url = new URL(request.url ?? '/', 'http://site')
    response.setHeader('set-cookie', `sid=${id}; Path=/`)
    const express = Object.assign(request, { query: Object.fromEntries(url.searchParams), session })
    passport.authenticate('openidconnect', { session: false }, (error, user) => {
      response.statusCode = error === null && user !== false ? 200 : 500
      response.setHeader('content-type', 'text/html; charset=utf-8')
      response.end(`<pre>${error === null ? JSON.stringify(user) : String(error)}</pre>`)
    })(express, response, () => response.end())
  })
  const origin = `http://127.0.0.1:${await listenOnLoopback(server)}`
  t.teardown(() => server.close().closeAllConnections())
  const site = await addSite(
    service.database,
    { name: 'Passport', redirectUrls: [`${origin}/return`] },
    siteRules('development', [{ name: 'yandex' }, { name: 'google' }, { name: 'mail' }]),
  )
  // The guide's own lines, with this site's return URL.
  const lines = (await guideBlock('passport', 'js')).replace('https://site.example', origin)
  const environment = { AUTH: service.config.publicUrl, SITE_ID: site.id, SITE_SECRET: site.secret }
  const run = new AsyncFunction('passport', 'Strategy', 'process', lines)
  await run(passport, Strategy, { env: environment })
  const page = await (await startBrowser(t)).newPage()
  await page.goto(`${origin}/login`)
  await logInThrough(page, 'google')
  t.match(JSON.parse((await page.textContent('pre')) ?? ''), {
    id: /^[0-9a-f-]{36}$/,
    displayName: String,
    emails: [{ value: /@/ }],
  })
})
