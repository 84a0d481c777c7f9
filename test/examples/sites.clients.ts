import { resolve } from 'node:path'
import { workFolder } from '../support/tools.ts'
import { testExample } from './drive-site.ts'

// The sites of examples/ that use the two requests, each in its language alone.

testExample('a site in Node.js', [], () => ({
  command: process.execPath,
  args: [resolve('examples/node/site.mjs')],
}))

testExample('a site in Python', ['python'], () => ({
  command: 'python3',
  args: ['-B', resolve('examples/python/example_site.py')],
}))

testExample('a site in PHP', ['php'], async (t) => ({
  command: 'php',
  args: [
    '-d',
    `session.save_path=${await workFolder(t, 'php')}`,
    '-S',
    'HOST',
    resolve('examples/php/site.php'),
  ],
  env: { PHP_CLI_SERVER_WORKERS: '8' },
}))
