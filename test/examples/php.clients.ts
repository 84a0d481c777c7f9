import { resolve } from 'node:path'
import type { Test } from 'tap'
import t from 'tap'
import { freePort } from '../support/process.ts'
import { skipWithout, workFolder } from '../support/tools.ts'
import type { Program } from './run-example.ts'
import { startProgram, testExample } from './run-example.ts'
import { siteCases } from './site-cases.ts'
import { standardCases } from './standard-cases.ts'

testExample('a site in PHP', ['php'], (t) => php(t, 'site.php'), siteCases)

for (const file of ['site.php', 'standard_door.php'])
  t.test(
    `${file} where a variable is missing: a page that says so`,
    { skip: skipWithout('php') },
    async (t) => {
      const origin = `http://127.0.0.1:${await freePort()}`
      await startProgram(t, await php(t, file), origin, { AUTH: origin, SITE_ID: 'id', REDIRECT_URL: origin })
      const page = await fetch(origin)
      t.equal(page.status, 500)
      t.match(await page.text(), /^SITE_SECRET is not set: [^\n]*\.$/)
    },
  )

testExample('a site in PHP by the standard door', ['php'], (t) => php(t, 'standard_door.php'), standardCases)

async function php(test: Test, file: string): Promise<Program> {
  const sessions = `session.save_path=${await workFolder(test, 'php')}`
  return {
    command: 'php',
    args: ['-d', sessions, '-S', 'HOST', resolve('examples/php', file)],
    env: { PHP_CLI_SERVER_WORKERS: '8' },
    silent: true,
  }
}
