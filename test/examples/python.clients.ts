import { resolve } from 'node:path'
import { python } from '../support/tools.ts'
import { testExample } from './run-example.ts'
import { siteCases } from './site-cases.ts'
import { standardCases } from './standard-cases.ts'

testExample(
  'a site in Python',
  ['python'],
  () => ({ command: 'python3', args: ['-B', resolve('examples/python/example_site.py')] }),
  siteCases,
)

testExample(
  'a site in Python by the standard door',
  ['python'],
  async () => ({
    command: await python(resolve('examples/python/requirements.txt')),
    args: ['-B', resolve('examples/python/standard_door.py')],
  }),
  standardCases,
)
