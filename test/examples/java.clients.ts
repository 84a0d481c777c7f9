import { cp } from 'node:fs/promises'
import { resolve } from 'node:path'
import { copyLibraries, maven, workFolder } from '../support/tools.ts'
import { testExample } from './run-example.ts'
import { siteCases } from './site-cases.ts'
import { standardCases } from './standard-cases.ts'

testExample(
  'a site in Java',
  ['java'],
  () => ({ command: 'java', args: [resolve('examples/java/Site.java')] }),
  siteCases,
)

testExample(
  'a site in Java by the standard door',
  ['java', 'maven'],
  async (t) => {
    const cwd = await workFolder(t, 'spring-site')
    await cp('examples/java/standard-door', cwd, { recursive: true })
    await maven(['compile', ...copyLibraries, '-DincludeScope=runtime'], { cwd, minutes: 15 })
    return { command: 'java', args: ['-cp', 'target/classes:libraries/*', 'site.Site'], cwd }
  },
  standardCases,
)
