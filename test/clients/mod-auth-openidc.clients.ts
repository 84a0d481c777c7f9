import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { filledBlock } from '../openid/guide-block.ts'
import { logInThrough, startBrowser } from '../openid/person.ts'
import { serviceForClient } from '../openid/program.ts'
import { withoutChromium } from '../support/chromium.ts'
import { eventually, findProgram, freePort } from '../support/process.ts'
import { besideClients, workFolder } from '../support/tools.ts'

const apache = findProgram('apache2')
const missing = apache === undefined || !existsSync('/usr/lib/apache2/modules/mod_auth_openidc.so')

t.test(
  'mod_auth_openidc in a real Apache',
  { skip: (missing && 'libapache2-mod-auth-openidc is not installed') || withoutChromium },
  async (t) => {
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const running = await serviceForClient(t, `${origin}/private/redirect_uri`)
    const folder = await workFolder(t, 'apache')
    await mkdir(join(folder, 'htdocs/private'), { recursive: true })
    await writeFile(join(folder, 'htdocs/private/index.html'), '<p id=in>in</p>')
    await writeFile(join(folder, 'guide.conf'), await filledBlock('mod-auth-openidc', 'apache', running))
    const child = spawn(apache ?? '', ['-X', '-f', besideClients('programs/mod-auth-openidc.conf')], {
      stdio: 'ignore',
      env: {
        ...process.env,
        FOLDER: folder,
        PORT: String(port),
      },
    })
    const closed = once(child, 'close')
    t.teardown(async () => {
      child.kill('SIGTERM')
      await closed
    })
    await eventually(() => fetch(origin))
    const page = await (await startBrowser(t)).newPage()
    await page.goto(`${origin}/private/index.html`)
    await logInThrough(page)
    await page.waitForSelector('#in').catch(async (error: unknown) => {
      t.comment(await readFile(join(folder, 'error.log'), 'utf8'))
      throw error
    })
    const answer = await page.reload()
    t.match(await answer?.headerValue('x-person'), /@/)
    t.match(await answer?.headerValue('x-name'), /Анна|%|Ð|\\x/)
  },
)
