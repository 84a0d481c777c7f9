import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import t from 'tap'
import type { Report } from '../../src/site-check/report.ts'
import { cases } from '../../src/site-check/run.ts'
import { runHere } from '../cli/run-cli.ts'
import { codeBlocks, readText, tableRows } from '../docs/markdown.ts'
import { freePort } from '../support/process.ts'
import { registerSite } from '../support/service.ts'
import {
  checkCommand,
  checkProgram,
  idsOf,
  nodeSite,
  reportOf,
  reportOfProgram,
  startCheckingService,
  statusOf,
} from './checked-site.ts'
import { spoil, withoutComparison } from './spoil.ts'

const checking = await startCheckingService(t)
const { service } = checking

/** Serves a site in this process. @returns its origin, and the id of a site that is registered for its `/return` */
async function serve(t: Test, listener: RequestListener) {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  const { id, secret } = await registerSite(service.database, `${origin}/return`)
  return { origin, id, secret }
}

const html = (response: ServerResponse, status: number, body: string, headers = {}) =>
  response.writeHead(status, { 'content-type': 'text/html', ...headers }).end(body)
const isOwn = ({ headers }: IncomingMessage) => headers['sec-fetch-site'] === 'same-origin'
const provider = 'https://provider.invalid/authorize?state=made-by-the-service'
const buttons =
  '<form method="post" action="/login"><button name="provider" value="yandex">Yandex</button></form>'

/** A site that begins logins as it should, and answers returns as `onReturn` says. */
function siteWith(
  onReturn: (request: IncomingMessage, response: ServerResponse) => unknown,
): RequestListener {
  return (request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://site.invalid')
    if (pathname === '/return') return onReturn(request, response)
    if (request.method === 'POST' && pathname === '/login' && isOwn(request))
      return response
        .writeHead(303, { location: provider, 'set-cookie': `id=${'x'.repeat(32)}; HttpOnly; SameSite=Lax` })
        .end()
    return html(response, pathname === '/' ? 200 : 404, buttons)
  }
}

t.test('a site of examples/ is all right, and the report is JSON of its schema', async (t) => {
  const { report, ran } = await reportOfProgram(t, checking, nodeSite)
  t.strictSame(report.counts, { passed: report.cases.length, failed: 0, advice: 0, skipped: 0 }, ran.stdout)
  t.equal(ran.code, 0)
  t.equal(new Set(report.cases.map(({ id }) => id)).size, report.cases.length)
})

t.test(
  'without a sandbox and the secret of the site, the rest is skipped with the reason, never passed',
  async (t) => {
    const { id, origin } = await serve(
      t,
      siteWith((_request, response) => html(response, 400, '<p>Please log in.')),
    )
    const ran = await checkCommand(checking, ['--json', id, '--url', `${origin}/`], {}, false)
    const report = reportOf(ran)
    t.equal(ran.code, 0)
    t.equal(report.sandbox, null)
    t.strictSame(idsOf(report, 'failed'), [])
    t.strictSame(idsOf(report, 'advice'), ['secret-is-obligatory'])
    const skipped = report.cases.filter(({ status }) => status === 'skipped')
    t.ok(skipped.length >= 14, ran.stdout)
    for (const { id: skippedId, reason } of skipped) t.match(reason, /sandbox|SITE_SECRET|--log/, skippedId)
    t.match(report.cases.find(({ id: one }) => one === 'not-in-logs')?.reason, report.marker)
  },
)

t.test('without a sandbox the history of the service tells whether state is compared', async (t) => {
  for (const [changes, status] of [
    [[], 'passed'],
    [withoutComparison, 'failed'],
  ] as const) {
    const program = await spoil(t, nodeSite, changes)
    const { report } = await reportOfProgram(t, checking, program, { sandbox: false, requireSecret: false })
    t.equal(statusOf(report, 'state-compared'), status)
    t.equal(statusOf(report, 'login-works'), 'skipped')
    t.equal(statusOf(report, 'sends-secret'), 'passed', 'the start is enough')
  }
})

t.test('what is wrong is told for people: what was seen, why it matters, what to change', async (t) => {
  const { id, origin } = await serve(t, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://site.invalid')
    if (pathname === '/login')
      return response
        .writeHead(302, { location: provider, 'set-cookie': `id=${'x'.repeat(32)}; SameSite=Strict` })
        .end()
    if (pathname === '/') return html(response, 200, '<a href="/login?provider=yandex">Log in</a>')
    if (searchParams.has('error')) return response.writeHead(500).end()
    if (!searchParams.has('state'))
      return response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    return html(response, 200, `TypeError: ${searchParams.get('state')} ${searchParams.get('code')}`)
  })
  const words = ['site', 'check', id, '--url', `${origin}/`]
  const env = {
    NODE_ENV: 'development',
    DATABASE_URL: service.database.url,
    PUBLIC_URL: service.url,
    SANDBOX_PORT: '1',
  }
  const ran = await runHere(words, env)
  t.equal(ran.code, 1, ran.stderr)
  t.notMatch(ran.stdout, '\u001b', 'no colours where it is no terminal')
  t.match(
    ran.stdout,
    /✗ A login begins by POST alone \(begins-by-post\)\n +Seen: the link at \/login begins a login by GET\n +Why: /,
  )
  t.match(ran.stdout, /\n +Change: Begin the login in the handler of a POST/)
  t.match(ran.stdout, /– A person logs in \(login-works\)\n +– A repeated return/)
  t.match(ran.stdout, /\d+ right, 7 to mend, 1 could be better, \d+ not checked\n$/)
  const report = reportOf(await runHere([...words, '--json'], env))
  t.strictSame(idsOf(report, 'failed'), [
    'begins-by-post',
    'session-cookie',
    'return-foreign-error',
    'return-rubbish',
    'no-stack-trace',
    'repeats-no-parameter',
    'errors-are-readable',
  ])
  t.ok(ran.stdout.split('\n').every((line) => line.length <= 120))
})

t.test('a site that does not answer is told after the time limit', async (t) => {
  const { id, origin } = await serve(
    t,
    siteWith((request, response) => {
      if (request.method !== 'HEAD') html(response, 400, 'Please log in.')
    }),
  )
  const report = reportOf(
    await checkCommand(checking, ['--json', id, '--url', `${origin}/`, '--timeout', '1'], {}, false),
  )
  t.strictSame(idsOf(report, 'failed'), ['return-head'])
  t.match(
    report.cases.find(({ id: one }) => one === 'return-head')?.seen,
    `${origin}/return gave no whole answer within 1 s`,
  )
})

t.test('a button that needs scripts is described by hand', async (t) => {
  const { id, origin } = await serve(t, (request, response) => {
    if (request.url !== '/api/login') {
      html(response, 200, 'Please log in.<div id="app"></div>')
      return
    }
    let body = ''
    request.on('data', (chunk) => (body += String(chunk)))
    request.on('end', () => {
      const right = body === 'provider=yandex&remember=yes%3D1' && isOwn(request)
      response.writeHead(right ? 303 : 400, right ? { location: provider } : {}).end()
    })
  })
  const words = [id, '--url', `${origin}/`]
  const without = await checkCommand(checking, words, {}, false)
  t.equal(without.code, 2)
  t.match(without.stderr, /has no form, button or link .* --start URL --field NAME=VALUE/)
  const fields = ['--field', 'provider=yandex', '--field', 'remember=yes=1']
  const report = reportOf(
    await checkCommand(
      checking,
      ['--json', ...words, '--start', `${origin}/api/login`, ...fields],
      {},
      false,
    ),
  )
  t.strictSame(idsOf(report, 'failed'), [])
  t.equal(statusOf(report, 'login-begins'), 'passed')
})

t.test('what cannot be checked ends with 2 and one sentence that says what to do', async (t) => {
  const { id, origin } = await serve(
    t,
    siteWith((_request, response) => html(response, 400, 'Please log in.')),
  )
  const other = await registerSite(service.database, 'https://one.example/return')
  const url = ['--url', `${origin}/`]
  const away = `http://127.0.0.1:${await freePort()}`
  const cases: readonly (readonly [
    words: readonly string[],
    sentence: RegExp,
    env?: Record<string, string>,
  ])[] = [
    [[id], /^--url is missing/],
    [[...url], /^ID is missing/],
    [[id, '--url', 'ftp://site.example/'], /^--url must be an address with https or http/],
    [['nobody', ...url], /nobody/],
    [[id, '--url', away], /does not listen \(ECONNREFUSED\): is the site running\?/],
    [[id, ...url, '--sandbox', away], /^No sandbox answers at /],
    [[id, ...url, '--return-url', 'https://x.example/'], /is not registered for this site; registered are /],
    [[id, ...url, '--provider', 'nobody'], /may not use nobody/],
    [[id, ...url, '--timeout', '0'], /^--timeout must be 1 to 99 seconds/],
    [[id, ...url, '--field', 'a=b'], /^--field goes with --start/],
    [[id, ...url, '--start', origin, '--field', 'a'], /^--field must be NAME=VALUE/],
    [[id, ...url, '--log', '/nowhere/site.log'], /^The log \/nowhere\/site\.log cannot be read \(ENOENT\)/],
    [[id, ...url], /^SITE_SECRET is not a secret of this site/, { SITE_SECRET: other.secret }],
    [[id, ...url], /^The service does not answer at /, { SITE_SECRET: other.secret, PUBLIC_URL: away }],
  ]
  for (const [words, sentence, env] of cases) {
    const ran = await checkCommand(checking, words, env, false)
    t.equal(ran.code, 2, words.join(' '))
    t.equal(ran.stdout, '')
    t.match(ran.stderr, sentence)
    t.match(ran.stderr, /^[^\n]+\n$/, 'one line')
  }
})

t.test('its help names every option', async (t) => {
  const { stdout, code } = await runHere(['site', 'check', '--help'], {})
  t.equal(code, 0)
  t.ok(stdout.split('\n').every((line) => line.length <= 100))
  for (const option of [
    'url',
    'json',
    'log',
    'sandbox',
    'return-url',
    'provider',
    'start',
    'field',
    'timeout',
  ])
    t.match(stdout, ` --${option} `)
})

t.test('the guide shows a real report, and lists every point', async (t) => {
  const ran = await checkProgram(t, checking, await spoil(t, nodeSite, withoutComparison), {
    words: [],
    requireSecret: false,
  })
  t.equal(ran.code, 1)
  const shown = ran.stdout
    .replace(/site [0-9a-f]{12} \(site_.{12}\)/, 'Example (site_b3X9c1QdRk0Z)')
    .replaceAll(checking.sandbox.url, 'http://127.0.0.1:3001')
    .replaceAll(/127\.0\.0\.1:(?!3001)\d+/g, '127.0.0.1:8000')
  for (const language of ['en', 'ru']) {
    const guide = await readText(`docs/${language}/site-check.md`)
    t.equal(codeBlocks(guide).find(({ info }) => info === 'text')?.text, shown, language)
    const json = codeBlocks(guide).find(({ info }) => info === 'json')?.text ?? ''
    const { counts }: Pick<Report, 'counts'> = JSON.parse(json)
    t.match(
      shown,
      `${counts.passed} right, ${counts.failed} to mend, ${counts.advice} could be better, ${counts.skipped} not checked`,
    )
    const points = tableRows(guide).filter(({ length }) => length === 3)
    const listed = points.flatMap(([cell = '']) => /^`([a-z-]+)`$/.exec(cell)?.[1] ?? [])
    t.strictSame(listed.toSorted(), cases.map(({ id }) => id).toSorted())
  }
})
