import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { checkOutcomes } from '../../src/admin/check-provider.ts'
import { deletionReasons } from '../../src/users/personal-data.ts'
import { get, logIn, text } from '../support/login-flow.ts'
import { startTestManagement } from '../support/management.ts'
import { emptyFolder } from '../support/npm-start.ts'
import { readGuide } from './guide.ts'

// Every request of the page runs unchanged and in order, with one site and one person.

const execute = promisify(execFile)
const guide = await readGuide('en', 'admin-api')
const { url, token, service, admin } = await startTestManagement(t)
const folder = await emptyFolder(t)
await writeFile(
  join(folder, 'sites.json'),
  JSON.stringify({ sites: [{ name: 'By file', redirect_urls: ['https://file.example/'] }] }),
)
const email = 'reader@mail.example'
const variables: Record<string, string> = {
  ADMIN: url,
  TOKEN: token,
  EMAIL: email,
  SITE_ID: service.site.id,
}

/** Runs a block as a reader would; `NAME` in the command line is a name. */
async function run(name: string): Promise<string> {
  const { stdout } = await execute('bash', ['-euo', 'pipefail', '-c', guide.requests.get(name) ?? 'false'], {
    env: { PATH: process.env.PATH, ...variables },
    cwd: name === 'make-token' ? fileURLToPath(new URL('../../', import.meta.url)) : folder,
  })
  return stdout
}

async function newPerson() {
  const { accessToken } = await logIn(service, 'yandex', { person: { email } })
  const me = await get(service, '/api/v1/me/', { authorization: `Bearer ${accessToken}` })
  Object.assign(variables, { USER_ID: text(me, 'id'), SESSION_ID: text(me, 'session_id') })
}

/** What each block must answer with; before it, what the reader did meanwhile. */
const outcomes: Readonly<Record<string, { before?: () => Promise<unknown>; answer: object | '' }>> = {
  'make-token': { answer: { name: 'NAME', token: String, admin_tokens_entry: /^NAME:/ } },
  'add-site': {
    answer: { name: 'Theatre', secret: String, redirect_urls: ['https://theatre.example/return'] },
  },
  'list-sites': { answer: { sites: [{ name: 'Theatre' }, { id: service.site.id }] } },
  'get-site': { answer: { id: service.site.id } },
  'change-site': { answer: { providers: ['yandex', 'mail'], disabled: false } },
  'add-redirect-url': { answer: { redirect_urls: [String, 'https://theatre.example/other'] } },
  'remove-redirect-url': { answer: { redirect_urls: [String] } },
  'allow-provider': { answer: { providers: ['yandex', 'mail', 'google'] } },
  'forbid-provider': { answer: { providers: ['yandex', 'mail'] } },
  'rotate-secret': { answer: { id: service.site.id, secret: String } },
  'apply-sites': { answer: { dry_run: true, created: [{ name: 'By file' }], updated: [], unchanged: [] } },
  'check-redirect-url': {
    answer: { accepted: false, difference: 'trailing-slash', site: { name: 'Theatre' } },
  },
  'check-provider': { answer: { ok: true, outcome: 'ok' } },
  'find-users': { before: newPerson, answer: { users: [{ email }], next: null } },
  'disable-user': { answer: { disabled_at: String } },
  'export-user': { answer: { user: { email }, sessions: [{ site_id: service.site.id }] } },
  'list-sessions': { answer: { sessions: [{ provider: 'yandex' }], next: null } },
  'end-session': { answer: '' },
  'delete-user': { answer: { reason: 'person-request', reference: 'PD-2026/118', sessions: 1 } },
  'list-deletions': { answer: { deletions: [{ reason: 'person-request' }] } },
  'end-sessions-of-user': { before: newPerson, answer: { ended: 1 } },
  'end-sessions-of-site': { before: newPerson, answer: { ended: 1 } },
  'list-logins': { answer: { logins: [] } },
  'remove-site': { answer: '' },
}

t.test('every request of the page returns what the page says', async (t) => {
  t.strictSame([...guide.requests.keys()].toSorted(), Object.keys(outcomes).toSorted())
  for (const [name, { before, answer }] of Object.entries(outcomes)) {
    await before?.()
    const said = await run(name)
    if (answer === '') t.equal(said, '', name)
    else t.match(JSON.parse(said), answer, `${name}: ${said}`)
  }
  t.equal((await admin('GET', `sites/${service.site.id}/`)).status, 404)
})

t.test('the tables list every reason, outcome and action', async (t) => {
  const rows = Array.from(guide.text.matchAll(/^\| (`[^|]+) \|/gm), ([, cell = '']) => cell)
  const words = rows.flatMap((cell) => Array.from(cell.matchAll(/`([^`]+)`/g), ([, word = '']) => word))
  for (const word of [...deletionReasons, ...checkOutcomes]) t.ok(words.includes(word), word)
})
