import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { providers } from '../../plugins/index.ts'
import { createSites } from '../../src/sites/lookup.ts'
import { secretMatches } from '../../src/sites/site.ts'
import { listSites } from '../../src/sites/store.ts'
import { emptyDatabase, testDatabase } from '../support/database.ts'
import { freePort } from '../support/process.ts'
import { assertFailed, outputOf, runCli, runHere, strictEnv } from './run-cli.ts'

const WithSecret = Type.Object({ id: Type.String(), secret: Type.String() })

t.test('a site is added, listed, updated, given a second secret and removed by commands', async (t) => {
  const database = await testDatabase(t)
  const env = strictEnv(database.url)
  const site = (...args: string[]) => runHere(['site', ...args], env)

  const ran = await site(
    'add',
    '--name',
    'Shop',
    '--redirect-url',
    'https://shop.example/a',
    'https://shop.example/b',
  )
  const added = Value.Parse(WithSecret, outputOf(t, ran))
  t.match(outputOf(t, ran), {
    name: 'Shop',
    redirect_urls: ['https://shop.example/a', 'https://shop.example/b'],
    require_secret: false,
    limit_factor: 1,
    disabled: false,
    live_secrets: 1,
  })
  t.match(
    ran.stderr,
    /^curl -sS -u "\$SITE_ID:\$SITE_SECRET" -d provider=\w+ --data-urlencode "client_redirect_url=\$REDIRECT_URL" "\$AUTH\/api\/v1\/oauth\/authorize-url\/"$/m,
  )
  t.match(
    ran.stderr,
    /^curl -sS -u "\$SITE_ID:\$SITE_SECRET" -d provider=\w+ .*"state=\$STATE" .*"code=\$CODE" "\$AUTH\/api\/v1\/oauth\/authorize\/"$/m,
  )
  t.ok(
    ran.stderr.includes(
      `export AUTH='https://login.example' SITE_ID='${added.id}' SITE_SECRET='${added.secret}' REDIRECT_URL='https://shop.example/a'\n`,
    ),
    'the variables of the guide',
  )
  t.notMatch(ran.stderr, /not configured/, 'no provider at all: nobody knows here which the service has')
  t.match(ran.stderr, /^curl -sS -d provider=\w+ .*authorize-url\/"$/m, 'and the plain form beside it')
  const found = await createSites(database).byId(added.id)
  t.ok(found && secretMatches(found, added.secret), 'the secret that was printed is the one')

  const lists = ['--redirect-url', "https://shop.example/it's", '--providers', 'yandex,mail']
  const updated = await site(
    'update',
    added.id,
    ...lists,
    '--require-secret',
    '--disable',
    '--limit-factor',
    '12',
  )
  t.match(outputOf(t, updated), {
    id: added.id,
    name: 'Shop',
    redirect_urls: ["https://shop.example/it's"],
    providers: ['yandex', 'mail'],
    require_secret: true,
    limit_factor: 12,
    disabled: true,
  })
  t.match(outputOf(t, await site('update', added.id, '--enable', '--no-require-secret')), {
    require_secret: false,
    disabled: false,
  })
  const rotated = Value.Parse(WithSecret, outputOf(t, await site('rotate-secret', added.id)))
  t.equal(rotated.id, added.id)
  t.not(rotated.secret, added.secret)
  t.match(outputOf(t, await site('list')), { sites: [{ id: added.id, live_secrets: 2 }] })
  t.strictSame(outputOf(t, await site('remove', added.id)), { id: added.id, removed: true })
  t.strictSame(outputOf(t, await site('list')), { sites: [] })
  assertFailed(t, await site('remove', added.id), /^There is no site with the id/)
})

t.test('a site that requires its secret gets only example requests with the secret', async (t) => {
  const database = await testDatabase(t)
  const ran = await runCli(
    ['site', 'add', '--name', 'Shop', '--redirect-url', "https://shop.example/it's", '--require-secret'],
    strictEnv(database.url),
  )
  const { id, secret } = Value.Parse(WithSecret, outputOf(t, ran))
  t.ok(ran.stderr.includes(`SITE_ID='${id}' SITE_SECRET='${secret}'`))
  t.notMatch(ran.stderr, /^curl -sS -d/m, 'no line that would be refused')
  t.ok(ran.stderr.includes(`REDIRECT_URL='https://shop.example/it'\\''s'`))
})

t.test('a provider of OIDC_PROVIDERS is known by its name, and a new site gets it', async (t) => {
  const database = await testDatabase(t)
  const corp = {
    OIDC_PROVIDERS: 'corp',
    CORP_ISSUER: 'https://sso.example',
    CORP_CLIENT_ID: 'id',
    CORP_CLIENT_SECRET: 's',
  }
  const env = { ...strictEnv(database.url), ...corp }
  const add = (name: string, ...options: string[]) =>
    runHere(['site', 'add', '--name', name, '--redirect-url', `https://${name}.example/`, ...options], env)
  t.match(outputOf(t, await add('one', '--providers', 'yandex,corp')), { providers: ['yandex', 'corp'] })
  t.match(outputOf(t, await add('all')), { providers: [...providers.map(({ name }) => name), 'corp'] })
  assertFailed(t, await add('none', '--providers', 'other'), /There is no provider "other".*, corp\./)
})

t.test('a site that may use providers which this service does not have is told so', async (t) => {
  const database = await testDatabase(t)
  const env = { ...strictEnv(database.url), YANDEX_CLIENT_ID: 'id', YANDEX_CLIENT_SECRET: 'secret' }
  const add = (name: string, ...options: string[]) =>
    runHere(['site', 'add', '--name', name, '--redirect-url', `https://${name}.example/`, ...options], env)
  const all = await add('all')
  const names = providers.map(({ name }) => name)
  t.match(outputOf(t, all), { providers: names })
  const others = names.filter((name) => name !== 'yandex').join(', ')
  t.match(
    all.stderr,
    new RegExp(`^# The site may use ${others} too, not configured [^\\n]*unknown-provider[^\\n]*$`, 'm'),
  )
  t.match(all.stderr, /^curl .*provider=yandex/m, 'the lines are for one that works')
  t.notMatch((await add('one', '--providers', 'yandex')).stderr, /not configured/)
})

t.test('site apply applies a file, and a dry run changes nothing', async (t) => {
  const database = await testDatabase(t)
  const directory = await mkdtemp(join(tmpdir(), 'auth-movies-apply-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const env = strictEnv(database.url)
  const apply = async (text: string, ...options: string[]) => {
    await writeFile(join(directory, 'sites.json'), text)
    return runCli(['site', 'apply', 'sites.json', ...options], env, directory)
  }
  const text = `\ufeff${JSON.stringify({ sites: [{ id: 'shop', name: 'Shop', redirect_urls: ['https://shop.example/'] }] })}`
  t.strictSame(outputOf(t, await apply(text, '--dry-run')), {
    dry_run: true,
    created: [{ id: 'shop', name: 'Shop' }],
    updated: [],
    unchanged: [],
  })
  t.match(outputOf(t, await apply(text)), { created: [{ id: 'shop', secret: /^[\w-]{43}$/ }] })
  t.match(outputOf(t, await apply(text)), { created: [], unchanged: [{ id: 'shop' }] })
  t.equal((await listSites(database)).length, 1)
  assertFailed(t, await apply('{"sites": ['), /^The file sites\.json is not JSON: /)
  assertFailed(t, await apply('{"sites": [{"name": "x"}]}'), /\/sites\/0 .*redirect_urls/)
  assertFailed(
    t,
    await runCli(['site', 'apply', 'absent.json'], env, directory),
    /absent\.json cannot be read \(ENOENT\)/,
  )
})

t.test('a wrong command is refused with a message that names the fault', async (t) => {
  const database = await testDatabase(t)
  const env = strictEnv(database.url)
  const url = 'https://shop.example/'
  const wrong: readonly [readonly string[], RegExp][] = [
    [[], /^Name a site command: add, list, update, rotate-secret, remove, apply, check\./],
    [['create'], /^There is no site command "create": there are add, /],
    [['constructor'], /^There is no site command "constructor"/],
    [['add'], /^--name is missing/],
    [['add', '--name', 'Shop'], /at least one redirect URL/],
    [['add', '--name', 'Shop', '--redirect-url'], /--redirect-url.*argument missing: see --help/],
    [['add', '--name', 'Shop', '--redirect-urls', url], /^Unknown option '--redirect-urls': see --help\.$/m],
    [['add', '--name', 'Shop', url], /^"https:\/\/shop\.example\/" is one word too many/],
    [
      ['add', '--name', 'Shop', '--redirect-url', 'http://shop.example/'],
      /^The redirect URL must be https\. Given was/,
    ],
    [['add', '--name', 'Shop', '--redirect-url', 'http://127.0.0.1/'], /^The redirect URL must be https\./],
    [['add', '--name', 'Shop', '--redirect-url', url, '--providers', 'yandex,vk'], /no provider "vk"/],
    [['add', '--name', 'Shop', '--redirect-url', url, '--providers', ''], /no provider ""/],
    [['add', '--name', 'Shop', '--redirect-url', url, '--limit-factor', '0'], /whole number from 1 to 1000/],
    [
      ['add', '--name', 'Shop', '--redirect-url', url, '--limit-factor', '1e2'],
      /whole number from 1 to 1000/,
    ],
    [['list', 'all'], /^"all" is one word too many/],
    [['update'], /^ID is missing/],
    [['update', 'nobody'], /^Nothing to change/],
    [['update', 'nobody', '--enable', '--disable'], /exclude each other/],
    [['update', 'nobody', '--enable'], /no site with the id "nobody"/],
    [['rotate-secret'], /^ID is missing/],
    [['rotate-secret', 'nobody'], /no site with the id "nobody"/],
    [['apply'], /^FILE is missing/],
  ]
  for (const [args, sentence] of wrong) assertFailed(t, await runHere(['site', ...args], env), sentence)
  t.strictSame(await listSites(database), [])
})

t.test('strict mode needs a migrated database that can be reached; development migrates it', async (t) => {
  const empty = await emptyDatabase(t)
  assertFailed(t, await runCli(['site', 'list'], strictEnv(empty)), /run `node src\/cli\.ts migrate` first/)
  const gone = `postgresql://nobody@127.0.0.1:${await freePort()}/none`
  assertFailed(t, await runCli(['site', 'list'], strictEnv(gone)), /^The database cannot be used now/)
  const development = { NODE_ENV: 'development', DATABASE_URL: empty }
  t.strictSame(
    outputOf(t, await runCli(['site', 'list'], development)),
    { sites: [] },
    'development applies pending migrations',
  )
  const loopback = ['site', 'add', '--name', 'Demo', '--redirect-url', 'http://127.0.0.1:3001/return']
  const ran = await runCli(loopback, development)
  t.match(
    outputOf(t, ran),
    { redirect_urls: ['http://127.0.0.1:3001/return'] },
    'development accepts a loopback URL',
  )
  t.match(ran.stderr, /^export AUTH='http:\/\/127\.0\.0\.1:3000' /m)
})
