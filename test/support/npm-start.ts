import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import type { Environment } from '../../src/config/variables.ts'
import { end, eventually, freePort } from './process.ts'

/** A process started as `npm start` starts it. */
export interface Started {
  readonly child: ChildProcess
  readonly ports: { readonly PORT: string; readonly MANAGEMENT_PORT: string; readonly SANDBOX_PORT: string }
  /** Everything that it has written so far. */
  readonly output: () => string
  readonly errors: () => string
  /** The exit code, once it has ended; null where a signal ended it. */
  readonly ended: Promise<number | null>
}

/** A new folder for `.data`; removed when `test` ends. */
export async function emptyFolder(test: Pick<Test, 'teardown'>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'auth-movies-start-'))
  test.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Three free ports for a start. */
export async function freePorts(): Promise<Started['ports']> {
  return {
    PORT: String(await freePort()),
    MANAGEMENT_PORT: String(await freePort()),
    SANDBOX_PORT: String(await freePort()),
  }
}

/** The repository. */
const repository = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Runs an entry of the project with this environment only; killed when `test` ends.
 * @param options `root` has the code: the repository, or a copy of it with changes
 */
export function run(
  test: Pick<Test, 'teardown'>,
  entry: 'sandbox/start.ts' | 'sandbox/alone.ts' | 'src/main.ts',
  {
    folder,
    env,
    ports,
    args = [],
    root = repository,
  }: {
    folder: string
    env: Environment
    ports: Started['ports']
    args?: readonly string[]
    root?: string | undefined
  },
): Started {
  const script = join(root, entry)
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, ...ports, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => (output += String(chunk)))
  child.stderr.setEncoding('utf8').on('data', (chunk) => (errors += String(chunk)))
  test.teardown(() => end(child, 'SIGKILL'))
  const ended = once(child, 'close').then(() => child.exitCode)
  return { child, ports, output: () => output, errors: () => errors, ended }
}

/** Runs `npm start` in development and waits until the sandbox is up. */
export async function startSandboxed(
  test: Pick<Test, 'teardown'>,
  folder: string,
  env: Environment = {},
  ports?: Started['ports'],
): Promise<Started> {
  const started = run(test, 'sandbox/start.ts', {
    folder,
    ports: ports ?? (await freePorts()),
    env: { NODE_ENV: 'development', ...env },
  })
  await eventually(() => {
    if (started.child.exitCode !== null) return
    if (!/Ctrl-C stops everything/.test(started.output())) throw new Error(`not up: ${started.errors()}`)
  }, 90_000)
  if (started.child.exitCode !== null) throw new Error(`it ended: ${started.errors()}`)
  return started
}

/** The line that `npm run sandbox` prints when it is ready. */
export interface SandboxLine {
  readonly ready: true
  readonly service_url: string
  readonly sandbox_url: string
  readonly demo_url: string
  readonly faults_url: string
  readonly health_url: string
  readonly site_id: string
  readonly site_secret: string
  readonly redirect_urls: readonly string[]
  readonly providers: readonly string[]
  readonly people: readonly string[]
}

/** Runs `npm run sandbox` and waits for its line. Its data is in `folder`, as it is killed at the end and removes nothing. */
export async function startSandboxAlone(
  test: Pick<Test, 'teardown'>,
  folder: string,
  { env = {}, args = [] }: { readonly env?: Environment; readonly args?: readonly string[] } = {},
): Promise<Started & { readonly line: SandboxLine }> {
  const started = run(test, 'sandbox/alone.ts', {
    folder,
    ports: await freePorts(),
    env: { TMPDIR: folder, ...env },
    args,
  })
  const line = await eventually(() => {
    if (started.child.exitCode !== null) return undefined
    const [first] = started.output().split('\n', 1)
    return JSON.parse(first ?? '') as SandboxLine
  }, 90_000)
  if (line === undefined) throw new Error(`it ended: ${started.errors()}`)
  return { ...started, line }
}
