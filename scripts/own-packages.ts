import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Installs the packages of a folder that has a package.json and a lockfile of its own, unless what the lockfile names is
 * there. The process ends where npm fails.
 * @param what for the line that says what takes so long
 */
export async function installOwnPackages(folder: string, what: string): Promise<void> {
  const lock = await readFile(join(folder, 'package-lock.json'))
  const digest = createHash('sha256').update(lock).digest('hex')
  const stamp = join(folder, 'node_modules/.lock-digest')
  if (existsSync(stamp) && (await readFile(stamp, 'utf8')) === digest) return
  process.stderr.write(`Installing ${what} …\n`)
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const code = runIn(folder, 'npm', ['ci', ...flags])
  if (code !== 0) process.exit(code)
  await writeFile(stamp, digest)
}

/** Runs a program in a folder, with this process's input and output. @returns its exit code */
export function runIn(folder: string, program: string, args: readonly string[]): number {
  const { status, error } = spawnSync(program, args, { cwd: folder, stdio: 'inherit' })
  if (error !== undefined) throw error
  return status ?? 1
}
