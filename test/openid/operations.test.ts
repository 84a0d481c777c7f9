import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { ProviderFailure } from '../../src/providers/provider.ts'
import { applySites } from '../../src/sites/apply.ts'
import { siteRules } from '../../src/sites/validate.ts'
import { assertFailed, outputOf, runHere, strictEnv } from '../cli/run-cli.ts'
import { loginOf, stepsOf, urn, wholeLogin } from '../login-history/site-logins.ts'
import { assertRefused } from '../sites/support.ts'
import { start } from '../support/login-flow.ts'
import { registerSite, sharedSecretKeys, startTestService } from '../support/service.ts'
import { answered, authorize, codeFor, loginUntilReturn, requestTokens } from './standard-client.ts'

// What operators and administrators of sites see of logins by this door, and which limits hold for it.
const service = await startTestService(t)
const { site } = service
const rules = siteRules('strict', [{ name: 'yandex' }, { name: 'google' }, { name: 'mail' }])
const secretKeys = sharedSecretKeys.map((key) => key.toString('base64')).join(',')
const Keys = Type.Object({ keys: Type.Array(Type.Object({ kind: Type.String(), alg: Type.String() })) })

t.test('site/logins shows these logins with every step, failed ones with their problem', async (t) => {
  const back = await loginUntilReturn(service, site)
  const { code = '' } = answered(back)
  const refused = await requestTokens(service, site, { code, client_secret: '' })
  t.match((await loginOf(service, refused))?.requests.at(-1), { problem: urn('secret-required') })
  const finished = await requestTokens(service, site, { code })
  const login = await loginOf(service, finished)
  t.match(login, { provider: 'yandex', outcome: 'success', problem: null })
  t.strictSame(stepsOf(login), wholeLogin)
  t.equal((await loginOf(service, back))?.id, login?.id)
  const wrong = await authorize(service, site, { prompt: 'none' })
  t.match(await loginOf(service, wrong), { id: null, outcome: 'failed', problem: urn('invalid-parameter') })
})

t.test('metrics count logins of both doors alike, and no label comes from a caller', async (t) => {
  const value = async (metric: string) => {
    const text = await service.metrics.registry.metrics()
    const line = text.split('\n').find((one) => one.startsWith(metric))
    return Number(line?.split(' ').at(-1) ?? 0)
  }
  const started = 'logins_started_total{provider="yandex"}'
  const finished = 'logins_finished_total{provider="yandex",outcome="success"}'
  const before = [await value(started), await value(finished)]
  await requestTokens(service, site, { code: await codeFor(service, site) })
  await start(service)
  t.strictSame([await value(started), await value(finished)], [(before[0] ?? 0) + 2, (before[1] ?? 0) + 1])
  const state = 'A'.repeat(43)
  const forged = state + Buffer.from('evil"label code').toString('base64url')
  t.equal((await requestTokens(service, site, { code: forged })).status, 400)
  t.equal(await value('logins_finished_total{provider="unknown",outcome="unknown-login"}'), 1)
  t.notMatch(await service.metrics.registry.metrics(), /evil|client\.example|state-of/)
})

t.test('no state, nonce, code or token is logged', async (t) => {
  const code = await codeFor(service, site)
  const tokens = await requestTokens(service, site, { code })
  await authorize(service, site, { prompt: 'none' })
  const log = service.log.join('\n')
  for (const secret of ['state-of-the-client', 'nonce-of-the-client', code, String(tokens.json.id_token)])
    t.notOk(log.includes(secret), secret.slice(0, 30))
})

t.test('starts are limited by the network of the browser, and the site learns of it', async (t) => {
  const limited = await startTestService(t, { database: service.database, doubles: service.doubles, site })
  let last = await authorize(limited, site)
  for (let n = 0; n < 6_100 && !/temporarily_unavailable/.test(last.headers.get('location') ?? ''); n += 100)
    last = (await Promise.all(Array.from({ length: 100 }, () => authorize(limited, site)))).at(-1) ?? last
  t.match(answered(last), { error: 'temporarily_unavailable', state: 'state-of-the-client' })
  t.match(answered(last).error_description, /Too many|requests for this site/)
})

t.test('long states, whose records fill the store sooner, have a limit of their own', async (t) => {
  const limited = await startTestService(t, { database: service.database, doubles: service.doubles, site })
  const long = { state: 'x'.repeat(1_100) }
  let last = await authorize(limited, site, long)
  for (let n = 0; n < 400 && !/temporarily_unavailable/.test(last.headers.get('location') ?? ''); n += 50)
    last =
      (await Promise.all(Array.from({ length: 50 }, () => authorize(limited, site, long)))).at(-1) ?? last
  t.match(answered(last), { error: 'temporarily_unavailable', ...long })
  t.match(answered(await authorize(limited, site)), { client_id: String }, 'usual ones go on')
})

t.test('a provider whose circuit is open', async (t) => {
  const own = await registerSite(service.database, 'https://two.example/return')
  const client = { ...own, redirectUri: 'https://two.example/return' }
  const { guard } = service.managed.providers.get('yandex') ?? {}
  for (let n = 0; n < 5; n++)
    await guard
      ?.execute(async () => {
        throw new ProviderFailure('unavailable', 'down')
      })
      .catch(() => {})
  t.teardown(() => guard?.reset())
  t.match(answered(await authorize(service, client)), {
    error: 'temporarily_unavailable',
    state: 'state-of-the-client',
  })
  const page = await authorize(service, client, { provider: '' })
  t.equal(page.status, 200)
  t.match(page.text, /Yandex: not available now/)
  t.notMatch(page.text, /provider=yandex/)
  t.match(page.text, /provider=google/)
})

t.test('the command line knows the settings and the kind of key', async (t) => {
  const env = { ...strictEnv(service.database.url), SECRET_KEYS: secretKeys }
  const run = (...args: string[]) => runHere(args, env)
  const settings = ['--post-logout-redirect-url', 'https://cli.example/bye', '--id-token-alg', 'EdDSA']
  const urls = ['--redirect-url', 'com.example.cli:/return', 'http://127.0.0.1/cli']
  const added = await run('site', 'add', '--name', 'Native', '--native', ...settings, ...urls)
  const site = Value.Parse(Type.Object({ id: Type.String() }), outputOf(t, added))
  t.match(JSON.parse(added.stdout), {
    native: true,
    id_token_alg: 'EdDSA',
    post_logout_redirect_urls: ['https://cli.example/bye'],
  })
  t.match(added.stderr, /issuer https:\/\/login\.example, client_id site_[\w-]+, no secret, PKCE/)
  const updated = await run(
    'site',
    'update',
    site.id,
    '--post-logout-redirect-url',
    '',
    '--id-token-alg',
    'ES256',
  )
  t.match(outputOf(t, updated), { native: true, id_token_alg: 'ES256', post_logout_redirect_urls: [] })
  assertFailed(t, await run('site', 'update', site.id, '--id-token-alg', 'HS256'), /RS256, ES256, EdDSA/)
  assertFailed(t, await run('site', 'update', site.id, '--no-native'), /https/)
  const { keys } = Value.Parse(Keys, outputOf(t, await run('keys', 'list')))
  t.strictSame(
    keys
      .filter(({ kind }) => kind === 'id')
      .map(({ alg }) => alg)
      .toSorted(),
    ['ES256', 'EdDSA', 'RS256'],
  )
  t.match(outputOf(t, await run('keys', 'rotate', 'id', 'ES256')), { kind: 'id', alg: 'ES256' })
  assertFailed(t, await run('keys', 'rotate', 'id', 'HS256'), /no id keys of "HS256"/)
  assertFailed(t, await run('keys', 'rotate', 'access', 'ES256'), /one word too many/)
})

t.test('the document of apply knows the settings, and the same document again changes nothing', async (t) => {
  const entry = {
    name: 'Applied',
    redirect_urls: ['com.example.applied:/return'],
    native: true,
    post_logout_redirect_urls: ['com.example.applied:/bye'],
    id_token_alg: 'EdDSA',
  }
  const options = { ...rules, dryRun: false }
  t.match(await applySites(service.database, { sites: [entry] }, options), { created: [{ name: 'Applied' }] })
  t.match(await applySites(service.database, { sites: [entry] }, options), {
    unchanged: [{ name: 'Applied' }],
  })
  const { native, ...silent } = entry
  t.ok(native)
  t.match(await applySites(service.database, { sites: [silent] }, options), {
    unchanged: [{ name: 'Applied' }],
  })
  const changed = await applySites(
    service.database,
    { sites: [{ ...silent, id_token_alg: 'RS256', post_logout_redirect_urls: [] }] },
    options,
  )
  t.match(changed.updated, [
    {
      changes: {
        id_token_alg: { from: 'EdDSA', to: 'RS256' },
        post_logout_redirect_urls: { removed: ['com.example.applied:/bye'] },
      },
    },
  ])
  const web = { ...entry, name: 'Web', redirect_urls: ['com.example.web:/return'] }
  await assertRefused(
    t,
    applySites(service.database, { sites: [{ ...web, native: false }] }, options),
    'invalid',
    /sites\/0: .*https/,
  )
  const { native: absent, ...unsaid } = web
  t.ok(absent)
  await assertRefused(t, applySites(service.database, { sites: [unsaid] }, options), 'invalid', /https/)
})
