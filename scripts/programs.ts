import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Which tests: those of `npm test`, of `npm run test:long`, or of `npm run test:clients`. */
export type Kind = 'test' | 'long' | 'clients'

/** What no npm package brings: the program, Debian's package of it, and the tests that need it. */
const programs: readonly {
  readonly names: readonly string[]
  readonly packageName: string
  readonly kinds: readonly Kind[]
  /** Names another server, which serves as well. */
  readonly unless?: string
}[] = [
  {
    names: ['redis-server'],
    packageName: 'redis-server',
    kinds: ['test', 'long', 'clients'],
    unless: 'TEST_REDIS_URL',
  },
  { names: ['chromium', 'chromium-browser', 'google-chrome'], packageName: 'chromium', kinds: ['test'] },
  { names: ['nginx'], packageName: 'nginx-light', kinds: ['long'] },
  { names: ['pgbouncer'], packageName: 'pgbouncer', kinds: ['long'] },
]

/**
 * The programs that tests need and the machine lacks. As root on Debian or Ubuntu they are installed first, and
 * it says so; elsewhere it names the command, and their tests are left out.
 */
export async function missingPrograms(kind: Kind): Promise<string[]> {
  const missing = absent(kind)
  if (missing.length === 0) return []
  const install = ['install', '-y', '--no-install-recommends', ...missing]
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    process.stdout.write(`Installing ${missing.join(' and ')} by apt-get, for the tests …\n`)
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    spawnSync('apt-get', ['update'], { stdio: 'ignore', env })
    const { status, stderr } = spawnSync('apt-get', install, { stdio: ['ignore', 'ignore', 'pipe'], env })
    if (status !== 0) process.stdout.write(stderr.toString())
    return absent(kind)
  }
  process.stdout.write(
    `Missing: ${missing.join(' and ')}. Their tests are left out. Debian, Ubuntu: sudo apt-get ${install.join(' ')}\n`,
  )
  return missing
}

function absent(kind: Kind): string[] {
  // Debian keeps servers where only root's PATH leads.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
  return programs
    .filter(
      ({ kinds, names, unless }) =>
        kinds.includes(kind) &&
        (unless === undefined || process.env[unless] === undefined) &&
        !names.some((name) => folders.some((folder) => existsSync(join(folder, name)))),
    )
    .map(({ packageName }) => packageName)
}
