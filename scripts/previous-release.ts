// `npm run test:previous`: does the previous release still work on this version's schema? During a roll-out, and after a
// roll-back, it must. Its code is checked out (the latest tag, or else the last commit before the newest migration) into a
// folder of its own, gets this version's migrations beside its own code, and runs its own tests of logins and sessions.

import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  globSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Type } from 'typebox'
import { Value } from 'typebox/value'

const root = fileURLToPath(new URL('..', import.meta.url))
const migrations = join(root, 'prisma/migrations')

const git = (...args: readonly string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()

/** The tests that show a login and a session from end to end. */
const tests = ['test/login/{start,callback,finish}.test.ts', 'test/sessions/http/*.test.ts']

function previousRelease(): { name: string; commit: string } {
  const newest =
    readdirSync(migrations)
      .filter((name) => /^\d/.test(name))
      .toSorted()
      .at(-1) ?? ''
  const added = git('log', '--diff-filter=A', '--format=%H', '--', `prisma/migrations/${newest}`)
    .split('\n')
    .at(-1)
  // A migration that is not committed yet has all that is committed before it.
  const before = added === undefined || added === '' ? 'HEAD' : `${added}^`
  const tag = spawnSync('git', ['describe', '--tags', '--abbrev=0', before], { cwd: root, encoding: 'utf8' })
  const name = tag.status === 0 ? tag.stdout.trim() : before
  return { name: tag.status === 0 ? name : `the commit before ${newest}`, commit: git('rev-parse', name) }
}

const Manifest = Type.Object({
  dependencies: Type.Record(Type.String(), Type.String()),
  devDependencies: Type.Record(Type.String(), Type.String()),
})

/** The packages of a release by name, with their versions. */
function packagesOf(folder: string): ReadonlyMap<string, string> {
  const manifest = Value.Parse(Manifest, JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')))
  return new Map(Object.entries({ ...manifest.devDependencies, ...manifest.dependencies }))
}

const run = (program: string, args: readonly string[], cwd: string) => {
  // One file at a time: what is tested is whether it works, not how fast.
  const env = { ...process.env, TAP_JOBS: '1', TAP_TIMEOUT: '300' }
  const { status } = spawnSync(program, args, { cwd, env, stdio: 'inherit' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${String(status)}.`)
}

const { name, commit } = previousRelease()
const folder = mkdtempSync(join(tmpdir(), 'auth-movies-previous-'))
try {
  git('worktree', 'add', '--detach', '--force', folder, commit)
  const ours = packagesOf(root)
  const alike = [...packagesOf(folder)].every(([one, version]) => ours.get(one) === version)
  if (alike) symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  else run('npm', ['ci', '--ignore-scripts'], folder)
  run(process.execPath, [join(folder, 'node_modules/prisma/build/index.js'), 'generate'], folder)
  const later = readdirSync(migrations).filter((one) => !existsSync(join(folder, 'prisma/migrations', one)))
  for (const one of later)
    cpSync(join(migrations, one), join(folder, 'prisma/migrations', one), { recursive: true })
  process.stdout.write(
    `${name} (${commit.slice(0, 10)}) on the schema with ${later.join(', ') || 'nothing new'}\n`,
  )
  const files = tests.flatMap((pattern) => globSync(pattern, { cwd: folder }))
  run(process.execPath, ['--disable-warning=ExperimentalWarning', 'scripts/test.ts', ...files], folder)
} finally {
  rmSync(folder, { recursive: true, force: true })
  git('worktree', 'prune')
}
