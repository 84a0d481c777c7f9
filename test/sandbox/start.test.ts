import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { decodeJwt } from 'jose'
import t from 'tap'
import { runCli } from '../cli/run-cli.ts'
import { emptyFolder, freePorts, run, startSandboxed } from '../support/npm-start.ts'

const execute = promisify(execFile)

/** Pastes the printed lines into a shell and gives what the last one answered. */
async function paste(output: string): Promise<Record<string, string>> {
  const lines = output.split('\n').filter((line) => /^ {2}(export |START|URL|curl)/.test(line))
  const { stdout } = await execute('bash', ['-euc', lines.join('\n')])
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}')
}

t.test(
  'npm start serves, prints lines that work, stops, and keeps the users at the next start',
  async (t) => {
    const folder = await emptyFolder(t)
    const first = await startSandboxed(t, folder)
    t.match(first.output(), new RegExp(`http://127\\.0\\.0\\.1:${first.ports.SANDBOX_PORT}/demo/`))
    t.match(first.output(), /id site_[\w-]+\n\s+secret [\w-]{43}\n/)
    t.match(
      first.output(),
      new RegExp(
        `^ {2}export AUTH='http://127\\.0\\.0\\.1:${first.ports.PORT}' SITE_ID='site_\\S+' SITE_SECRET='\\S+' REDIRECT_URL='http://\\S+/demo/return'$`,
        'm',
      ),
      'the variables of the guide',
    )
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
      'last-start.json',
      'postgres',
      'postgres.lock',
      'secret-keys',
      'socket',
    ])

    const development = { NODE_ENV: 'development' }
    const add = (name: string, env: Record<string, string> = development) =>
      runCli(['site', 'add', '--name', name, '--redirect-url', `http://127.0.0.1:8080/${name}`], env, folder)
    const added = await add('Shop')
    t.equal(added.code, 0, added.stderr)
    t.match(added.stderr, `:${second.ports.PORT}' SITE_ID='`, 'a command knows the port of the last start')
    const checked = await runCli(
      ['site', 'check', String(JSON.parse(added.stdout).id), '--url', 'http://127.0.0.1:9/'],
      development,
      folder,
    )
    t.match([checked.code, checked.stderr], [2, /is the site running/], 'and finds its sandbox')
    t.match(
      (await add('Other', { ...development, PORT: '3999' })).stderr,
      ":3999' SITE_ID='",
      'or is told one',
    )

    second.child.kill('SIGINT')
    await second.ended
    const ports = await freePorts()
    const server = createServer().listen(Number(ports.PORT), '127.0.0.1')
    t.teardown(() => void server.close())
    const late = run(t, 'sandbox/start.ts', { folder, ports, env: { NODE_ENV: 'development' } })
    t.equal(await late.ended, 1, 'a busy port')
    t.match(late.errors(), /^Port \d+ is taken: [^\n]*PORT[^\n]*\.\n$/)
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

const forOthers: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgresql://auth:MARKER@127.0.0.1:9/auth',
  DATABASE_DIRECT_URL: 'postgresql://auth:MARKER@127.0.0.1:9/auth',
  REDIS_URL: 'redis://:MARKER@127.0.0.1:9',
  SECRET_KEYS: randomBytes(32).toString('base64'),
  HOST: '0.0.0.0',
  PUBLIC_URL: 'https://login.example',
}

t.test(
  'no provider, and something that is made for others: refused as in strict mode, without a sandbox',
  async (t) => {
    const folder = await emptyFolder(t)
    const refusal = async (env: Readonly<Record<string, string>>) => {
      const ports = await freePorts()
      const started = run(t, 'sandbox/start.ts', { folder, ports, env: { NODE_ENV: 'development', ...env } })
      t.equal(await started.ended, 1)
      t.equal(started.output(), '')
      t.notMatch(started.errors(), /\n\s+at |MARKER/)
      t.match(started.errors(), /No provider is configured: set CLIENT_ID and CLIENT_SECRET/)
      return started.errors()
    }
    for (const [name, value] of Object.entries(forOthers))
      t.match(await refusal({ [name]: value }), new RegExp(`For the sandbox, leave out ${name}\\.\n`))
    t.match(
      await refusal(forOthers),
      /leave out DATABASE_URL, REDIS_URL, SECRET_KEYS, HOST, PUBLIC_URL\.\n/,
      'all of them at once',
    )
    t.strictSame(await readdir(folder), [], 'nothing was opened')
  },
)
