import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, join } from 'node:path'
import type { ICruiseResult } from 'dependency-cruiser'
import { cruise } from 'dependency-cruiser'
import type { Test } from 'tap'
import t from 'tap'
import configuration from '../.dependency-cruiser.json' with { type: 'json' }
import { providers } from '../plugins/index.ts'

const folders = ['src', 'plugins', 'sandbox', 'test']
const longest = 300
/** Programs of sites: what they import is made by generators, and test/clients checks their types. */
const foreign = 'test/clients/programs/'

async function sources(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.startsWith(foreign))
}

/** A file without its comments, which may mention what the code may not use. */
async function codeOf(file: string): Promise<string> {
  const text = stripTypeScriptTypes(await readFile(file, 'utf8'))
  return text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$|\s\/\/ .*$/gm, '')
}

async function dependencies(): Promise<ICruiseResult> {
  const { forbidden, options } = configuration
  const { output } = await cruise(folders, { ...options, ruleSet: { forbidden }, validate: true } as never)
  if (typeof output === 'string') throw new Error('dependency-cruiser answered with a text.')
  return output
}

t.test('who imports whom', async (t) => {
  const { modules, summary } = await dependencies()
  // It has been seen to find nothing at all, and then every rule holds.
  const cruised = new Set(modules.map(({ source }) => source))
  const files = (await Promise.all(folders.map(sources))).flat()
  t.ok(files.length > 100)
  t.same(
    files.filter((file) => !cruised.has(file)),
    [],
    'every file was looked at',
  )
  t.same(
    summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`),
    [],
  )
})

/** For each rule the smallest tree of files that breaks it: what each file imports. */
const broken: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'no-cycles': { 'src/a/one.ts': ['../b/two.ts'], 'src/b/two.ts': ['../a/one.ts'] },
  'no-cycles-at-run-time': { 'sandbox/one.ts': ['./two.ts'], 'sandbox/two.ts': ['./one.ts'] },
  'configuration-is-read-at-the-top': {
    'src/http/one.ts': ['../else/two.ts'],
    'src/else/two.ts': ['../config/three.ts'],
  },
  'problems-are-told-by-others': { 'src/problems/one.ts': ['../http/two.ts'] },
  'everything-resolves': { 'src/one.ts': ['./nowhere/at-all.ts'] },
  'the-list-of-plugins': { 'src/login/one.ts': ['../../plugins/two.ts'] },
  'src-stands-alone': { 'src/one.ts': ['../sandbox/two.ts'] },
  'rooms-of-the-sandbox': { 'sandbox/doubles/one.ts': ['../demo-site/two.ts'] },
  'plugins-see-providers-alone': { 'plugins/one.ts': ['../src/http/two.ts'] },
  'the-login-is-plain': { 'src/login/finish.ts': ['fastify'] },
  'opentelemetry-in-tracing': { 'src/http/one.ts': ['@opentelemetry/api'] },
  'tracing-is-loaded-on-demand': { 'src/service.ts': ['./tracing/otlp.ts'] },
  'undici-in-providers': { 'src/http/one.ts': ['undici'] },
  'http-knows-no-concept': {
    'src/http/one.ts': ['../else/two.ts'],
    'src/else/two.ts': ['../sites/three.ts'],
  },
  'never-back-to-login': { 'src/sites/one.ts': ['../else/two.ts'], 'src/else/two.ts': ['../login/three.ts'] },
  'tokens-know-no-caller': {
    'src/keys/one.ts': ['../else/two.ts'],
    'src/else/two.ts': ['../sessions/three.ts'],
  },
  'storage-knows-no-concept': { 'src/storage/one.ts': ['../http/two.ts'] },
  'runs-without-dev-dependencies': { 'src/one.ts': ['tap'] },
}

/** Writes such a tree, with an empty file for each import and stand-ins of the packages, and gives the rules that it breaks. */
async function rulesBrokenBy(
  t: Test,
  tree: Readonly<Record<string, readonly string[]>>,
): Promise<Set<string>> {
  const base = t.testdir({
    'package.json': JSON.stringify({
      dependencies: { '@opentelemetry/api': '1', fastify: '1', undici: '1' },
      devDependencies: { tap: '1' },
    }),
    node_modules: Object.fromEntries(
      ['@opentelemetry/api', 'fastify', 'undici', 'tap'].map((name) => [
        name,
        { 'package.json': JSON.stringify({ name }), 'index.js': '' },
      ]),
    ),
  })
  for (const [file, imports] of Object.entries(tree)) {
    await mkdir(join(base, dirname(file)), { recursive: true })
    await writeFile(join(base, file), imports.map((one) => `import '${one}'\n`).join(''))
    for (const target of imports) {
      const path = join(base, dirname(file), target)
      if (!target.startsWith('.') || target.includes('nowhere') || existsSync(path)) continue
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, 'export {}\n')
    }
  }
  const { forbidden, options } = configuration
  const roots = [...new Set(Object.keys(tree).map((file) => file.split('/', 1)[0] ?? ''))]
  const { output } = await cruise(roots, {
    ...options,
    baseDir: base,
    ruleSet: { forbidden },
    validate: true,
  } as never)
  if (typeof output === 'string') throw new Error('dependency-cruiser answered with a text.')
  return new Set(output.summary.violations.map(({ rule }) => rule.name))
}

t.test('every rule is broken by what it forbids', async (t) => {
  t.strictSame(
    Object.keys(broken),
    configuration.forbidden.map(({ name }) => name),
  )
  for (const [rule, tree] of Object.entries(broken)) t.ok((await rulesBrokenBy(t, tree)).has(rule), rule)
})

t.test('the rules do find what they forbid', async (t) => {
  const { modules } = await dependencies()
  const imports = (from: string) =>
    modules.find(({ source }) => source === from)?.dependencies.map(({ resolved }) => resolved) ?? []
  t.ok(imports('src/providers/http-client.ts').some((path) => path.startsWith('node_modules/undici/')))
  t.ok(imports('src/storage/postgres.ts').includes('prisma/client/client.ts'))
  t.ok(imports('plugins/yandex.ts').some((path) => path.startsWith('src/providers/')))
})

/** The room that a file of src/ is in: its folder, or the file itself where it lies in none. */
const roomOf = (file: string) => (file.split('/').length === 2 ? file : dirname(file))

/** Which rooms each room imports from, types included. */
function roomGraph(imports: readonly (readonly [from: string, to: string])[]): Map<string, Set<string>> {
  const graph = new Map<string, Set<string>>()
  for (const [from, to] of imports)
    if (roomOf(from) !== roomOf(to))
      graph.set(roomOf(from), (graph.get(roomOf(from)) ?? new Set()).add(roomOf(to)))
  return graph
}

/** Every room that can be reached from one, over any number of others. */
function reachable(graph: ReadonlyMap<string, ReadonlySet<string>>, from: string): Set<string> {
  const found = new Set<string>()
  const waiting = [...(graph.get(from) ?? [])]
  for (let room = waiting.pop(); room !== undefined; room = waiting.pop())
    if (!found.has(room)) {
      found.add(room)
      waiting.push(...(graph.get(room) ?? []))
    }
  return found
}

const circles = (graph: ReadonlyMap<string, ReadonlySet<string>>) =>
  [...graph.keys()].filter((room) => reachable(graph, room).has(room))

t.test('no room of src can be reached from itself', async (t) => {
  const { modules } = await dependencies()
  const imports = modules
    .filter(({ source }) => source.startsWith('src/'))
    .flatMap(({ source, dependencies: targets }) =>
      targets
        .filter(({ resolved }) => resolved.startsWith('src/'))
        .map(({ resolved }) => [source, resolved] as const),
    )
  const graph = roomGraph(imports)
  t.ok(graph.size > 15)
  t.strictSame(circles(graph), [])
  // Over a third room as well, which no look at direct imports would see.
  const circle = [
    ['src/a/one.ts', 'src/b/two.ts'],
    ['src/b/two.ts', 'src/c/three.ts'],
    ['src/c/four.ts', 'src/a/five.ts'],
  ] as const
  t.strictSame(circles(roomGraph(circle)), ['src/a', 'src/b', 'src/c'])
})

const sessionsInSql =
  /\b(from|join|update|into|using)\s+sessions\b|\.session\.(find|count|create|update|upsert|delete)/i

t.test('only sessions/ names the table of sessions, and users/ where people are deleted', async (t) => {
  t.match('UPDATE sessions AS s', sessionsInSql)
  t.match('transaction.session.deleteMany({})', sessionsInSql)
  for (const file of [...(await sources('src')), ...(await sources('plugins'))])
    if (!file.startsWith('src/sessions/') && file !== 'src/users/personal-data.ts')
      t.notMatch(await codeOf(file), sessionsInSql, file)
})

t.test('src names no provider', async (t) => {
  const names = providers.map(({ name }) => name).join('|')
  const literal = new RegExp(
    `(['"\`])(${names})\\1|\\b(${names.toUpperCase()})_[A-Z]|\\b(${names})\\.(ru|com)\\b`,
  )
  t.match(`if (name === '${providers[0]?.name}')`, literal)
  for (const file of await sources('src')) t.notMatch(await codeOf(file), literal, file)
})

t.test('the environment is read in the two entrances alone', async (t) => {
  for (const file of [...(await sources('src')), ...(await sources('plugins'))])
    if (!['src/main.ts', 'src/cli.ts'].includes(file)) t.notMatch(await codeOf(file), /process\.env\b/, file)
})

t.test('a file is read in one go', async (t) => {
  for (const file of [
    ...(await sources('src')),
    ...(await sources('plugins')),
    ...(await sources('sandbox')),
  ]) {
    // The texts of problems are a table, a language each.
    if (/^src\/problems\/(en|ru)\.ts$/.test(file)) continue
    const lines = (await readFile(file, 'utf8')).split('\n').length
    t.ok(lines <= longest, `${file} has ${lines} lines`)
  }
})

t.test('every provider has its plugin, double and test', async (t) => {
  t.ok(providers.length > 0)
  for (const { name } of providers)
    for (const file of [`plugins/${name}.ts`, `sandbox/doubles/${name}.ts`, `test/plugins/${name}.test.ts`])
      t.ok(existsSync(file), file)
})
