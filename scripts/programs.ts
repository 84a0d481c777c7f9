import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

// What no npm package brings: the program, and Debian's package of it.
const programs = [
  { names: ['redis-server'], packageName: 'redis-server', needed: process.env.TEST_REDIS_URL === undefined },
  { names: ['chromium', 'chromium-browser', 'google-chrome'], packageName: 'chromium', needed: true },
] as const

/**
 * The programs that tests need and the machine lacks. As root on Debian or Ubuntu they are installed first, and
 * it says so; elsewhere it names the command, and their tests are left out.
 */
export async function missingPrograms(): Promise<string[]> {
  const missing = absent()
  if (missing.length === 0) return []
  const install = ['install', '-y', '--no-install-recommends', ...missing]
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    process.stdout.write(`Installing ${missing.join(' and ')} by apt-get, for the tests …\n`)
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    spawnSync('apt-get', ['update'], { stdio: 'ignore', env })
    const { status, stderr } = spawnSync('apt-get', install, { stdio: ['ignore', 'ignore', 'pipe'], env })
    if (status !== 0) process.stdout.write(stderr.toString())
    return absent()
  }
  process.stdout.write(
    `Missing: ${missing.join(' and ')}. Their tests are left out. Debian, Ubuntu: sudo apt-get ${install.join(' ')}\n`,
  )
  return missing
}

function absent(): string[] {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return programs
    .filter(
      ({ needed, names }) =>
        needed && !names.some((name) => folders.some((folder) => existsSync(join(folder, name)))),
    )
    .map(({ packageName }) => packageName)
}
