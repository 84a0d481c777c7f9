import { join, resolve } from 'node:path'
import { findProgram } from '../support/process.ts'
import { go, workFolder } from '../support/tools.ts'
import { testExample } from './run-example.ts'
import { siteCases } from './site-cases.ts'

testExample(
  'a site in Go',
  ['go'],
  async (t) => {
    const program = join(await workFolder(t, 'go-site'), 'site')
    // Go's detector of data races needs a C compiler.
    const race = findProgram('gcc') === undefined ? [] : ['-race']
    await go(['build', ...race, '-o', program, resolve('examples/go/main.go')])
    return { command: program, args: [] }
  },
  siteCases,
)
