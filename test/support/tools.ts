import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

/** Downloads of these tests and their work folders: not in git, removed with `node_modules`. */
const cache = resolve('node_modules/.cache/clients')

const languages = {
  python: { program: 'python3', args: ['-c', 'import ensurepip, sys; assert sys.version_info >= (3, 10)'] },
  go: { program: 'go', args: ['version'], output: /go1\.(2[1-9]|[3-9]\d)/ },
  java: { program: 'java', args: ['-version'] },
  maven: { program: 'mvn', args: ['--version'] },
  php: { program: 'php', args: ['--version'] },
}
const least: Readonly<Record<Language, string>> = {
  python: 'Python 3.10 with its module venv',
  go: 'Go 1.21',
  java: 'Java',
  maven: 'Maven',
  php: 'PHP',
}

/** A tool that a test may need beyond npm. */
export type Language = keyof typeof languages

/**
 * For `t.test(name, { skip: skipWithout('go') }, …)`: false if all of them are installed, otherwise the reason. If CI is set,
 * a skipped test is a failure.
 */
export function skipWithout(...needed: Language[]): string | false {
  const missing = needed.filter((language) => !installed(language))
  return missing.length === 0
    ? false
    : `not installed: ${missing.map((language) => least[language]).join(', ')}`
}

function installed(language: Language): boolean {
  const { program, args, output }: { program: string; args: string[]; output?: RegExp } = languages[language]
  try {
    const text = execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    return output?.test(text) ?? true
  } catch {
    return false
  }
}

/** How a tool is run. */
export interface ToolOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** What it reads from standard input. */
  readonly input?: string
  /** Five minutes by default: the first run downloads. */
  readonly minutes?: number
}

/**
 * Runs a tool to its end, without a shell.
 * @returns its standard output
 * @throws an error with all of its output if it fails or takes too long
 */
export async function runTool(
  program: string,
  args: readonly string[],
  { cwd, env, input = '', minutes = 5 }: ToolOptions = {},
): Promise<string> {
  return await new Promise((done, refuse) => {
    const options = {
      cwd,
      env: { ...process.env, ...env },
      timeout: minutes * 60_000,
      maxBuffer: 64 * 1024 * 1024,
    }
    const child = execFile(program, [...args], options, (error, stdout, stderr) => {
      if (error === null) return done(stdout)
      const how = error.killed === true ? `took more than ${minutes} minutes` : `ended with ${error.code}`
      refuse(new Error(`${program} ${args.join(' ')} ${how}\n${stdout}\n${stderr}`))
    })
    // A program that ends without reading it says so by its exit code.
    child.stdin?.on('error', () => {}).end(input)
  })
}

/** A folder for generated code, below this project's packages; removed when `test` ends. */
export async function workFolder(test: Pick<Test, 'teardown'>, name: string): Promise<string> {
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(join(cache, `work-${name}-`))
  test.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A file or folder beside the tests of clients. */
export function besideClients(path: string): string {
  return fileURLToPath(new URL(`../clients/${path}`, import.meta.url))
}

/**
 * A file or folder of the cache, made once: `make` fills it, and a marker file says when it is complete.
 */
async function cached(name: string, make: (place: string) => Promise<unknown>): Promise<string> {
  const place = join(cache, name)
  const whole = `${place}.whole`
  if (existsSync(whole)) return place
  await rm(place, { recursive: true, force: true })
  await mkdir(dirname(place), { recursive: true })
  await make(place)
  await writeFile(whole, '')
  return place
}

async function digest(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
    .slice(0, 12)
}

const dependencyPlugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1'

/** Arguments of `maven` that copy a project's dependencies into its folder `libraries`. */
export const copyLibraries = [`${dependencyPlugin}:copy-dependencies`, '-DoutputDirectory=libraries']

/** Runs Maven with a repository of its own, without questions and colours. */
export function maven(args: readonly string[], options?: ToolOptions): Promise<string> {
  return runTool('mvn', ['-B', '-q', '-ntp', `-Dmaven.repo.local=${join(cache, 'maven')}`, ...args], options)
}

/** Runs Go with a module cache of its own, whose files can be removed without special rights. */
export function go(args: readonly string[], options: ToolOptions = {}): Promise<string> {
  const folders = { GOMODCACHE: join(cache, 'go'), GOCACHE: join(cache, 'go-build') }
  const env = { ...folders, GOFLAGS: '-modcacherw', GOWORK: 'off', ...options.env }
  return runTool('go', args, { ...options, env })
}

/** @returns a program of a Go module, built once: `MODULE/PATH@VERSION` */
export async function goProgram(module: string): Promise<string> {
  const [path = '', version = ''] = module.split('@')
  const name = path.split('/').findLast((part) => !/^v\d+$/.test(part)) ?? ''
  const place = await cached(`${name}-${version}`, async (folder) => {
    await mkdir(folder)
    await go(['install', module], { env: { GOBIN: folder } })
  })
  return join(place, name)
}

/** @returns Python with exactly the packages of this requirements.txt, in a virtual environment of its own */
export async function python(requirements: string): Promise<string> {
  // Its programs contain the path of the folder, so it is made in its final place.
  const place = await cached(`venv-${await digest(requirements)}`, async (folder) => {
    await runTool('python3', ['-m', 'venv', folder])
    const flags = ['--quiet', '--disable-pip-version-check', '--no-input', '--only-binary=:all:']
    await runTool(join(folder, 'bin/python'), ['-m', 'pip', 'install', ...flags, '-r', requirements])
  })
  return join(place, 'bin/python')
}

/** @returns the packages of test/clients/generators, which need TypeScript 5 and so have a lock file of their own */
export async function generatorPackages(): Promise<string> {
  const lock = besideClients('generators/package-lock.json')
  const place = await cached(`generators-${await digest(lock)}`, async (folder) => {
    await cp(besideClients('generators'), folder, { recursive: true })
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    await runTool('npm', ['ci', ...flags], { cwd: folder })
  })
  return join(place, 'node_modules')
}

/** The release of openapi-generator that is tested, a jar of Maven Central. */
export const openapiGenerator = '7.25.0'

/**
 * Makes a client with openapi-generator.
 * @param version its current release, or 4.3.1, which an npm package brings
 * @param args the generator's name and the paths: `['-g', 'go', '-i', document, '-o', folder]`
 */
export async function generateClient(version: 'current' | '4.3.1', args: readonly string[]): Promise<void> {
  await runTool('java', ['-jar', await generatorJar(version), 'generate', ...args])
}

async function generatorJar(version: 'current' | '4.3.1'): Promise<string> {
  if (version === '4.3.1')
    return join(await generatorPackages(), '@openapitools/openapi-generator-cli/bin/openapi-generator.jar')
  const name = `openapi-generator-cli-${openapiGenerator}.jar`
  return await cached(name, async (place) => {
    const folder = `${place}.part`
    await maven([
      `${dependencyPlugin}:copy`,
      `-Dartifact=org.openapitools:openapi-generator-cli:${openapiGenerator}`,
      `-DoutputDirectory=${folder}`,
    ])
    await rename(join(folder, name), place)
    await rm(folder, { recursive: true })
  })
}

/**
 * Options that openapi-generator's clients need to work with a newer service, which may send members (Go and Java reject
 * them otherwise) and values (Java) that their document does not have.
 */
export const tolerantOptions = {
  members: 'disallowAdditionalPropertiesIfNotPresent=false',
  values: 'enumUnknownDefaultCase=true',
}
