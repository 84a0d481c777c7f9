// `npm test`: types, format and lint, and every test against real servers, with a minimum of coverage.
// `npm test -- test/x.test.ts` runs only these files, without coverage. The last line is the count.
// `npm run test:long` runs `test/**/*.long.ts` (failovers, rolling restarts), `npm run test:clients` runs
// `test/**/*.clients.ts` (clients in other languages), one file at a time.

import { globSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { startPostgres } from '../test/support/postgres-server.ts'
import { startRedisServer } from '../test/support/redis-server.ts'
import { runChecks } from './checks.ts'
import { coverageProblems } from './coverage.ts'
import type { Kind } from './programs.ts'
import { missingPrograms } from './programs.ts'
import type { TapResult } from './run-tap.ts'
import { runTap } from './run-tap.ts'

// Tests that work in other processes or repeat work thousands of times: measuring coverage would slow them down by half
// without adding any.
const processTests = [
  'test/sandbox/{start,alone,pages}.test.ts',
  'test/sandbox/faults/*.test.ts',
  'test/docs/sandbox.test.ts',
  'test/http/rate-limit.test.ts',
  'test/main.test.ts',
  'test/browser.test.ts',
  'test/faults/*.test.ts',
  'test/docs/image.test.ts',
]

// These take longest and start first, so that none of them runs alone at the end.
const startFirst = [
  'test/storage/*.test.ts',
  'test/cli/*.test.ts',
  'test/login/finish-slow.test.ts',
  'test/tokens/**/*.test.ts',
]

const kinds: Readonly<Record<string, Kind>> = { '--long': 'long', '--clients': 'clients' }
const kind = kinds[process.argv[2] ?? ''] ?? 'test'
const named = process.argv.slice(kind === 'test' ? 2 : 3)
const files = kind === 'test' || named.length > 0 ? named : globSync(`test/**/*.${kind}.ts`).toSorted()
const all = kind === 'test' && files.length === 0
const cleaners: (() => Promise<unknown>)[] = []
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void cleanUp().finally(() => process.exit(130)))

async function cleanUp(): Promise<void> {
  await Promise.allSettled(cleaners.splice(0).map((clean) => clean()))
}

/** Starts servers for the whole run, unless the environment names others. */
async function servers(missing: readonly string[]): Promise<Record<string, string>> {
  const env: Record<string, string> = {}
  if (process.env.TEST_DATABASE_URL === undefined) {
    const postgres = await startPostgres()
    cleaners.push(() => postgres.remove())
    env.TEST_DATABASE_URL = postgres.url
  }
  if (process.env.TEST_REDIS_URL === undefined && !missing.includes('redis-server')) {
    const redis = await startRedisServer()
    cleaners.push(() => redis.remove())
    env.TEST_REDIS_URL = redis.url
  }
  return env
}

/** Whether a test that was left out, or failed by chance, matters to somebody who does not watch. */
const ci = process.env.CI !== undefined && process.env.CI !== 'false'

/** Files that are run again at most: more of them fail for a reason. */
const mostRepeated = 3

/**
 * On a build machine runs the files that failed once more, alone: what depends on the speed of a machine that does other work
 * shall not stop a change that has nothing to do with it. What passes then is named, and is to be mended. A fault that a
 * random input showed is not tried again.
 */
async function repeatedInCi(
  result: TapResult,
  env: Readonly<Record<string, string>>,
): Promise<Omit<TapResult, 'failedFiles'>> {
  const { failedFiles } = result
  const names = failedFiles.map(({ name }) => name)
  const hopeless = failedFiles.some(({ name, byProperty }) => byProperty || !/^test\/.*\.ts$/.test(name))
  if (!ci || result.code === 0 || names.length === 0 || names.length > mostRepeated || hopeless) return result
  process.stdout.write(`\nOnce more, alone: ${names.join(' ')}\n`)
  const again = await runTap(names, { env, coverage: false, patient: true })
  if (again.code !== 0) return result
  process.stdout.write(`\n!!! UNSTEADY, passed only when run again: ${names.join(' ')} !!!\n`)
  return { ...result, passed: result.passed + again.passed, failed: 0, code: 0 }
}

const from = performance.now()
const problems: string[] = []
const count = { passed: 0, failed: 0, skipped: 0 }

// Runs in parallel to the tests, which often wait for time to pass.
const checks = all ? runChecks() : Promise.resolve([])
const missing = await missingPrograms(kind)
try {
  await rm('.tap/report', { recursive: true, force: true })
  const env = await servers(missing)
  const separate = processTests.flatMap((pattern) => globSync(pattern))
  const first = startFirst.flatMap((pattern) => globSync(pattern))
  const others = [...new Set([...first, ...globSync('test/**/*.test.ts').toSorted()])]
  const runs = all
    ? [
        { chosen: separate, coverage: false },
        { chosen: others.filter((file) => !separate.includes(file)), coverage: true },
      ]
    : [{ chosen: files, coverage: false }]
  for (const { chosen, coverage } of runs) {
    const result = await repeatedInCi(await runTap(chosen, { env, coverage, patient: kind !== 'test' }), env)
    count.passed += result.passed
    count.failed += result.failed
    count.skipped += result.skipped
    if (result.passed === 0) problems.push(`No test ran of ${chosen.join(' ')}.`)
    if (result.code !== 0 && result.failed === 0) problems.push(`tap ended with code ${result.code}.`)
  }
} finally {
  await cleanUp()
}

for (const { name, failed } of await checks) {
  count[failed ? 'failed' : 'passed']++
  if (failed) problems.push(`${name} failed.`)
}
if (all) problems.push(...(await coverageProblems({ lines: 95, branches: 90 })))
if (count.skipped > 0) {
  const left = `${count.skipped} LEFT OUT${missing.length > 0 ? `: ${missing.join(' and ')} missing` : ''}`
  process.stdout.write(`\n!!! ${left} !!!\n`)
  if (ci) problems.push('With CI set every test must run, and some were left out.')
}

process.stdout.write(`\n${Math.round((performance.now() - from) / 1_000)} s\n`)
for (const problem of problems) process.stdout.write(`✗ ${problem}\n`)
// Any other problem counts as a failure, so that the last line is enough to see the outcome.
if (problems.length > 0 && count.failed === 0) count.failed = problems.length
process.stdout.write(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`)
process.exitCode = count.failed === 0 ? 0 : 1
