import { cp } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Test } from 'tap'
import t from 'tap'
import type { Program } from '../examples/run-example.ts'
import { registerSite } from '../support/service.ts'
import type { Language } from '../support/tools.ts'
import { copyLibraries, go, maven, python, skipWithout, workFolder } from '../support/tools.ts'
import {
  checkCommand,
  idsOf,
  nodeSite,
  pythonSite,
  reportOf,
  reportOfProgram,
  startCheckingService,
  statusOf,
} from './checked-site.ts'
import { spoil } from './spoil.ts'

// Every site of examples/ that this machine can run is all right.

const checking = await startCheckingService(t)

/** @param may points that may be advice or skipped */
function allRight(
  name: string,
  needed: readonly Language[],
  prepare: (test: Test) => Program | Promise<Program>,
  may: readonly string[] = [],
): void {
  t.test(name, { skip: skipWithout(...needed), timeout: 240_000 }, async (t) => {
    const { ran, report } = await reportOfProgram(t, checking, await prepare(t))
    const odd = (['failed', 'advice', 'skipped'] as const).flatMap((status) => idsOf(report, status))
    t.strictSame(odd.toSorted(), may.toSorted(), ran.stdout)
    t.equal(ran.code, 0, ran.stderr)
    t.equal(ran.stderr, '')
    t.ok(report.counts.passed > 20)
  })
}

allRight('the site in Node.js', [], () => nodeSite)

allRight('a site that tells who is logged in on another page', [], async (t) =>
  spoil(t, nodeSite, [
    [
      "'GET /': async (request, response) => {",
      "'GET /account': (request, response) => routes['GET /'](request, response, true),\n  'GET /': async (request, response, member) => {",
    ],
    ['const who = session', 'const who = member === true && session'],
    ["redirect(response, '/') // to an address", "redirect(response, '/account') // to an address"],
  ]),
)

allRight('the site in Python', ['python'], () => pythonSite)

allRight('the site in PHP', ['php'], (t) => php(t, 'site.php'))

allRight('the site in Go', ['go'], (t) => built(t, 'examples/go', 'main.go'))

allRight('the site in Java', ['java'], () => ({
  command: 'java',
  args: [resolve('examples/java/Site.java')],
}))

// Libraries of OpenID Connect keep one login at a time and end it by an error.
const standard = ['agrees-after-refusal']

allRight(
  'the site in Node.js by the standard door',
  [],
  () => ({ command: process.execPath, args: [resolve('examples/node/standard-door.mjs')] }),
  standard,
)

allRight('the site in Python by the standard door', ['python'], async () => ({
  command: await python(resolve('examples/python/requirements.txt')),
  args: ['-B', resolve('examples/python/standard_door.py')],
}))

allRight('the site in PHP by the standard door', ['php'], (t) => php(t, 'standard_door.php'), standard)

allRight(
  'the site in Go by the standard door',
  ['go'],
  (t) => built(t, 'examples/go/standard-door', '.'),
  standard,
)

allRight(
  'the site in Java by the standard door',
  ['java', 'maven'],
  async (t) => {
    const cwd = await workFolder(t, 'spring-site')
    await cp('examples/java/standard-door', cwd, { recursive: true })
    await maven(['compile', ...copyLibraries, '-DincludeScope=runtime'], { cwd, minutes: 15 })
    return { command: 'java', args: ['-cp', 'target/classes:libraries/*', 'site.Site'], cwd }
  },
  standard,
)

async function php(t: Test, file: string): Promise<Program> {
  const sessions = `session.save_path=${await workFolder(t, 'php')}`
  return {
    command: 'php',
    args: ['-d', sessions, '-S', 'HOST', resolve('examples/php', file)],
    env: { PHP_CLI_SERVER_WORKERS: '8' },
  }
}

async function built(t: Test, folder: string, target: string): Promise<Program> {
  const command = join(await workFolder(t, 'go-site'), 'site')
  await go(['build', '-o', command, target], { cwd: resolve(folder) })
  return { command, args: [] }
}

t.test('a site that the sandbox itself serves, its demo site, can be checked, too', async (t) => {
  const { sandbox, service } = checking
  const site = await registerSite(service.database, sandbox.demoRedirectUrl)
  sandbox.openDemo({ serviceUrl: service.url, siteId: site.id, redirectUrl: sandbox.demoRedirectUrl })
  const report = reportOf(await checkCommand(checking, [site.id, '--url', sandbox.demoUrl, '--json']))
  for (const id of ['login-works', 'state-compared', 'provider-down', 'name-is-escaped', 'logs-out'])
    t.equal(statusOf(report, id), 'passed', id)
})
