import { resolve } from 'node:path'
import { workFolder } from '../support/tools.ts'
import { testExample } from './run-example.ts'
import { siteCases } from './site-cases.ts'

testExample(
  'a site in PHP',
  ['php'],
  async (t) => ({
    command: 'php',
    args: [
      '-d',
      `session.save_path=${await workFolder(t, 'php')}`,
      '-S',
      'HOST',
      resolve('examples/php/site.php'),
    ],
    env: { PHP_CLI_SERVER_WORKERS: '8' },
  }),
  siteCases,
)
