import { resolve } from 'node:path'
import { testExample } from './run-example.ts'
import { siteCases } from './site-cases.ts'

testExample(
  'a site in Java',
  ['java'],
  () => ({ command: 'java', args: [resolve('examples/java/Site.java')] }),
  siteCases,
)
