import { resolve } from 'node:path'
import type { Test } from 'tap'
import { workFolder } from '../support/tools.ts'
import type { Program } from './run-example.ts'
import { testExample } from './run-example.ts'
import { siteCases } from './site-cases.ts'
import { standardCases } from './standard-cases.ts'

testExample('a site in PHP', ['php'], (t) => php(t, 'site.php'), siteCases)

testExample('a site in PHP by the standard door', ['php'], (t) => php(t, 'standard_door.php'), standardCases)

async function php(test: Test, file: string): Promise<Program> {
  const sessions = `session.save_path=${await workFolder(test, 'php')}`
  return {
    command: 'php',
    args: ['-d', sessions, '-S', 'HOST', resolve('examples/php', file)],
    env: { PHP_CLI_SERVER_WORKERS: '8' },
  }
}
