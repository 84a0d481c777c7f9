import { cp, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  expectedValues,
  runLoginProgram,
  saveDocument,
  startServiceWithSite,
} from '../support/generated-client.ts'
import { besideClients, generatorPackages, runTool, workFolder } from '../support/tools.ts'

// Clients that generators make for TypeScript, from the document as it is: type-checked under `strict` together
// with a program that uses them, bundled and run.
const packages = await generatorPackages()

/** How each generator is run in a folder that holds openapi.json; its output goes to `client`. */
const generators: Readonly<Record<string, readonly string[]>> = {
  'openapi-fetch': ['openapi-typescript', 'openapi.json', '-o', 'client/schema.ts'],
  'hey-api': ['openapi-ts', '-i', 'openapi.json', '-o', 'client'],
  orval: ['orval', '--config', 'orval.config.mjs'],
  oazapfts: ['oazapfts', 'openapi.json', 'client/client.ts'],
  'swagger-typescript-api': [
    'swagger-typescript-api',
    'generate',
    '-p',
    'openapi.json',
    '-o',
    'client',
    '-n',
    'client.ts',
  ],
}

const orvalConfig = `export default {
  site: {
    input: 'openapi.json',
    output: { target: 'client/client.ts', client: 'fetch', baseUrl: { runtime: 'process.env.AUTH_URL' } },
  },
}
`

const running = await startServiceWithSite(t)

for (const [name, [program = '', ...args]] of Object.entries(generators))
  t.test(`${name}: a whole login through the generated client`, async (t) => {
    const folder = await workFolder(t, name)
    await symlink(packages, join(folder, 'node_modules'))
    await cp(besideClients('programs/typescript/site.ts'), join(folder, 'site.ts'))
    await cp(besideClients('programs/typescript/tsconfig.json'), join(folder, 'tsconfig.json'))
    await cp(besideClients(`programs/typescript/${name}.ts`), join(folder, 'main.ts'))
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    await writeFile(join(folder, 'orval.config.mjs'), orvalConfig)
    await mkdir(join(folder, 'client'))
    await saveDocument(running.service, folder)
    const run = (tool: string, ...more: string[]) =>
      runTool(join(packages, '.bin', tool), more, { cwd: folder })
    await run(program, ...args)
    await run('tsc', '--project', '.')
    await run('esbuild', 'main.ts', '--bundle', '--platform=node', '--format=esm', '--outfile=main.mjs')
    t.match(
      await runLoginProgram(running, process.execPath, ['main.mjs'], { cwd: folder }),
      expectedValues(running.site),
    )
  })
