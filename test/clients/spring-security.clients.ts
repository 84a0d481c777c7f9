import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { filledBlock } from '../openid/guide-block.ts'
import { logInThrough, startBrowser } from '../openid/person.ts'
import { serviceForClient } from '../openid/program.ts'
import { withoutChromium } from '../support/chromium.ts'
import { eventually, freePort } from '../support/process.ts'
import { besideClients, copyLibraries, maven, skipWithout, workFolder } from '../support/tools.ts'

t.test(
  "Spring Security's OAuth2 client in Spring Boot",
  { skip: skipWithout('java', 'maven') || withoutChromium },
  async (t) => {
    const folder = await workFolder(t, 'spring')
    await cp(besideClients('programs/spring'), folder, { recursive: true })
    await maven(['compile', ...copyLibraries, '-DincludeScope=runtime'], { cwd: folder, minutes: 15 })
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const running = await serviceForClient(t, `${origin}/login/oauth2/code/auth-movies`)
    await writeFile(join(folder, 'application.yaml'), await filledBlock('spring', 'yaml', running))
    const child = spawn('java', ['-cp', 'target/classes:libraries/*', 'site.Site', `--server.port=${port}`], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += String(text)))
    const closed = once(child, 'close')
    t.teardown(async () => {
      child.kill('SIGTERM')
      await closed
    })
    await eventually(() => fetch(origin, { redirect: 'manual' }), 60_000).catch((error: unknown) => {
      t.comment(said)
      throw error
    })
    const page = await (await startBrowser(t)).newPage()
    await page.goto(origin)
    await logInThrough(page)
    await page.waitForURL(`${origin}/?continue`)
    t.match(JSON.parse((await page.textContent('body')) ?? ''), {
      name: 'Анна Демидова',
      email: /@/,
      sub: /^[0-9a-f-]{36}$/,
    })
  },
)
