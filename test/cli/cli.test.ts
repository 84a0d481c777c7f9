import { createHash } from 'node:crypto'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { emptyDatabase, testDatabase } from '../support/database.ts'
import { assertFailed, outputOf, runCli, runHere, strictEnv } from './run-cli.ts'

t.test('help fits a screen and names every command', async (t) => {
  for (const args of [['--help'], ['-h'], ['help'], ['site', 'add', '--help']]) {
    const ran = await runHere(args, {})
    t.equal(ran.code, 0)
    t.equal(ran.stderr, '')
    t.ok(ran.stdout.split('\n').length <= 24, `${ran.stdout.split('\n').length} lines`)
    t.ok(ran.stdout.split('\n').every((line) => line.length <= 100))
    for (const word of ['site add', 'site apply', 'keys revoke KID', 'migrate', 'admin-token NAME'])
      t.match(ran.stdout, word)
  }
})

t.test('an unknown command is refused with the list of commands', async (t) => {
  assertFailed(t, await runCli([], {}), /^Name a command: site, keys, migrate, admin-token\.$/m)
  assertFailed(
    t,
    await runHere(['sites'], {}),
    /^There is no command "sites": there are site, keys, migrate, admin-token\./,
  )
  assertFailed(t, await runHere(['toString'], {}), /^There is no command "toString"/)
  assertFailed(t, await runHere(['--verbose'], {}), /^There is no command "--verbose"/)
})

t.test('strict mode names the variables that are missing', async (t) => {
  const { code, stdout, stderr } = await runCli(['site', 'list'], {})
  t.equal(code, 1)
  t.equal(stdout, '')
  t.match(stderr, /DATABASE_URL is missing/)
})

t.test('admin-token prints a token and the entry for ADMIN_TOKENS', async (t) => {
  const Made = Type.Object({ name: Type.String(), token: Type.String(), admin_tokens_entry: Type.String() })
  const made = Value.Parse(Made, outputOf(t, await runCli(['admin-token', 'alice'], {})))
  t.match(made.token, /^[\w-]{43}$/)
  t.equal(made.admin_tokens_entry, `alice:${createHash('sha256').update(made.token).digest('hex')}`)
  assertFailed(t, await runHere(['admin-token'], {}), /^NAME is missing/)
  assertFailed(t, await runHere(['admin-token', 'a:b'], {}), /^NAME must be/)
  assertFailed(t, await runHere(['admin-token', 'a', 'b'], {}), /^"b" is one word too many/)
})

t.test('migrate applies the migrations once', async (t) => {
  const url = await emptyDatabase(t)
  const env = strictEnv(url)
  t.match(outputOf(t, await runCli(['migrate'], env)), { applied: [/_init$/] })
  t.strictSame(outputOf(t, await runCli(['migrate'], env)), { applied: [] })
  t.strictSame(outputOf(t, await runHere(['site', 'list'], env)), { sites: [] })
  assertFailed(t, await runHere(['migrate', 'now'], env), /^"now" is one word too many/)
})

t.test('keys lists, rotates, reseals and revokes signing keys', async (t) => {
  const database = await testDatabase(t)
  const env = strictEnv(database.url)
  const keys = (...args: string[]) => runHere(['keys', ...args], env)
  const Key = Type.Object({ kid: Type.String(), kind: Type.String(), alg: Type.String() })
  t.strictSame(outputOf(t, await keys('list')), { keys: [] })
  const access = Value.Parse(Key, outputOf(t, await keys('rotate')))
  const refresh = Value.Parse(Key, outputOf(t, await keys('rotate', 'refresh')))
  t.match(
    [access, refresh],
    [
      { kind: 'access', alg: 'EdDSA' },
      { kind: 'refresh', alg: 'HS256' },
    ],
  )
  t.match(outputOf(t, await runHere(['keys', 'rotate', 'access'], { ...env, TOKEN_ALG: 'ES256' })), {
    alg: 'ES256',
  })
  assertFailed(t, await keys('rotate'), /waits already/)
  t.match(outputOf(t, await keys('list')), {
    keys: [
      { kid: access.kid, kind: 'access', state: 'active' },
      { kid: refresh.kid, kind: 'refresh', state: 'active' },
      { kind: 'access', state: 'next' },
    ],
  })
  const secretKeys = `${strictEnv('').SECRET_KEYS ?? ''},${env.SECRET_KEYS ?? ''}`
  t.match(outputOf(t, await runHere(['keys', 'reseal'], { ...env, SECRET_KEYS: secretKeys })), {
    resealed: { length: 3 },
  })
  assertFailed(t, await keys('reseal'), /SECRET_KEYS/)
  const revoked = await runHere(['keys', 'revoke', refresh.kid], { ...env, SECRET_KEYS: secretKeys })
  t.match(outputOf(t, revoked), { kid: refresh.kid, kind: 'refresh', sessions_ended: 0 })
  t.match(revoked.stderr, /^Ended 0 sessions/)
  assertFailed(t, await keys('revoke'), /^KID is missing/)
  assertFailed(t, await keys('revoke', 'nothing'), /^There is no key nothing/)
  assertFailed(t, await keys('rotate', 'both'), /^There is no kind of key "both"/)
  assertFailed(t, await keys(), /^Name a keys command: list, rotate, revoke, reseal\./)
  assertFailed(t, await keys('list', '--all'), /^Unknown option '--all'/)
})

t.test('without any variables development uses the embedded database', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'auth-movies-cli-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const env = { NODE_ENV: 'development' }
  const add = ['site', 'add', '--name', 'Демо', '--redirect-url', 'http://localhost:3001']
  t.match(outputOf(t, await runCli(add, env, directory)), { name: 'Демо' })
  t.match(outputOf(t, await runCli(['site', 'list'], env, directory)), {
    sites: [{ name: 'Демо', redirect_urls: ['http://localhost:3001'] }],
  })
  t.match(outputOf(t, await runCli(['keys', 'rotate'], env, directory)), { kind: 'access' })
  t.equal((await stat(join(directory, '.data/secret-keys'))).mode & 0o777, 0o600)
})
