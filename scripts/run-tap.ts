import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'

/** The result of a run of tap. */
export interface TapResult {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly code: number
  readonly failedFiles: readonly FailedFile[]
}

/** A test file that failed. */
export interface FailedFile {
  readonly name: string
  /** Whether an input that was made at random showed a fault: it is there whatever another run says. */
  readonly byProperty: boolean
}

/**
 * Runs test files and prints one line per file; for a file that fails, also everything except the assertions that passed.
 */
export async function runTap(
  files: readonly string[],
  {
    env,
    coverage,
    patient = false,
  }: {
    readonly env: Readonly<Record<string, string>>
    readonly coverage: boolean
    /** One file at a time, each for up to twenty minutes. */
    readonly patient?: boolean
  },
): Promise<TapResult> {
  const flags = coverage
    ? ['--coverage-report=json-summary', '--allow-incomplete-coverage']
    : ['--disable-coverage']
  if (patient) flags.push('--jobs=1', '--timeout=1200')
  const child = spawn('node_modules/.bin/tap', ['run', '--reporter=tap', ...flags, ...files], {
    env: {
      // About 350 processes load the same packages, and compiling takes a third of each start.
      NODE_COMPILE_CACHE: resolve('node_modules/.cache/compile'),
      // tap looks for a source map of each file that a process loads; files of packages need none.
      _TAPJS_PROCESSINFO_EXCLUDE_: String.raw`/[\\/]node_modules[\\/]/`,
      ...process.env,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const result = { passed: 0, failed: 0, skipped: 0 }
  const failedFiles: FailedFile[] = []
  let block: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    block.push(line)
    const file = /^(not ok|ok) \d+ - (\S+)(?: # time=([\d.]+)ms)?(.*)/.exec(line)
    const total = /^# \{ (total: .*) \}$/.exec(line)
    if (file !== null) {
      const [, outcome, name = '', time = '0', rest = ''] = file
      const failed = outcome === 'not ok'
      process.stdout.write(
        `${failed ? '✗' : '✓'} ${name} (${(Number(time) / 1_000).toFixed(1)} s)${rest.replace(' {', '')}\n`,
      )
      if (failed) {
        process.stdout.write(`${failures(block).join('\n')}\n`)
        failedFiles.push({ name, byProperty: block.some((text) => text.includes('Property failed')) })
      }
      block = []
    } else if (total?.[1] !== undefined) {
      const value = (name: string) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(total[1] ?? '')?.[1] ?? 0)
      result.passed = value('pass')
      result.failed = value('fail')
      result.skipped = value('skip') + value('todo')
    }
  }
  const code = child.exitCode ?? Number((await once(child, 'close'))[0] ?? 1)
  return { ...result, code, failedFiles }
}

/** The TAP of a file without passed assertions, plans, and names of subtests in which nothing is left. */
function failures(block: readonly string[]): string[] {
  const lines = block.filter((line) => !/^\s*(ok \d|\d+\.\.\d+|#\s*time=|$)/.test(line))
  return lines.filter((line, index) => {
    const own = /^(\s*)# Subtest/.exec(line)
    if (own === null) return true
    const next = lines[index + 1] ?? ''
    return next.length - next.trimStart().length > (own[1] ?? '').length
  })
}
