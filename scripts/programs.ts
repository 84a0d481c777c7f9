import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { findProgram } from '../test/support/process.ts'

/** Which tests: those of `npm test`, of `npm run test:long`, or of `npm run test:clients`. */
export type Kind = 'test' | 'long' | 'clients'

/** Programs that no npm package contains: their names, their Debian package, and the tests that need them. */
const programs: readonly {
  readonly names: readonly string[]
  readonly packageName: string
  readonly kinds: readonly Kind[]
  /** A variable that names another server, so that the program is not needed. */
  readonly unless?: string
  /** Arguments with which the program must succeed, if Debian puts that part into a separate package. */
  readonly probe?: readonly string[]
}[] = [
  {
    names: ['redis-server'],
    packageName: 'redis-server',
    kinds: ['test', 'long', 'clients'],
    unless: 'TEST_REDIS_URL',
  },
  {
    names: ['chromium', 'chromium-browser', 'google-chrome'],
    packageName: 'chromium',
    kinds: ['test', 'clients'],
  },
  { names: ['nginx'], packageName: 'nginx-light', kinds: ['long'] },
  { names: ['pg_basebackup'], packageName: 'postgresql', kinds: ['long'] },
  { names: ['haproxy'], packageName: 'haproxy', kinds: ['long'] },
  { names: ['caddy'], packageName: 'caddy', kinds: ['long'] },
  { names: ['pgbouncer'], packageName: 'pgbouncer', kinds: ['long'] },
  { names: ['prometheus'], packageName: 'prometheus', kinds: ['long'] },
  {
    names: ['python3'],
    packageName: 'python3-venv',
    kinds: ['clients'],
    probe: ['-c', 'import ensurepip'],
  },
  { names: ['go'], packageName: 'golang', kinds: ['clients'] },
  { names: ['javac'], packageName: 'default-jdk-headless', kinds: ['clients'] },
  { names: ['mvn'], packageName: 'maven', kinds: ['clients'] },
  // The image is built from a base of this machine's own files.
  { names: ['systemd-analyze'], packageName: 'systemd', kinds: ['clients'] },
  { names: ['buildah'], packageName: 'buildah', kinds: ['clients'] },
  { names: ['busybox'], packageName: 'busybox-static', kinds: ['clients'] },
  { names: ['php'], packageName: 'php-cli', kinds: ['clients'] },
  ...['curl', 'mbstring'].map((name) => ({
    names: ['php'],
    packageName: `php-${name}`,
    kinds: ['clients'] as const,
    probe: ['-r', `exit(extension_loaded('${name}') ? 0 : 1);`],
  })),
  {
    names: ['php'],
    packageName: 'php-guzzlehttp-guzzle',
    kinds: ['clients'],
    probe: ['-r', "exit(is_file('/usr/share/php/GuzzleHttp/autoload.php') ? 0 : 1);"],
  },
  { names: ['apache2'], packageName: 'libapache2-mod-auth-openidc', kinds: ['clients'] },
]

/**
 * The programs that tests need and the machine lacks. As root on Debian or Ubuntu this installs them and prints that;
 * elsewhere it prints the command, and their tests are skipped.
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
  return programs
    .filter(({ kinds }) => kinds.includes(kind))
    .filter(({ unless }) => unless === undefined || process.env[unless] === undefined)
    .filter(({ names, probe }) => {
      const program = findProgram(...names)
      return program === undefined || (probe !== undefined && spawnSync(program, probe).status !== 0)
    })
    .map(({ packageName }) => packageName)
}
