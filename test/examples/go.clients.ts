import { join, resolve } from 'node:path'
import type { Test } from 'tap'
import { findProgram } from '../support/process.ts'
import { go, workFolder } from '../support/tools.ts'
import type { Program } from './run-example.ts'
import { testExample } from './run-example.ts'
import { siteCases } from './site-cases.ts'
import { standardCases } from './standard-cases.ts'

testExample('a site in Go', ['go'], (t) => build(t, 'examples/go', 'main.go'), siteCases)

testExample(
  'a site in Go by the standard door',
  ['go'],
  (t) => build(t, 'examples/go/standard-door', '.'),
  standardCases,
)

async function build(test: Test, folder: string, target: string): Promise<Program> {
  const command = join(await workFolder(test, 'go-site'), 'site')
  // Go's detector of data races needs a C compiler.
  const race = findProgram('gcc') === undefined ? [] : ['-race']
  await go(['vet', target], { cwd: resolve(folder) })
  await go(['build', ...race, '-o', command, target], { cwd: resolve(folder) })
  return { command, args: [] }
}
