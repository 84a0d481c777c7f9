import t from 'tap'
import { serveDouble } from '../../sandbox/doubles/double.ts'
import { google } from '../../sandbox/doubles/google.ts'
import type { ProviderRules } from '../../sandbox/doubles/provider-rules.ts'
import {
  openIdDeclaration,
  openIdDeclarations,
  openIdProvider,
  rediscoveryPause,
} from '../../src/providers/openid-provider.ts'
import { readProviders } from '../../src/providers/settings.ts'
import { eventually } from '../support/process.ts'
import { runProviderConformance } from './provider-conformance.ts'
import type { ServeOptions } from './provider-setup.ts'
import { consented, failureOf, identify, redirectUri, requestsAt, serve } from './provider-setup.ts'

// A provider that only the configuration knows, against the double of one that speaks plain OpenID Connect. An independent
// provider is tried in test/login/openid-provider.test.ts.

type Rules = ReturnType<typeof google> extends ProviderRules<infer S> ? ProviderRules<S> : never
const rules = (): Rules => ({ ...google(), name: 'corp', env: (origin) => ({ CORP_ISSUER: origin }) })

const least = { CORP_ISSUER: 'https://sso.example', CORP_CLIENT_ID: 'id', CORP_CLIENT_SECRET: 'secret' }

function read(env: Record<string, string> = {}) {
  const problems: string[] = []
  const settings = readProviders({ ...least, ...env }, [openIdDeclaration('corp')], {
    loopback: false,
    problems,
  })
  return { problems, settings: settings.get('corp') }
}

/** Tried again at once, so that no test waits. */
const pace = { every: 40, again: () => 40 }

function pluginOf(env: Record<string, string> = {}) {
  const { settings, problems } = read(env)
  if (settings === undefined) throw new Error(problems.join(' '))
  return openIdProvider(openIdDeclaration('corp'), settings, pace)
}

await t.test('conformance', (t) =>
  runProviderConformance(t, {
    plugin: openIdProvider(openIdDeclaration('corp'), read().settings ?? never()),
    startDouble: (options) => serveDouble(rules(), options),
    subjectField: 'sub',
    tokenIn: ({ headers }) => /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1],
    profileOf: ({ id, name, email, emailVerified }) => ({
      subject: id,
      login: null,
      name,
      email,
      emailVerified,
    }),
  }),
)

await t.test('OIDC_PROVIDERS has names of letters and digits, none of them taken', (t) => {
  const builtIn = [openIdDeclaration('yandex')]
  const listed = (value: string | undefined) => {
    const problems: string[] = []
    return { names: openIdDeclarations(value, builtIn, problems).map(({ name }) => name), problems }
  }
  t.strictSame(listed(undefined), { names: [], problems: [] })
  t.strictSame(listed(' keycloak, corp2 ,'), { names: ['keycloak', 'corp2'], problems: [] })
  for (const name of ['Corp', 'my-corp', 'my_corp', '1c', 'корп', 'a b', '__proto__', `a${'b'.repeat(32)}`])
    t.match(listed(name), { names: [], problems: [/lower-case letters and digits/] }, name)
  t.match(listed('corp,yandex'), { names: ['corp'], problems: [/must not name yandex/] })
  t.match(listed('corp,corp'), { names: ['corp'], problems: [/must not name corp/] })
  t.end()
})

await t.test('its variables are refused by name where they are missing or wrong', (t) => {
  t.strictSame(read().problems, [])
  const problemsOf = (env: Record<string, string>) => {
    const problems: string[] = []
    readProviders(env, [openIdDeclaration('corp')], { loopback: false, problems })
    return problems
  }
  t.match(problemsOf({}), [
    /^CORP_CLIENT_ID is missing: OIDC_PROVIDERS names corp\./,
    /^CORP_CLIENT_SECRET/,
    /^CORP_ISSUER/,
  ])
  t.match(problemsOf({ CORP_ISSUER: 'https://sso.example', CORP_CLIENT_ID: 'id' }), [
    /^CORP_CLIENT_SECRET is missing/,
  ])
  const open = { CORP_ISSUER: 'https://sso.example', CORP_CLIENT_ID: 'id', CORP_TOKEN_AUTH: 'none' }
  t.strictSame(problemsOf(open), [], 'a public client has no secret')
  const wrong: Record<string, Record<string, string>> = {
    'CORP_ISSUER must be an https address': { CORP_ISSUER: 'http://sso.example' },
    'CORP_ISSUER must be an address without': { CORP_ISSUER: 'https://sso.example?realm=1' },
    'CORP_JURISDICTION must be one of ru, other': { CORP_JURISDICTION: 'RU' },
    'CORP_TITLE_RU must have at most 64': { CORP_TITLE_RU: 'x'.repeat(65) },
    'CORP_TOKEN_AUTH must be one of basic, body, none, discovered': { CORP_TOKEN_AUTH: 'jwt' },
  }
  for (const [start, env] of Object.entries(wrong))
    t.match(read(env).problems, [new RegExp(`^${start}`)], start)
  t.end()
})

await t.test('titles and law come from the configuration', (t) => {
  t.match(pluginOf(), { title: { ru: 'corp', en: 'corp' }, jurisdiction: 'other', gives: ['name', 'email'] })
  t.match(pluginOf({ CORP_TITLE_RU: 'Вход' }), { title: { ru: 'Вход', en: 'Вход' } })
  const both = { CORP_TITLE_RU: 'Вход', CORP_TITLE_EN: 'Login', CORP_JURISDICTION: 'ru' }
  t.match(pluginOf(both), { title: { ru: 'Вход', en: 'Login' }, jurisdiction: 'ru' })
  t.end()
})

await t.test('discovery', async (t) => {
  const double = await serveDouble(rules(), { redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  t.beforeEach(() => {
    double.answer('discovery', undefined)
    double.fault('discovery', undefined)
    double.requests.length = 0
  })
  const discoveries = () =>
    double.requests.filter(({ path }) => path.endsWith('/openid-configuration')).length
  const metadata = async (changes: Record<string, unknown> = {}) => {
    const known: unknown = await (await fetch(`${double.origin}/.well-known/openid-configuration`)).json()
    return { status: 200, body: JSON.stringify({ ...Object(known), ...changes }) }
  }
  /** Without the double's addresses, so that the metadata alone tell them. */
  const start = (options: ServeOptions = {}, tokenAuth = 'discovered') =>
    serve(t, pluginOf(), double, {
      settings: { authorizeUrl: '', tokenUrl: '', userinfoUrl: '' },
      env: { CORP_TOKEN_AUTH: tokenAuth },
      ...options,
    })
  const login = async (served: Awaited<ReturnType<typeof start>>) =>
    identify(
      served,
      await consented(served, double, { person: { id: '7', email: 'a@corp.example', emailVerified: true } }),
    )

  await t.test('tells every address, and the log in its words what is wrong', async (t) => {
    const served = await start()
    t.match(await login(served), { subject: '7', email: 'a@corp.example', emailVerified: true, login: null })
    t.equal(served.adapter.issuer, double.origin)
    t.equal(served.adapter.requiresIssuer?.(), true, 'the metadata say that `iss` always comes')
    t.ok(served.observations.some(({ endpoint, result }) => endpoint === 'discovery' && result === 200))
    const asked = await served.adapter.authorizeUrl({
      state: 's',
      redirectUri,
      nonce: 'n',
      loginHint: 'anna',
      prompt: 'select_account',
    })
    t.match(Object.fromEntries(asked.searchParams), {
      nonce: 'n',
      login_hint: 'anna',
      prompt: 'select_account',
    })
  })

  await t.test('holds the circuit open until it succeeds, and is repeated until then', async (t) => {
    double.fault('discovery', '503-html')
    const served = await start({ discovered: false })
    const grant = { code: 'c', state: 's', redirectUri, nonce: 'n', callbackParameters: {} }
    await served.ready()
    await eventually(async () => holds(discoveries() >= 4))
    t.equal(served.guard.state, 'open')
    t.equal(served.guard.works, false)
    t.strictSame(served.guard.allowsStart(), { allowed: false, retryAfter: 10 })
    t.match(await failureOf(served.guard.execute(() => identify(served, grant))), {
      kind: 'unavailable',
      codeUnspent: true,
      retryAfter: 10,
    })
    t.match(await failureOf(identify(served, grant)), { kind: 'unavailable', codeUnspent: true })
    served.guard.reset()
    t.equal(served.guard.state, 'open', 'there is nothing that a reset could mend')
    double.fault('discovery', undefined)
    await eventually(async () => holds(served.guard.state === 'closed'))
    t.strictSame(served.states, ['open', 'closed'])
    t.ok(await login(served))
  })

  await t.test('of another issuer, or without what a login needs, is a failure', async (t) => {
    const flaws: Record<string, unknown>[] = [
      { issuer: `${double.origin}/` },
      { issuer: 'https://accounts.example' },
      { issuer: undefined },
      { token_endpoint: undefined },
      { token_endpoint: 'http://provider.example/token' },
      { authorization_endpoint: 'javascript:alert(1)' },
      { jwks_uri: 7 },
      { userinfo_endpoint: 'not an address' },
      { id_token_signing_alg_values_supported: ['HS256', 'none'] },
    ]
    for (const flaw of flaws) {
      double.answer('discovery', await metadata(flaw))
      const served = await start({ discovered: false })
      double.requests.length = 0
      await served.ready()
      await eventually(async () => holds(discoveries() >= 2))
      t.equal(served.guard.works, false, JSON.stringify(flaw))
    }
  })

  await t.test('that fails later keeps the last good answer; one that changes is followed', async (t) => {
    const served = await start()
    double.fault('discovery', '503-html')
    double.requests.length = 0
    await eventually(async () => holds(discoveries() >= 2))
    t.ok(await login(served))
    t.equal(served.guard.state, 'closed')
    double.fault('discovery', undefined)
    const moved = `${double.origin}/token?moved=1`
    double.answer('discovery', await metadata({ token_endpoint: moved }))
    await eventually(async () => {
      await login(served)
      holds(requestsAt(double, 'TOKEN_URL').at(-1)?.query.get('moved') === '1')
    })
  })

  await t.test('decides how the client authenticates, unless the operator does', async (t) => {
    const cases = [
      [undefined, 'discovered', 'basic'],
      [['client_secret_post'], 'discovered', 'body'],
      [['client_secret_post', 'client_secret_basic'], 'discovered', 'basic'],
      [['private_key_jwt'], 'discovered', 'basic'],
      [['client_secret_post'], 'basic', 'basic'],
    ] as const
    for (const [methods, configured, used] of cases) {
      double.answer('discovery', await metadata({ token_endpoint_auth_methods_supported: methods }))
      await login(await start({}, configured))
      const { headers, body } = requestsAt(double, 'TOKEN_URL').at(-1) ?? never()
      t.equal(
        headers.authorization === undefined ? 'body' : 'basic',
        used,
        `${String(methods)}, ${configured}`,
      )
      t.equal(new URLSearchParams(body).has('client_secret'), used === 'body')
    }
  })

  await t.test('without a userinfo address the ID token says everything', async (t) => {
    double.answer('discovery', await metadata({ userinfo_endpoint: undefined }))
    const served = await start()
    double.requests.length = 0
    t.match(await login(served), { subject: '7', email: 'a@corp.example', emailVerified: true })
    t.equal(requestsAt(double, 'USERINFO_URL').length, 0)
  })

  await t.test('names the signatures of ID tokens', async (t) => {
    for (const algorithm of ['ES256', 'EdDSA', 'RS256'] as const) {
      double.switches.keys.rotate(algorithm)
      double.answer(
        'discovery',
        await metadata({ id_token_signing_alg_values_supported: [algorithm, 'HS256'] }),
      )
      t.ok(await login(await start()), algorithm)
    }
    double.answer('discovery', await metadata({ id_token_signing_alg_values_supported: ['ES256'] }))
    t.match(await failureOf(login(await start())), { kind: 'invalid_response' }, 'RS256 is not among them')
  })
})

await t.test('discovery is tried again after ten seconds, growing to sixty', (t) => {
  t.strictSame([1, 2, 3, 4, 5, 100].map(rediscoveryPause), [10_000, 20_000, 40_000, 60_000, 60_000, 60_000])
  t.end()
})

/** Something that is true sooner or later. */
function holds(condition: boolean): void {
  if (!condition) throw new Error('It has not come true.')
}

function never(): never {
  throw new Error('It is not there.')
}
