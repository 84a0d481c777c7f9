import t from 'tap'
import {
  expectedValues,
  runLoginProgram,
  saveDocument,
  startServiceWithSite,
} from '../support/generated-client.ts'
import { besideClients, generateClient, python, skipWithout, workFolder } from '../support/tools.ts'

const running = await startServiceWithSite(t)

const releases = [
  { name: 'python', release: 'current', document: '/openapi.json' },
  { name: 'python', release: 'current', document: '/openapi-3.0.json' },
  // A release of 2020 that `npm i @openapitools/openapi-generator-cli@1` still installs; it does not support OpenAPI 3.1.
  { name: 'python-4', release: '4.3.1', document: '/openapi-3.0.json' },
] as const

for (const { name, release, document } of releases)
  t.test(
    `openapi-generator (${release}), ${document}: a whole login in Python`,
    { skip: skipWithout('python', 'java', 'maven') },
    async (t) => {
      const folder = await workFolder(t, name)
      const input = await saveDocument(running.service, folder, document)
      const flags = ['-i', input, '-o', folder, '--package-name', 'authmovies']
      await generateClient(release, ['-g', 'python', ...flags])
      const program = besideClients(`programs/${name}/main.py`)
      const interpreter = await python(besideClients('programs/python/requirements.txt'))
      const told = await runLoginProgram(running, interpreter, [program], {
        cwd: folder,
        env: { PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1', PYTHONUTF8: '1' },
      })
      t.match(told, expectedValues(running.site))
    },
  )
