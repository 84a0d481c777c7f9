import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Test } from 'tap'
import { Value } from 'typebox/value'
import type { Sandbox } from '../../sandbox/sandbox.ts'
import { startSandbox } from '../../sandbox/sandbox.ts'
import { Report } from '../../src/site-check/report.ts'
import type { Ran } from '../cli/run-cli.ts'
import { runHere } from '../cli/run-cli.ts'
import type { Program } from '../examples/run-example.ts'
import { startProgram } from '../examples/run-example.ts'
import { freePort } from '../support/process.ts'
import type { TestService } from '../support/service.ts'
import { registerSite, startTestService } from '../support/service.ts'

/** A service with its sandbox, for sites that are checked. */
export interface CheckingService {
  readonly service: TestService
  readonly sandbox: Sandbox
}

/** Starts both; they end with the test. */
export async function startCheckingService(t: Test): Promise<CheckingService> {
  const [port, sandboxPort] = [await freePort(), await freePort()]
  const publicUrl = `http://127.0.0.1:${port}`
  const sandbox = await startSandbox({ host: '127.0.0.1', port: sandboxPort, publicUrl })
  t.teardown(() => sandbox.close())
  const service = await startTestService(t, { reachable: port, doubles: sandbox.doubles })
  return { service, sandbox }
}

/** How a site is run and checked. */
export interface CheckOptions {
  readonly requireSecret?: boolean
  /** Whether the check is told the secret of the site, where its log is, and where the sandbox is: yes by default. */
  readonly secret?: boolean
  readonly log?: boolean
  readonly sandbox?: boolean
}

/** Runs a program as a site of the service, and checks it by the command. */
export async function checkProgram(
  t: Test,
  { service, sandbox }: CheckingService,
  program: Program,
  options: CheckOptions & { readonly words: readonly string[] },
): Promise<Ran> {
  const { requireSecret = true } = options
  const origin = `http://127.0.0.1:${await freePort()}`
  const site = await registerSite(service.database, `${origin}/return`, requireSecret)
  const said = await startProgram(t, program, origin, {
    AUTH: service.url,
    SITE_ID: site.id,
    SITE_SECRET: site.secret,
    REDIRECT_URL: `${origin}/return`,
  })
  const log = `${t.testdir({})}/site.log`
  writeFileSync(log, '')
  // The program writes to a pipe, and the check reads a file.
  const timer = setInterval(() => writeFileSync(log, said()), 20)
  const named = options.log === false ? [] : ['--log', log]
  const words = [site.id, '--url', `${origin}/`, ...named, ...options.words]
  const env = options.secret === false ? {} : { SITE_SECRET: site.secret }
  const ran = await checkCommand({ service, sandbox }, words, env, options.sandbox)
  clearInterval(timer)
  return ran
}

/** The same, as a report. */
export async function reportOfProgram(
  t: Test,
  checking: CheckingService,
  program: Program,
  options: CheckOptions = {},
): Promise<{ readonly report: Report; readonly ran: Ran }> {
  const ran = await checkProgram(t, checking, program, { ...options, words: ['--json'] })
  return { ran, report: reportOf(ran) }
}

/** Runs `site check` with these words beside the service. */
export function checkCommand(
  { service, sandbox }: CheckingService,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
  withSandbox = true,
): Promise<Ran> {
  return runHere(['site', 'check', ...words, ...(withSandbox ? ['--sandbox', sandbox.url] : [])], {
    NODE_ENV: 'development',
    DATABASE_URL: service.database.url,
    PUBLIC_URL: service.url,
    SANDBOX_PORT: '1',
    ...env,
  })
}

/** The report in what the command printed. */
export function reportOf({ stdout, stderr }: Ran): Report {
  if (stdout === '') throw new Error(stderr)
  return Value.Parse(Report, JSON.parse(stdout))
}

/** The ids of the points that came out so. */
export function idsOf(report: Report, status: Report['cases'][number]['status']): string[] {
  return report.cases.filter((one) => one.status === status).map(({ id }) => id)
}

/** How the point with this id came out. */
export function statusOf(report: Report, id: string): string | undefined {
  return report.cases.find((one) => one.id === id)?.status
}

/** The site of examples/ in Node.js. */
export const nodeSite: Program = { command: process.execPath, args: [resolve('examples/node/site.mjs')] }

/** The site of examples/ in Python. */
export const pythonSite: Program = {
  command: 'python3',
  args: ['-B', resolve('examples/python/example_site.py')],
}
