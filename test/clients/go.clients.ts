import { cp, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import t from 'tap'
import {
  expectedValues,
  runLoginProgram,
  saveDocument,
  startServiceWithSite,
} from '../support/generated-client.ts'
import {
  besideClients,
  generateClient,
  go,
  skipWithout,
  tolerantOptions,
  workFolder,
} from '../support/tools.ts'

const running = await startServiceWithSite(t)

for (const document of ['/openapi.json', '/openapi-3.0.json', 'an older document'] as const)
  t.test(
    `openapi-generator, ${document}: a whole login in Go`,
    { skip: skipWithout('go', 'java', 'maven') },
    async (t) => {
      const folder = await goModule(t, 'go')
      const input = await saveDocument(running.service, folder, document)
      const properties = `--additional-properties=packageName=authmovies,withGoMod=false,${tolerantOptions.members}`
      const output = ['-o', join(folder, 'authmovies'), properties]
      await generateClient('current', ['-g', 'go', '-i', input, ...output])
      t.match(await buildAndRun(folder), expectedValues(running.site))
    },
  )

for (const document of ['/openapi.json', '/openapi-3.0.json'] as const)
  t.test(`oapi-codegen, ${document}: a whole login in Go`, { skip: skipWithout('go') }, async (t) => {
    const folder = await goModule(t, 'oapi-codegen')
    const input = await saveDocument(running.service, folder, document)
    const output = ['-package', 'authmovies', '-o', 'authmovies/client.gen.go']
    await mkdir(join(folder, 'authmovies'))
    await go(['tool', 'oapi-codegen', '-generate', 'types,client', ...output, input], { cwd: folder })
    t.match(await buildAndRun(folder), expectedValues(running.site))
  })

/** @returns a work folder with the program of this name and its go.mod */
async function goModule(test: Pick<Test, 'teardown'>, name: string): Promise<string> {
  const folder = await workFolder(test, name)
  await cp(besideClients(`programs/${name}`), folder, { recursive: true })
  return folder
}

async function buildAndRun(folder: string) {
  await go(['vet', '.', './authmovies'], { cwd: folder })
  await go(['build', '-o', 'login', '.'], { cwd: folder })
  return await runLoginProgram(running, join(folder, 'login'), [], { cwd: folder })
}
