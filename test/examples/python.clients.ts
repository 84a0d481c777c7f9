import { resolve } from 'node:path'
import { testExample } from './run-example.ts'
import { siteCases } from './site-cases.ts'

testExample(
  'a site in Python',
  ['python'],
  () => ({ command: 'python3', args: ['-B', resolve('examples/python/example_site.py')] }),
  siteCases,
)
