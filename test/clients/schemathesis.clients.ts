import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import t from 'tap'
import { logInAt } from '../sessions/http/session-requests.ts'
import { startTestManagement } from '../support/management.ts'
import { python, runTool, without, workFolder } from '../support/tools.ts'

// schemathesis sends thousands of requests that an OpenAPI document allows or forbids, and compares each answer
// with the document: status, content type, headers, schema.
const { service, url: managementUrl, token } = await startTestManagement(t, { env: { RATE_LIMIT: 'off' } })
const { accessToken } = await logInAt(service)

const credentials = [
  '[auth.openapi.site]',
  `username = "${service.site.id}"`,
  `password = "${service.site.secret}"`,
  '[auth.openapi.accessToken]',
  `bearer = "${accessToken}"`,
  '[auth.openapi.adminToken]',
  `bearer = "${token}"`,
].join('\n')

const documents = [
  { name: 'OpenAPI 3.1', origin: service.url, path: '/openapi.json' },
  { name: 'OpenAPI 3.0', origin: service.url, path: '/openapi-3.0.json' },
  { name: 'the admin API', origin: managementUrl, path: '/openapi.json' },
]

for (const { name, origin, path } of documents)
  t.test(`schemathesis finds nothing that ${name} does not say`, { skip: without('python') }, async (t) => {
    t.match(await look(t, `${origin}${path}`, origin), /No issues found/)
  })

/** @returns what schemathesis prints @throws with all of it where it finds anything */
async function look(test: Pick<Test, 'teardown'>, document: string, origin: string): Promise<string> {
  const folder = await workFolder(test, 'schemathesis')
  await writeFile(join(folder, 'schemathesis.toml'), credentials)
  const program = join(await python('programs/schemathesis/requirements.txt'), '../st')
  const bounds = ['--seed', '1', '--max-examples', '25', '--max-redirects', '0', '--no-color', '--exclude-checks', 'positive_data_acceptance', '--report-ndjson-path', '/tmp/cl/st-' + document.replace(/.*\//, '') + '.ndjson']
  const args = ['run', document, '--url', origin, ...bounds]
  return await runTool(program, args, { cwd: folder, minutes: 8, env: { FORCE_COLOR: '', TTY_COMPATIBLE: '0' } })
}
