import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import type t from 'tap'
import { providers } from '../../plugins/index.ts'
import { runCommand } from '../../src/command-line/run.ts'

/** Exit code and output of a command. */
export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const script = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

/** Runs src/cli.ts in a process of its own, with exactly this environment (and the test run's compiled packages). */
export function runCli(args: readonly string[], env: Record<string, string>, cwd?: string): Promise<Ran> {
  return new Promise((resolve) => {
    const options = {
      env: { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, ...env },
      timeout: 60_000,
      ...(cwd !== undefined && { cwd }),
    }
    execFile(process.execPath, [script, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr })
    })
  })
}

/** Runs a command in this process, which is faster: for many small cases. */
export async function runHere(args: readonly string[], env: Record<string, string>): Promise<Ran> {
  let [stdout, stderr] = ['', '']
  const code = await runCommand(args, {
    env,
    providers,
    out: (text) => (stdout += text),
    error: (text) => (stderr += text),
  })
  return { code, stdout, stderr }
}

/** The variables that strict mode demands of a command. */
export function strictEnv(databaseUrl: string): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    REDIS_URL: 'redis://127.0.0.1:6379',
    SECRET_KEYS: randomBytes(32).toString('base64'),
    PUBLIC_URL: 'https://login.example',
  }
}

/** Asserts that a command succeeded, and gives the JSON of its standard output. */
export function outputOf(test: Pick<typeof t, 'equal'>, ran: Ran): unknown {
  test.equal(ran.code, 0, ran.stderr)
  return JSON.parse(ran.stdout)
}

/** Asserts that a command failed with one matching line on standard error. */
export function assertFailed(test: Pick<typeof t, 'equal' | 'match'>, ran: Ran, sentence: RegExp): void {
  test.equal(ran.code, 1, 'exit code')
  test.equal(ran.stdout, '', 'nothing on standard output')
  test.match(ran.stderr, sentence)
  test.match(ran.stderr, /^[^\n]+\n$/, 'one line')
}
