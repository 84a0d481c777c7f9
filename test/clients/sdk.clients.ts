import { cp, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { expectedValues, runLoginProgram, startServiceWithSite } from '../support/generated-client.ts'
import { emptyFolder } from '../support/npm-start.ts'
import { besideClients, generatorPackages, runTool } from '../support/tools.ts'

// The client that `npm run sdk` makes: a site's program that uses it is type-checked under `strict`, and run by Node as it
// is against the service.

const root = fileURLToPath(new URL('../..', import.meta.url))
await runTool('npm', ['run', '--silent', 'sdk'], { cwd: root })
const packages = await generatorPackages()
const running = await startServiceWithSite(t)

t.test('npm run sdk: a whole login, with errors typed by the operation', async (t) => {
  // Node strips no types below a node_modules, where the work folders of other clients are.
  const folder = await emptyFolder(t)
  await mkdir(join(folder, 'node_modules/@types'), { recursive: true })
  await symlink(join(root, 'sdk'), join(folder, 'node_modules/auth-movies-client'))
  await symlink(join(packages, '@types/node'), join(folder, 'node_modules/@types/node'))
  await symlink(join(packages, 'undici-types'), join(folder, 'node_modules/undici-types'))
  await cp(besideClients('programs/typescript/site.ts'), join(folder, 'site.ts'))
  await cp(besideClients('programs/sdk/main.ts'), join(folder, 'main.ts'))
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
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
    then: 'offer a new login',
    unreachable: 'true',
  })
  t.ok(Number(told.providers) > 2)
})
