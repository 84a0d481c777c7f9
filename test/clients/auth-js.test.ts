import { Auth, skipCSRFCheck } from '@auth/core'
import t from 'tap'
import { addSite } from '../../src/sites/store.ts'
import { siteRules } from '../../src/sites/validate.ts'
import { linesMissingIn } from '../openid/guide-block.ts'
import { html, logInThrough, serveSite, startBrowser } from '../openid/person.ts'
import { withoutChromium } from '../support/chromium.ts'
import { startTestService } from '../support/service.ts'

// Auth.js as its documentation has it for a provider that it does not know: type, issuer, id and secret.
t.test('Auth.js (type oidc) logs a person in', { skip: withoutChromium }, async (t) => {
  const service = await startTestService(t, { reachable: true })
  let handle = async (_request: Request): Promise<Response> => html('')
  const origin = await serveSite(t, (request) =>
    request.url.endsWith('favicon.ico') ? new Response(null, { status: 204 }) : handle(request),
  )
  const site = await addSite(
    service.database,
    { name: 'Auth.js', redirectUrls: [`${origin}/auth/callback/auth-movies`] },
    siteRules('development', [{ name: 'yandex' }, { name: 'google' }, { name: 'mail' }]),
  )
  const [AUTH, SITE_ID, SITE_SECRET] = [service.config.publicUrl, site.id, site.secret]
  handle = (request) =>
    Auth(request, {
      basePath: '/auth',
      trustHost: true,
      secret: 'the secret of the site alone',
      skipCSRFCheck,
      providers: [
        {
          id: 'auth-movies',
          name: 'Auth-movies',
          type: 'oidc',
          issuer: AUTH,
          clientId: SITE_ID,
          clientSecret: SITE_SECRET,
        },
      ],
      callbacks: { redirect: ({ baseUrl }) => `${baseUrl}/auth/session` },
    })
  t.strictSame(
    (await linesMissingIn('test/clients/auth-js.test.ts', 'auth-js', 'js')).filter((line) => line !== ''),
    ['const { AUTH, SITE_ID, SITE_SECRET } = process.env', 'export const authConfig = {', '}'],
    'the lines of the guide are those that run',
  )
  const page = await (await startBrowser(t)).newPage()
  await page.goto(`${origin}/auth/signin`)
  await page.click('button')
  await logInThrough(page)
  await page.waitForURL(`${origin}/auth/session`)
  t.match(JSON.parse((await page.textContent('body')) ?? ''), {
    user: { name: 'Анна Демидова', email: /@/ },
  })
})
