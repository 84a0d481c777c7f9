import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, lstat, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { codeBlocks, readText, root } from '../docs/markdown.ts'
import { expectedValues, runLoginProgram, startServiceWithSite } from '../support/generated-client.ts'
import { openCallback } from '../support/login-flow.ts'
import { emptyFolder } from '../support/npm-start.ts'
import { besideClients, generatorPackages, runTool } from '../support/tools.ts'

// The client that `npm run sdk` makes, installed as the guide says: the program of the guide and a longer one are
// type-checked under `strict`, and both run as they are against the service.

const blocks = codeBlocks(await readText('docs/en/generated-clients.md')).map(({ text }) => text)
const block = (begin: string) => blocks.find((text) => text.startsWith(begin)) ?? 'false'
const guideProgram = block('import { createInterface')
const packages = await generatorPackages()
const running = await startServiceWithSite(t)
// Node strips no types below a node_modules, where the work folders of other clients are.
const folder = await emptyFolder(t)
await writeFile(join(folder, 'package.json'), '{ "type": "module" }')

t.before(async () => {
  await runTool('bash', ['-euc', block('npm run sdk').replaceAll('../my-site', folder)], { cwd: root })
  await writeFile(join(folder, 'login.mjs'), guideProgram)
})

t.test('the package is a file of the site, and no link into this repository', async (t) => {
  t.ok((await lstat(join(folder, 'node_modules/auth-movies-client'))).isDirectory())
  const { dependencies }: { dependencies?: Record<string, string> } = JSON.parse(
    await readFile(join(folder, 'package.json'), 'utf8'),
  )
  t.match(dependencies, { 'auth-movies-client': /^file:auth-movies-client-[\d.]+\.tgz$/ })
})

t.test('the program of the guide logs a person in', async (t) => {
  const { service, site } = running
  const child = spawn(process.execPath, ['login.mjs'], {
    cwd: folder,
    env: {
      ...process.env,
      AUTH: service.url,
      SITE_ID: site.id,
      SITE_SECRET: site.secret,
      REDIRECT_URL: site.redirectUrl,
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const closed = once(child, 'close')
  let said = ''
  for await (const line of createInterface({ input: child.stdout })) {
    if (said === '') {
      const answer = await openCallback(service, await service.doubles.yandex.consent(line))
      child.stdin.end(`${answer.headers.get('location')}\n`)
    }
    said += `${line}\n`
  }
  t.strictSame(await closed, [0, null], said)
  t.match(said, /name: 'Анна Демидова'/)
  const { rows } = await service.database.pool.query<{ ended: boolean }>(
    'SELECT revoked_at IS NOT NULL AS ended FROM sessions',
  )
  t.strictSame(rows, [{ ended: true }], 'and out again')
})

t.test('npm run sdk: a whole login, with errors typed by the operation', async (t) => {
  await mkdir(join(folder, 'node_modules/@types'), { recursive: true })
  await symlink(join(packages, '@types/node'), join(folder, 'node_modules/@types/node'))
  await symlink(join(packages, 'undici-types'), join(folder, 'node_modules/undici-types'))
  await cp(besideClients('programs/typescript/site.ts'), join(folder, 'site.ts'))
  await cp(besideClients('programs/sdk/main.ts'), join(folder, 'main.ts'))
  await writeFile(join(folder, 'login.ts'), guideProgram)
  const compilerOptions = {
    target: 'es2024',
    lib: ['es2024', 'dom', 'dom.iterable'],
    module: 'nodenext',
    types: ['node'],
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    verbatimModuleSyntax: true,
    exactOptionalPropertyTypes: true,
  }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  await runTool(join(packages, '.bin/tsc'), ['--project', '.'], { cwd: folder })
  const told = await runLoginProgram(running, process.execPath, ['main.ts'], { cwd: folder })
  t.match(told, {
    ...expectedValues(running.site),
    message: /^[А-ЯЁ].*\.$/,
    advice: 'offer a new login',
    unreachable: 'true',
  })
  t.ok(Number(told.providers) > 2)
})
