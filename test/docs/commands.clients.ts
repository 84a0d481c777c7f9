import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import t from 'tap'
import { emptyFolder, freePorts } from '../support/npm-start.ts'
import { eventually, freePort } from '../support/process.ts'
import { inACopy } from './blocks.ts'
import { codeBlocks, readText, root } from './markdown.ts'

// The commands of README, of the tutorial and of some guides, run as they stand there in a copy of the repository, where
// `npm start` runs. Only ports are others, as those of the pages may be taken.

const execute = promisify(execFile)
const withoutCopy = new Set(['.git', '.data', '.tap', '.env', 'deploy'])

/** A folder with everything of the repository: links, except what the commands change. */
async function copyRepository(test: Test): Promise<string> {
  const folder = await emptyFolder(test)
  for (const name of await readdir(root))
    if (!withoutCopy.has(name)) await symlink(join(root, name), join(folder, name))
  await cp(join(root, 'deploy'), join(folder, 'deploy'), { recursive: true })
  return folder
}

const copy = await copyRepository(t)
const ports = { ...(await freePorts()), SITE_PORT: String(await freePort()) }
const environment: Record<string, string> = {
  PATH: process.env.PATH ?? '',
  HOME: copy,
  PORT: ports.PORT,
  MANAGEMENT_PORT: ports.MANAGEMENT_PORT,
  SANDBOX_PORT: ports.SANDBOX_PORT,
  npm_config_update_notifier: 'false',
}
await writeFile(
  join(copy, '.env'),
  `NODE_ENV=development\nPORT=${ports.PORT}\nMANAGEMENT_PORT=${ports.MANAGEMENT_PORT}\n`,
)

/** The block of a page that begins so, with the ports of this test. @throws where blocks.ts does not list it */
async function block(page: string, begin: string): Promise<string> {
  const listed = inACopy.pages[page]
  const matching = listed === 'every block' ? [] : listed?.filter((one) => one.startsWith(begin))
  if (matching?.length !== 1) throw new Error(`blocks.ts has not one entry for ${page}: ${begin}.`)
  ran.add(`${page}: ${matching[0]}`)
  const found = codeBlocks(await readText(page)).find(({ text }) => text.startsWith(begin))
  return (found?.text ?? 'false')
    .replaceAll('127.0.0.1:3000', `127.0.0.1:${ports.PORT}`)
    .replaceAll('127.0.0.1:9464', `127.0.0.1:${ports.MANAGEMENT_PORT}`)
    .replaceAll('127.0.0.1:8010', `127.0.0.1:${ports.SITE_PORT}`)
}
const ran = new Set<string>()

/** Runs commands in the copy. @returns what they printed */
async function shell(commands: string, variables: Readonly<Record<string, string>> = {}): Promise<string> {
  const { stdout } = await execute('bash', ['--norc', '-euo', 'pipefail', '-c', commands], {
    cwd: copy,
    env: { ...environment, ...variables },
  })
  return stdout
}

async function startService(): Promise<void> {
  await block('docs/en/first-login.md', 'npm start')
  const child = spawn('bash', ['-c', await block('README.md', 'npm start')], {
    cwd: copy,
    env: environment,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close')
  // The group: npm, its shell and the service.
  t.teardown(async () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGINT')
    await closed
    await rm(join(copy, '.data'), { recursive: true, force: true })
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
  await eventually(() => {
    if (!output.includes('Auth-movies is running')) throw new Error(output)
  }, 90_000)
}
await startService()

/** What the tutorial has its reader do about a block, beside running it. */
const byHand: Readonly<Record<string, (command: string) => string>> = {
  register: (command) =>
    `{ ${command} } 2> notes.log\ngrep -c '^export AUTH=' notes.log\neval "$(grep '^export AUTH=' notes.log)"`,
  site: (command) =>
    `${command.trim()} & SITE_PROCESS=$!\ntrap 'kill $SITE_PROCESS' EXIT\ncurl -sS --retry 20 --retry-delay 1 --retry-connrefused $SITE_URL`,
}

t.test('the tutorial, in one shell from the site to the logout', async (t) => {
  const page = 'docs/en/first-login.md'
  const names = codeBlocks(await readText(page)).flatMap(({ info, text }) => {
    const [, name = ''] = /^sh (.+)$/.exec(info) ?? []
    return ['', 'clone', 'serve'].includes(name) ? [] : [{ name, begin: text.split('\n', 1)[0] ?? '' }]
  })
  const commands = await Promise.all(
    names.map(async ({ name, begin }) => {
      const command = await block(page, begin)
      return `printf '\\n=== %s\\n' ${name}\n${(byHand[name] ?? String)(command)}`
    }),
  )
  const output = await shell(commands.join('\n'), { SITE_URL: `http://127.0.0.1:${ports.SITE_PORT}/` })
  const said = Object.fromEntries(
    output
      .split(/^=== /m)
      .slice(1)
      .map((part) => /^(\w+)\n(.*)$/s.exec(part.trim())?.slice(1) ?? [part.trim(), '']),
  )
  const answer = (name: string): unknown => JSON.parse(said[name] ?? '')
  t.match(said.register, /\{[^]*"id": "site_[^]*"name": "My first site"[^]*\}\s+1$/, 'and one line to paste')
  t.match(answer('start'), { state: String, authorize_url: /^http/ })
  t.match(said.browser, /^http:\/\/127\.0\.0\.1:\d+\/return\?provider=yandex&state=[\w-]{43}&code=/)
  t.match(said.compare, /^[\w-]{43}$/)
  const pair = { access_token: /^ey/, refresh_token: /^ey/, token_type: 'Bearer', expires_in: 900 }
  t.match(answer('finish'), pair)
  t.match(answer('me'), { id: String, name: /Анна/, provider: 'yandex' })
  t.match(answer('mistake'), { type: 'urn:auth-movies:problem:unknown-login', user_message: String })
  t.match(answer('refresh'), pair)
  t.equal(said.logout, '')
  t.match(said.site, /<button[^>]*value="?yandex/, 'the site shows its buttons')
})

t.test(
  'the tutorial a second time: the site is there, and may be removed or get a further secret',
  async (t) => {
    const register = await block('docs/en/first-login.md', 'npm run site -- add')
    const { code, stderr }: { code?: unknown; stderr?: string } = await shell(register).catch(
      (error) => error,
    )
    t.equal(code, 1)
    const [, id = ''] = /The name "My first site" is taken by site (\S+)\.\n/.exec(stderr ?? '') ?? []
    t.match(JSON.parse(await shell(`npm run --silent site -- rotate-secret ${id}`)), { id, secret: String })
    t.match(JSON.parse(await shell(`npm run --silent site -- remove ${id}`)), { id, removed: true })
    t.match(await shell(register), /"name": "My first site"/)
  },
)

t.test('README: a site beside the running service, and the two requests', async (t) => {
  const output = await shell(await block('README.md', 'npm run site'))
  t.match(output, /"name": ?"Shop"/)
  t.match(output, /"kid"/)
  const secret = await shell(
    'npm run --silent site -- add --name Reader --redirect-url http://127.0.0.1:8081/r',
  )
  t.match(JSON.parse(secret), { id: String })
  const variables = {
    AUTH: `http://127.0.0.1:${ports.PORT}`,
    REDIRECT_URL: 'http://127.0.0.1:8081/r',
  }
  const start = await shell(
    await block('README.md', 'curl -sS "$AUTH/api/v1/oauth/authorize-url/"'),
    variables,
  )
  const { authorize_url: authorizeUrl }: { authorize_url: string } = JSON.parse(start)
  const consent = await fetch(`${authorizeUrl}&sandbox_person=anna`, { redirect: 'manual' })
  const callback = await fetch(consent.headers.get('location') ?? '', { redirect: 'manual' })
  const returned = new URL(callback.headers.get('location') ?? '').searchParams
  const finish = await shell(await block('README.md', 'curl -sS "$AUTH/api/v1/oauth/authorize/"'), {
    ...variables,
    STATE: returned.get('state') ?? '',
    CODE: returned.get('code') ?? '',
  })
  t.match(JSON.parse(finish), { access_token: /^ey/, refresh_token: /^ey/ })
})

t.test('examples: register a site, and what its environment needs', async (t) => {
  const page = 'docs/en/examples.md'
  const { stdout, stderr } = await execute('bash', ['--norc', '-c', await block(page, 'npm run site')], {
    cwd: copy,
    env: environment,
  })
  t.match(stdout, /"secret"/)
  const printed = /^.*(export AUTH=.*)$/m.exec(stderr)?.[1] ?? ''
  const exported = await shell(`${printed}\nenv`)
  for (const name of ['AUTH', 'REDIRECT_URL', 'SITE_ID', 'SITE_SECRET'])
    t.match(exported, new RegExp(`^${name}=`, 'm'))
})

t.test('site check: the site of the examples is all right', async (t) => {
  const origin = `http://127.0.0.1:${await freePort()}`
  const added = await shell(`npm run --silent site -- add --name Checked --redirect-url ${origin}/return`)
  const { id, secret }: { id: string; secret: string } = JSON.parse(added)
  const check = (await block('docs/en/site-check.md', 'SITE_SECRET='))
    .replace('SECRET-FROM-THE-ANSWER', secret)
    .replace('ID-FROM-THE-ANSWER', id)
    .replace('http://127.0.0.1:8000', origin)
  const run = await block('docs/en/site-check.md', 'node examples/node/site.mjs')
  const site = `${run.trim()} & SITE_PROCESS=$!
trap 'kill $SITE_PROCESS' EXIT
curl -sS -o /dev/null --retry 20 --retry-delay 1 --retry-connrefused ${origin}/`
  const output = await shell(`${site}\n${check}`, {
    AUTH: `http://127.0.0.1:${ports.PORT}`,
    SITE_ID: id,
    SITE_SECRET: secret,
    REDIRECT_URL: `${origin}/return`,
  })
  t.match(output, /\d{2} right, 0 to mend, 1 could be better, 0 not checked/)
})

t.test('operators: health, keys, secrets and tokens', async (t) => {
  for (const page of ['docs/en/operators.md', 'docs/en/runbooks.md'])
    t.match(JSON.parse(await shell(await block(page, 'curl -sS http://127.0.0.1:9464'))), { version: String })
  const rotated = await shell(
    await block('docs/en/operators.md', 'node --env-file=.env src/cli.ts keys rotate'),
  )
  for (const kind of ['access', 'refresh', 'id']) t.match(rotated, new RegExp(`"kind": ?"${kind}"`))
  const added = await shell(
    'npm run --silent site -- add --name Rotated --redirect-url http://127.0.0.1:8082/r',
  )
  const { id }: { id: string } = JSON.parse(added)
  const rotate = await block('docs/en/secrets.md', 'node --env-file=.env src/cli.ts site rotate-secret')
  t.match(JSON.parse(await shell(rotate.replace(' ID\n', ` ${id}\n`))), { id, secret: String })
  t.match(
    await shell(await block('docs/en/secrets.md', 'node --env-file=.env src/cli.ts admin-token')),
    /NAME:/,
  )
})

t.test('standard clients: discovery', async (t) => {
  const auth = `http://127.0.0.1:${ports.PORT}`
  const found = await shell(await block('docs/en/openid-connect.md', 'curl'), { AUTH: auth })
  t.match(JSON.parse(found), { issuer: auth, token_endpoint: `${auth}/api/v1/oauth/token/` })
})

t.test('files to copy for a deployment', async (t) => {
  await shell(await block('docs/en/kubernetes.md', 'cp -r'))
  t.match(await shell('ls deploy/kubernetes/overlays/mine'), /kustomization\.yaml/)
  const keys = (await shell(await block('docs/en/one-machine.md', 'cd deploy'))).trim().split('\n')
  t.match(keys, [/^[0-9a-f]{48}$/, /^[\w+/]{43}=$/])
  t.equal((await shell('stat -c %a deploy/.env')).trim(), '600')
})

t.test('every block that blocks.ts lists was run', (t) => {
  const listed = Object.entries(inACopy.pages).flatMap(([page, begins]) =>
    begins === 'every block' ? [] : begins.map((begin) => `${page}: ${begin}`),
  )
  t.strictSame([...ran].toSorted(), listed.toSorted())
  t.end()
})
