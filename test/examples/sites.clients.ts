import { resolve } from 'node:path'
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
