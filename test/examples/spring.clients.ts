import { cp } from 'node:fs/promises'
import { copyLibraries, maven, workFolder } from '../support/tools.ts'
import { testExample } from './run-example.ts'
import { standardCases } from './standard-cases.ts'

testExample(
  'a site in Java by the standard door',
  ['java', 'maven'],
  async (t) => {
    const cwd = await workFolder(t, 'spring-site')
    await cp('examples/java/standard-door', cwd, { recursive: true })
    await maven(['compile', ...copyLibraries, '-DincludeScope=runtime'], { cwd, minutes: 15 })
    return { command: 'java', args: ['-cp', 'target/classes:libraries/*', 'site.Site'], cwd, silent: true }
  },
  standardCases,
)
