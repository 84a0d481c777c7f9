import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { html, logInThrough, serveSite, startBrowser } from '../openid/person.ts'
import { serviceForClient } from '../openid/program.ts'
import { withoutChromium } from '../support/chromium.ts'
import { eventually, freePort } from '../support/process.ts'
import { besideClients, go, skipWithout, workFolder } from '../support/tools.ts'

t.test(
  'oauth2-proxy in front of a site that knows no login',
  { skip: skipWithout('go') || withoutChromium },
  async (t) => {
    const folder = await workFolder(t, 'oauth2-proxy')
    await cp(besideClients('programs/oauth2-proxy'), folder, { recursive: true })
    await go(['build', '-o', 'oauth2-proxy', 'github.com/oauth2-proxy/oauth2-proxy/v7'], {
      cwd: folder,
      minutes: 15,
    })
    const upstream = await serveSite(t, ({ headers }) =>
      html(`<p id=in>${headers.get('x-forwarded-email')}</p>`),
    )
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const { service, client } = await serviceForClient(t, `${origin}/oauth2/callback`)
    const child = spawn(
      join(folder, 'oauth2-proxy'),
      [
        '--provider=oidc',
        `--oidc-issuer-url=${service.config.publicUrl}`,
        `--client-id=${client.id}`,
        `--client-secret=${client.secret}`,
        `--redirect-url=${client.redirectUri}`,
        `--upstream=${upstream}`,
        `--http-address=127.0.0.1:${port}`,
        '--cookie-secret=0123456789abcdef0123456789abcdef',
        '--cookie-secure=false',
        '--email-domain=*',
        '--code-challenge-method=S256',
        '--skip-provider-button=true',
        // Yandex does not say whether an email is verified, so that there is no such claim.
        '--insecure-oidc-allow-unverified-email=true',
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += String(text)))
    const closed = once(child, 'close')
    t.teardown(async () => {
      child.kill('SIGTERM')
      await closed
    })
    await eventually(() => fetch(`${origin}/ping`))
    const page = await (await startBrowser(t)).newPage()
    await page.goto(origin)
    await logInThrough(page)
    await page.waitForSelector('#in').catch((error: unknown) => {
      t.comment(said)
      throw error
    })
    t.match(await page.textContent('#in'), /@/)
  },
)
