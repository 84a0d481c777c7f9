import { readFile } from 'node:fs/promises'
import t from 'tap'
import { addSite } from '../../src/sites/store.ts'
import { siteRules } from '../../src/sites/validate.ts'
import { html, logInThrough, serveSite, startBrowser } from '../openid/person.ts'
import { withoutChromium } from '../support/chromium.ts'
import { startTestService } from '../support/service.ts'

/** A single-page application: it has no server of its own, no secret, and another origin than the service. */
const application = (settings: object) => `<script src="/oidc-client-ts.js"></script>
<script type="module">
const manager = new oidc.UserManager(${JSON.stringify(settings)})
globalThis.manager = manager
const show = (user) => {
  document.body.innerHTML = '<pre>' + JSON.stringify(user) + '</pre>' +
    '<button id=refresh>refresh</button><button id=out>log out</button>'
  document.querySelector('#refresh').onclick = async () => show(await manager.signinSilent())
  document.querySelector('#out').onclick = () => manager.signoutRedirect()
}
if (location.search.includes('code=')) show(await manager.signinCallback())
else if (location.pathname === '/bye') document.body.innerHTML = '<p id=bye>bye</p>'
else manager.signinRedirect()
</script>`

t.test('oidc-client-ts in a page of another origin', { skip: withoutChromium }, async (t) => {
  const service = await startTestService(t, { reachable: true })
  const script = await readFile('node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js', 'utf8')
  let settings: object = {}
  const origin = await serveSite(t, ({ url }) =>
    url.endsWith('.js')
      ? new Response(script, { headers: { 'content-type': 'text/javascript' } })
      : html(application(settings)),
  )
  const site = await addSite(
    service.database,
    { name: 'SPA', redirectUrls: [`${origin}/return`], postLogoutRedirectUrls: [`${origin}/bye`] },
    siteRules('development', [{ name: 'yandex' }, { name: 'google' }, { name: 'mail' }]),
  )
  settings = {
    authority: service.config.publicUrl,
    client_id: site.id,
    redirect_uri: `${origin}/return`,
    post_logout_redirect_uri: `${origin}/bye`,
    scope: 'openid profile email',
    loadUserInfo: true,
  }
  const page = await (await startBrowser(t)).newPage()
  page.on('console', (message) => t.not(message.type(), 'error', message.text()))
  await page.goto(origin)
  await logInThrough(page)
  const user = async () => JSON.parse((await page.textContent('pre')) ?? '')
  const first = await user()
  t.match(first, { profile: { name: 'Анна Демидова', email: /@/ }, scope: 'openid profile email' })
  await page.click('#refresh')
  await page.waitForFunction(`!document.querySelector('pre').textContent.includes('${first.refresh_token}')`)
  const next = await user()
  t.not(next.access_token, first.access_token)
  t.equal(next.profile.sub, first.profile.sub)
  await page.evaluate('manager.revokeTokens(["access_token"])')
  await page.click('#out')
  await page.waitForSelector('#bye')
  t.ok(page.url().startsWith(`${origin}/bye`))
  const { rows } = await service.database.pool.query('SELECT revoked_at FROM sessions')
  t.ok(rows.every(({ revoked_at }) => revoked_at !== null))
})
