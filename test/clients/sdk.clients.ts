import { cp, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { codeBlocks, readText, root } from '../docs/markdown.ts'
import { expectedValues, runLoginProgram, startServiceWithSite } from '../support/generated-client.ts'
import { emptyFolder } from '../support/npm-start.ts'
import { besideClients, generatorPackages, runTool } from '../support/tools.ts'

// The client that `npm run sdk` makes, installed as the guide says: the sample of the guide and a site's program that uses it
// are type-checked under `strict`, and the program runs as it is against the service.

const blocks = codeBlocks(await readText('docs/en/generated-clients.md')).map(({ text }) => text)
const block = (begin: string) => blocks.find((text) => text.startsWith(begin)) ?? 'false'
/** What the sample of the guide leaves to the site. */
const declared = `
declare const AUTH: string, SITE_ID: string, SITE_SECRET: string, REDIRECT_URL: string
declare const provider: 'yandex', state: string, code: string, language: string
declare class LoginFailed extends Error {}
declare class LoginRefused extends Error {}
export const used = { started, person }
`
const packages = await generatorPackages()
const running = await startServiceWithSite(t)

t.test('npm run sdk: a whole login, with errors typed by the operation', async (t) => {
  // Node strips no types below a node_modules, where the work folders of other clients are.
  const folder = await emptyFolder(t)
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await runTool('bash', ['-euc', block('npm run sdk').replace('../my-site', folder)], { cwd: root })
  await mkdir(join(folder, 'node_modules/@types'), { recursive: true })
  await symlink(join(packages, '@types/node'), join(folder, 'node_modules/@types/node'))
  await symlink(join(packages, 'undici-types'), join(folder, 'node_modules/undici-types'))
  await cp(besideClients('programs/typescript/site.ts'), join(folder, 'site.ts'))
  await cp(besideClients('programs/sdk/main.ts'), join(folder, 'main.ts'))
  await writeFile(join(folder, 'guide.ts'), `${block('import { finishLogin')}${declared}`)
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
