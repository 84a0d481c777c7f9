import { resolve } from 'node:path'
import { testExample } from './run-example.ts'
import { siteCases } from './site-cases.ts'
import { standardCases } from './standard-cases.ts'

testExample(
  'a site in Node.js',
  [],
  () => ({ command: process.execPath, args: [resolve('examples/node/site.mjs')] }),
  siteCases,
)

testExample(
  'a site in Node.js by the standard door',
  [],
  () => ({ command: process.execPath, args: [resolve('examples/node/standard-door.mjs')] }),
  standardCases,
)
