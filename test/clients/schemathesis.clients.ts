import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import t from 'tap'
import { logIn } from '../support/login-flow.ts'
import { startTestManagement } from '../support/management.ts'
import { besideClients, python, runTool, skipWithout, workFolder } from '../support/tools.ts'

// schemathesis sends hundreds of requests that an OpenAPI document allows or forbids, and compares each answer
// with the document: status, content type, headers, schema, methods, authentication.
const { service, url: managementUrl, token } = await startTestManagement(t, { env: { RATE_LIMIT: 'off' } })

const documents = [
  { name: 'OpenAPI 3.1', origin: service.url, path: '/openapi.json' },
  { name: 'OpenAPI 3.0', origin: service.url, path: '/openapi-3.0.json' },
  { name: 'the admin API', origin: managementUrl, path: '/openapi.json' },
]

for (const [index, { name, origin, path }] of documents.entries())
  t.test(
    `schemathesis finds nothing that ${name} does not say`,
    { skip: skipWithout('python') },
    async (t) => {
      const person = await logIn(service, 'yandex', { person: { id: `10${index}` } })
      const other = await logIn(service, 'yandex', { person: { id: `20${index}` } })
      const output = await look(t, origin, path, settings(person.accessToken, other.accessToken))
      const [, selected, all] = /Selected: (\d+)\/(\d+)/.exec(output) ?? []
      const [, generated, passed] = /(\d+) generated, (\d+) passed/.exec(output) ?? []
      t.equal(selected, all, output)
      t.equal(passed, generated, output)
      t.ok(Number(passed) > 500, `${passed} requests`)
    },
  )

/** The configuration of schemathesis. The second person's token is for what ends all sessions of a person. */
function settings(accessToken: string, otherAccessToken: string): string {
  return `
[auth.openapi.site]
username = "${service.site.id}"
password = "${service.site.secret}"

[auth.openapi.accessToken]
bearer = "${accessToken}"

[auth.openapi.adminToken]
bearer = "${token}"

[[operations]]
include-operation-id = "endAllSessions"
headers = { Authorization = "Bearer ${otherAccessToken}" }

# A request that fits the schema may well be refused: logins and tokens that are made up do not exist.
[checks.positive_data_acceptance]
enabled = false

# What is too large is refused by its size, before anybody looks at it.
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "413", "415", "429", "431"]
`
}

/** @returns the output of schemathesis @throws an error with all of its output if it finds a fault */
async function look(
  test: Pick<Test, 'teardown'>,
  origin: string,
  path: string,
  configuration: string,
): Promise<string> {
  const folder = await workFolder(test, 'schemathesis')
  await writeFile(join(folder, 'schemathesis.toml'), configuration)
  const program = join(await python(besideClients('programs/schemathesis/requirements.txt')), '../st')
  const bounds = ['--seed', '1', '--max-examples', '25', '--max-redirects', '0']
  // It redraws its output like on a terminal where these say so.
  const env = { FORCE_COLOR: '', TTY_COMPATIBLE: '0', NO_COLOR: '1' }
  return await runTool(program, ['run', origin + path, '--url', origin, ...bounds], {
    cwd: folder,
    env,
    minutes: 8,
  })
}
