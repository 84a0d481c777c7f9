import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { emptyFolder, freePorts, run, startSandboxAlone } from '../support/npm-start.ts'
import { eventually } from '../support/process.ts'
import { Visitor } from './faults/visitor.ts'

const execute = promisify(execFile)

/** A login as a site's own test does it: two requests of the backend, and a browser between them. */
async function logIn(
  line: { readonly service_url: string; readonly site_id: string; readonly site_secret: string },
  redirectUrl: string,
) {
  const post = async (path: string, fields: Record<string, string>) => {
    const response = await fetch(line.service_url + path, {
      method: 'POST',
      body: new URLSearchParams(fields),
      headers: { authorization: `Basic ${btoa(`${line.site_id}:${line.site_secret}`)}` },
    })
    return (await response.json()) as Record<string, string>
  }
  const started = await post('/api/v1/oauth/authorize-url/', {
    provider: 'yandex',
    client_redirect_url: redirectUrl,
  })
  const visitor = new Visitor()
  // Nobody listens at the return URL: only where the browser is sent counts.
  await visitor.get(started['authorize_url'] ?? '').catch(() => {})
  const back = new URL(visitor.visited.at(-1) ?? '')
  return post('/api/v1/oauth/authorize/', Object.fromEntries(back.searchParams))
}

t.test('one line of JSON when it is ready, a login by it, and an end that leaves nothing', async (t) => {
  const folder = await emptyFolder(t)
  const redirectUrl = 'http://127.0.0.1:9/return'
  const other = 'http://127.0.0.1:9/other'
  const started = await startSandboxAlone(t, folder, {
    args: [
      '--redirect-url',
      redirectUrl,
      '--redirect-url',
      other,
      '--site-id',
      'shop',
      '--site-secret',
      'a-secret-of-a-test',
    ],
    // What a site's own tests may have around them.
    env: {
      TMPDIR: folder,
      NODE_ENV: 'test',
      DATABASE_URL: 'postgresql://shop@127.0.0.1:9/shop',
      REDIS_URL: 'redis://127.0.0.1:9',
      YANDEX_CLIENT_ID: 'the-real-one',
    },
  })
  const { line, ports } = started
  t.match(line, {
    ready: true,
    service_url: `http://127.0.0.1:${ports.PORT}`,
    sandbox_url: `http://127.0.0.1:${ports.SANDBOX_PORT}`,
    site_id: 'shop',
    site_secret: 'a-secret-of-a-test',
    redirect_urls: [redirectUrl, other, line.demo_url.replace(/$/, 'return')],
  })
  t.match(await logIn(line, redirectUrl), { access_token: /^ey/ })
  t.match(await logIn(line, other), { access_token: /^ey/ })
  t.equal((await fetch(line.health_url)).status, 200)
  t.equal(started.output().trim().split('\n').length, 1, 'nothing else on standard output')
  t.equal(started.errors(), '')

  started.child.kill('SIGTERM')
  t.equal(await started.ended, 0)
  t.strictSame(await readdir(folder), [], 'no data')
  const { stdout } = await execute('ps', ['-eo', 'args'])
  t.notMatch(stdout, folder, 'no process')
})

t.test('a folder keeps the data, its site and secret for the next start', async (t) => {
  const folder = await emptyFolder(t)
  const args = ['--data', 'data']
  const first = await startSandboxAlone(t, folder, { args })
  first.child.kill('SIGINT')
  await first.ended
  t.ok((await readdir(join(folder, 'data'))).includes('postgres'))
  const env = { SANDBOX_DATA: 'data', SANDBOX_REDIRECT_URLS: 'http://127.0.0.1:9/a http://127.0.0.1:9/b' }
  const second = await startSandboxAlone(t, folder, { env })
  t.equal(second.line.site_id, first.line.site_id)
  t.equal(second.line.site_secret, first.line.site_secret)
  t.match(second.line.redirect_urls, ['http://127.0.0.1:9/a', 'http://127.0.0.1:9/b'])
  t.match(await logIn(second.line, 'http://127.0.0.1:9/b'), { access_token: /^ey/ })
})

t.test('a taken port, or anything else that cannot be: one sentence, and nothing is left', async (t) => {
  const refusal = async (env: Record<string, string>, args: readonly string[], ports = freePorts()) => {
    const folder = await emptyFolder(t)
    const options = { folder, ports: await ports, env: { TMPDIR: folder, ...env }, args }
    const started = run(t, 'sandbox/alone.ts', options)
    t.equal(await started.ended, 1)
    t.equal(started.output(), '')
    t.match(started.errors(), /^[^\n]+\n$/, 'in one line')
    await eventually(async () => {
      if ((await readdir(folder)).length > 0) throw new Error('something is left')
    })
    return started.errors()
  }
  const taken = async (name: 'PORT' | 'SANDBOX_PORT' | 'MANAGEMENT_PORT') => {
    const ports = await freePorts()
    const server = createServer().listen(Number(ports[name]), '127.0.0.1')
    const says = await refusal({}, [], Promise.resolve(ports))
    server.close()
    t.match(says, new RegExp(`^Port ${ports[name]} is taken: [^\n]*${name}`))
  }
  await Promise.all([taken('PORT'), taken('SANDBOX_PORT'), taken('MANAGEMENT_PORT')])
  t.match(await refusal({ HOST: '0.0.0.0' }, []), /on this computer alone: leave out HOST/)
  t.match(await refusal({}, ['--no-such-option']), /--no-such-option/)
  t.match(await refusal({}, ['word']), /"word" is one word too many/)
  t.match(await refusal({}, ['--redirect-url', 'nonsense']), /nonsense/)
  t.match(await refusal({}, ['--site-secret', 'short']), /8 to 200/)
  t.match(await refusal({}, ['--site-id', 'with blank']), /id of the site/)
  const help = run(t, 'sandbox/alone.ts', {
    folder: await emptyFolder(t),
    ports: await freePorts(),
    env: {},
    args: ['--help'],
  })
  t.equal(await help.ended, 0)
  t.match(help.output(), '--redirect-url URL')
})
