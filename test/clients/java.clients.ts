import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  expectedValues,
  runLoginProgram,
  saveDocument,
  startServiceWithSite,
} from '../support/generated-client.ts'
import {
  besideClients,
  copyLibraries,
  generateClient,
  maven,
  skipWithout,
  tolerantOptions,
  workFolder,
} from '../support/tools.ts'

const running = await startServiceWithSite(t)

for (const document of ['/openapi.json', '/openapi-3.0.json', 'an older document'] as const)
  t.test(
    `openapi-generator, ${document}: a whole login in Java`,
    { skip: skipWithout('java', 'maven') },
    async (t) => {
      const folder = await workFolder(t, 'java')
      const input = await saveDocument(running.service, folder, document)
      const output = [
        '-o',
        folder,
        `--additional-properties=useSingleRequestParameter=true,${tolerantOptions.members},${tolerantOptions.values}`,
      ]
      await generateClient('current', ['-g', 'java', '-i', input, ...output])
      await cp(besideClients('programs/java/Login.java'), join(folder, 'src/main/java/Login.java'))
      await maven(['compile', ...copyLibraries, '-DincludeScope=runtime'], { cwd: folder, minutes: 10 })
      const told = await runLoginProgram(running, 'java', ['-cp', 'target/classes:libraries/*', 'Login'], {
        cwd: folder,
      })
      const refused = document === 'an older document' && { refused: 'unknown_default_open_api' }
      t.match(told, { ...expectedValues(running.site), ...refused })
    },
  )
