import { resolve } from 'node:path'
import { workFolder } from '../support/tools.ts'
import { testExample } from './run-example.ts'
import { siteCases } from './site-cases.ts'

// The sites of examples/ that use the two requests, each in its language alone.

testExample(
  'a site in Node.js',
  [],
  () => ({ command: process.execPath, args: [resolve('examples/node/site.mjs')] }),
  siteCases,
)

testExample(
  'a site in Python',
  ['python'],
  () => ({
    command: 'python3',
    args: ['-B', resolve('examples/python/example_site.py')],
  }),
  siteCases,
)

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
