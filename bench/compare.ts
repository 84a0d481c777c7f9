import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { serviceFlow, steps } from './flow.ts'
import type { Medians, Subject } from './measure.ts'
import { measure } from './measure.ts'
import { startProgram } from './program.ts'
import { startServers } from './servers.ts'
import { table, whole } from './tables.ts'

/**
 * `npm run bench:compare -- BEFORE AFTER [--rounds N] [--scale N]`: measures the service of two commits side by side, in turns.
 * Each is a commit, or a folder with a checkout as it is. Each brings its own bench/service.ts; the driver is this one.
 */
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '9' }, scale: { type: 'string', default: '0.5' } },
})
const [before, after] = positionals
if (before === undefined || after === undefined)
  throw new Error('Which two? npm run bench:compare -- BEFORE AFTER')

const temporary = await mkdtemp(join(tmpdir(), 'auth-movies-compare-'))
const servers = await startServers()
const subjects: Subject[] = []
try {
  for (const [index, what] of [before, after].entries()) {
    const folder = await checkout(what, join(temporary, String(index)))
    const script = pathToFileURL(join(folder, 'bench/service.ts'))
    const program = await startProgram({ script, env: await servers.environment() })
    subjects.push({ name: index === 0 ? 'before' : 'after', program, flow: serviceFlow() })
  }
  const amount = { rounds: Number(options.rounds), scale: Number(options.scale) }
  console.log(report(await measure(subjects, amount)))
} finally {
  for (const { program } of subjects) await program.end()
  await servers.end()
  await rm(temporary, { recursive: true, force: true })
}

/** Makes a folder with what was named: the folder itself, or the files of a commit, with packages and Prisma's client. */
async function checkout(what: string, folder: string): Promise<string> {
  if (existsSync(join(what, 'bench/service.ts'))) return resolve(what)
  await mkdir(folder)
  const archive = join(folder, '.tar')
  execFileSync('git', ['archive', '-o', archive, what])
  execFileSync('tar', ['-x', '-f', archive, '-C', folder])
  const run = (...args: string[]) => execFileSync(process.execPath, args, { cwd: folder, stdio: 'ignore' })
  const locks = [resolve('package-lock.json'), join(folder, 'package-lock.json')]
  const [own, theirs] = await Promise.all(locks.map((lock) => readFile(lock, 'utf8')))
  if (own === theirs) {
    // Linked, so never through ensure.cjs: an installation there would empty the packages of this checkout.
    await symlink(resolve('node_modules'), join(folder, 'node_modules'))
    run('node_modules/prisma/build/index.js', 'generate')
  } else run('ensure.cjs')
  return folder
}

/** CPU and throughput of each step before and after, and what is left of each. */
function report({ before = {}, after = {} }: Readonly<Record<string, Medians>>): string {
  const rows = steps.flatMap((step) => {
    const [one, other] = [before[step], after[step]]
    if (one === undefined || other === undefined) return []
    const members = ['cpu', 'perSecond', 'p50', 'p99'] as const
    return [
      [
        step,
        ...members.map(
          (member) =>
            `${shown(one[member])} → ${shown(other[member])} (${(other[member] / one[member]).toFixed(2)})`,
        ),
      ],
    ]
  })
  return table(['Step', 'CPU, µs', 'a second', 'p50, ms', 'p99, ms'], rows)
}

function shown(value: number): string {
  return value < 100 ? value.toFixed(1) : whole(value)
}
