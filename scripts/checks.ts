import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { stripVTControlCharacters } from 'node:util'

const checks = [
  { name: 'types', command: 'tsc', args: ['--noEmit'] },
  { name: 'format', command: 'biome', args: ['ci'] },
  { name: 'lint', command: 'oxlint', args: ['--type-aware'] },
] as const

/** Checks types, format and lint, one after the other; prints the whole output of a check that fails. */
export async function runChecks(): Promise<{ readonly name: string; readonly failed: boolean }[]> {
  const results = []
  for (const { name, command, args } of checks) {
    const from = performance.now()
    const child = spawn(`node_modules/.bin/${command}`, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text))
    const [code] = await once(child, 'close')
    const failed = code !== 0
    process.stdout.write(
      `${failed ? '✗' : '✓'} ${name} (${((performance.now() - from) / 1_000).toFixed(1)} s)\n`,
    )
    if (failed) process.stdout.write(stripVTControlCharacters(output))
    results.push({ name, failed })
  }
  return results
}
