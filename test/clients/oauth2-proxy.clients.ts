import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { filledBlock } from '../openid/guide-block.ts'
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
    const running = await serviceForClient(t, `${origin}/oauth2/callback`)
    const lines = (await filledBlock('oauth2-proxy', 'ini', running)).trim().split('\n')
    const settings = lines.map((line) => [
      line.slice(0, line.indexOf('=')),
      line.slice(line.indexOf('=') + 1),
    ])
    const child = spawn(join(folder, 'oauth2-proxy'), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ...Object.fromEntries(settings),
        OAUTH2_PROXY_UPSTREAMS: upstream,
        OAUTH2_PROXY_HTTP_ADDRESS: `127.0.0.1:${port}`,
        // The test has no https.
        OAUTH2_PROXY_COOKIE_SECURE: 'false',
      },
    })
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
