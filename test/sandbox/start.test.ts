import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { decodeJwt } from 'jose'
import t from 'tap'
import { emptyDatabase } from '../support/database.ts'
import { emptyFolder, freePorts, run, startSandboxed } from '../support/npm-start.ts'

const execute = promisify(execFile)

/** Pastes the printed lines into a shell and gives what the last one answered. */
async function paste(output: string): Promise<Record<string, string>> {
  const lines = output.split('\n').filter((line) => /^ {2}(SITE=|URL|curl)/.test(line))
  const { stdout } = await execute('bash', ['-euc', lines.join('\n')])
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}')
}

t.test('the first start, the printed lines, a stop, and a second start that keeps the users', async (t) => {
  const folder = await emptyFolder(t)
  const first = await startSandboxed(t, folder)
  t.match(first.output(), new RegExp(`http://127\\.0\\.0\\.1:${first.ports.SANDBOX_PORT}/demo/`))
  t.match(first.output(), /id site_[\w-]+\n\s+secret [\w-]{43}\n/)
  t.equal(first.errors(), '')
  const tokens = await paste(first.output())
  t.match(tokens, { access_token: /^ey/, refresh_token: /^ey/, token_type: 'Bearer' })

  const before = performance.now()
  first.child.kill('SIGINT')
  t.equal(await first.ended, 0)
  t.ok(performance.now() - before < 2_000, 'Ctrl-C stops within two seconds')
  const { stdout } = await execute('ps', ['-eo', 'args'])
  t.notMatch(stdout, `${folder}/.data`, 'and leaves no process')

  const second = await startSandboxed(t, folder)
  t.equal(/secret \S+/.exec(second.output())?.[0], /secret \S+/.exec(first.output())?.[0], 'the same site')
  const again = await paste(second.output())
  const subject = (pair: Record<string, string>) => decodeJwt(pair.access_token ?? '').sub
  t.equal(subject(again), subject(tokens), 'the same user')

  const rival = run(t, 'sandbox/start.ts', {
    folder,
    ports: await freePorts(),
    env: { NODE_ENV: 'development' },
  })
  t.equal(await rival.ended, 1, 'a second service on the same data is refused')
  t.match(rival.errors(), /^[^\n]+\n$/, 'in one line')
  t.match((await readdir(join(folder, '.data'))).toSorted(), [
    'demo-site.json',
    'postgres',
    'postgres.lock',
    'secret-keys',
    'socket',
  ])

  second.child.kill('SIGINT')
  await second.ended
  const ports = await freePorts()
  const server = createServer().listen(Number(ports.PORT), '127.0.0.1')
  t.teardown(() => void server.close())
  const late = run(t, 'sandbox/start.ts', { folder, ports, env: { NODE_ENV: 'development' } })
  t.equal(await late.ended, 1, 'a busy port')
  t.match(late.errors(), /^Port \d+ is taken: [^\n]*PORT[^\n]*\.\n$/)
})

t.test(
  'a database of its own and no .data yet: the demo site is registered and its secret kept',
  async (t) => {
    const folder = await emptyFolder(t)
    const url = await emptyDatabase(t)
    const env = { DATABASE_URL: url, SECRET_KEYS: randomBytes(32).toString('base64') }
    const started = await startSandboxed(t, folder, env)
    t.equal(started.errors(), '')
    t.match(await paste(started.output()), { access_token: /^ey/ })
    t.strictSame(await readdir(join(folder, '.data')), ['demo-site.json'])
  },
)

const mistakes = {
  'a wrong variable': { env: { LOGIN_TTL: 'soon' }, says: /LOGIN_TTL must be a whole number/ },
  'a broken .data': {
    async prepare(folder: string) {
      await mkdir(join(folder, '.data', 'postgres'), { recursive: true })
      await writeFile(join(folder, '.data', 'postgres', 'PG_VERSION'), 'not a database')
    },
    says: /^The database in \S+\/\.data\/postgres cannot be opened \(.+\); to start afresh, move that folder away\.$/,
  },
} as const

for (const [name, mistake] of Object.entries(mistakes))
  t.test(`${name}: a clear sentence and a non-zero exit`, async (t) => {
    const folder = await emptyFolder(t)
    const ports = await freePorts()
    if ('prepare' in mistake) await mistake.prepare(folder)
    const env = { NODE_ENV: 'development', ...('env' in mistake && mistake.env) }
    const started = run(t, 'sandbox/start.ts', { folder, ports, env })
    t.equal(await started.ended, 1)
    t.match(started.errors().trim(), mistake.says)
    t.notMatch(started.errors(), /\n\s+at /, 'no stack')
    t.equal(started.output(), '')
  })
