import t from 'tap'
import { telegram } from '../../plugins/telegram.ts'
import type { DoubleOptions } from '../../sandbox/doubles/double.ts'
import { serveDouble } from '../../sandbox/doubles/double.ts'
import { botToken, telegram as rules } from '../../sandbox/doubles/telegram.ts'
import { runProviderConformance } from '../providers/provider-conformance.ts'
import type { ServeOptions } from '../providers/provider-setup.ts'
import { consented, failureOf, identify, redirectUri, serve } from '../providers/provider-setup.ts'

/** A double that repeats the nonce, without which nobody logs in where PKCE is off. */
async function startEchoing(options: DoubleOptions) {
  const double = await serveDouble(rules(), options)
  double.switches.nonce = 'echoed'
  return double
}

await t.test('conformance', (t) =>
  runProviderConformance(t, {
    plugin: telegram,
    startDouble: startEchoing,
    subjectField: 'id',
    tokenAuths: ['basic'],
    idBesideBasic: true,
    requests: 1,
    profileOf: ({ id, login, name }) => ({ subject: id, login, name, email: null, emailVerified: null }),
  }),
)

await t.test('Telegram', async (t) => {
  const double = await serveDouble(rules(), { redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  const usual = { ...double.switches }
  t.beforeEach(() => {
    Object.assign(double.switches, usual)
    double.requests.length = 0
  })
  const start = (options?: ServeOptions) => serve(t, telegram, double, options)
  const served = await start()
  const login = async (raw: Record<string, unknown> = {}, at = served) =>
    identify(at, await consented(at, double, { person: { id: '5550001', name: 'Анна', login: 'anna', raw } }))

  await t.test('the authorization URL has a nonce, and nothing that leads to the old widget', async (t) => {
    const request = {
      state: 's',
      redirectUri,
      nonce: 'n-once',
      prompt: 'select_account',
      loginHint: 'x',
    } as const
    const { searchParams } = await served.adapter.authorizeUrl(request)
    t.strictSame([...searchParams.keys()].toSorted(), [
      'client_id',
      'nonce',
      'redirect_uri',
      'response_type',
      'scope',
      'state',
    ])
  })

  await t.test('the subject is `id`, a number or text, and never `sub`', async (t) => {
    for (const id of ['number', 'string'] as const) {
      double.switches.id = id
      t.match(await login(), { subject: '5550001', name: 'Анна', login: 'anna' })
    }
    t.match(await failureOf(login({ id: undefined })), { kind: 'invalid_response', message: /subject/ })
    const strict = await start({ env: { TELEGRAM_SCOPE: 'openid' } })
    t.match(
      await failureOf(login({}, strict)),
      { kind: 'invalid_response' },
      'without `profile` there is no `id`',
    )
  })

  await t.test('a missing nonce is tolerated, a wrong one is not', async (t) => {
    t.ok(await login())
    double.switches.nonce = 'echoed'
    t.ok(await login())
    for (const nonce of ['of-another-login', '', 7, null]) {
      double.switches.idTokenClaims = { nonce }
      t.match(await failureOf(login()), { kind: 'invalid_response', message: /nonce/ }, String(nonce))
    }
  })

  await t.test('without PKCE the nonce alone binds a code to its login, so it must come', async (t) => {
    const unbound = await start({ env: { TELEGRAM_PKCE: 'off' } })
    t.match(await failureOf(login({}, unbound)), { kind: 'invalid_response', message: /nonce/ })
    double.switches.nonce = 'echoed'
    t.ok(await login({}, unbound))
  })

  await t.test('an audience that is a number or a list is compared as text', async (t) => {
    for (const audience of ['string', 'number', 'list'] as const) {
      double.switches.audience = audience
      t.ok(await login(), audience)
    }
    for (const aud of [7654321099, '765432109', ['7654321099'], undefined, null, {}]) {
      double.switches.idTokenClaims = { aud }
      t.match(await failureOf(login()), { kind: 'invalid_response', message: /aud/ }, JSON.stringify(aud))
    }
  })

  await t.test('ID tokens may be signed with RS256, ES256 or EdDSA, and keys may change', async (t) => {
    for (const algorithm of ['ES256', 'EdDSA', 'RS256'] as const) {
      double.switches.keys.rotate(algorithm)
      t.ok(await login({}, await start()), algorithm)
    }
    const spoiled = [
      'alg-none',
      'alg-hs256',
      'bad-signature',
      'expired',
      'wrong-iss',
      'wrong-aud',
      'absent',
    ] as const
    for (const spoiling of spoiled) {
      double.switches.idToken = spoiling
      t.match(await failureOf(login({}, await start())), { kind: 'invalid_response' }, spoiling)
    }
  })

  await t.test('an access token is not needed', async (t) => {
    double.switches.accessToken = 'absent'
    t.ok(await login({}, await start()))
  })

  await t.test("the bot's own token is no client secret", async (t) => {
    const mistaken = await start({ env: { TELEGRAM_CLIENT_SECRET: botToken } })
    t.match(await failureOf(login({}, mistaken)), { kind: 'misconfigured' })
  })

  await t.test('a person may have neither a name nor an @name; a phone number is not kept', async (t) => {
    const nobody = {
      name: undefined,
      given_name: undefined,
      family_name: undefined,
      preferred_username: undefined,
    }
    const served = await start()
    t.match(await login(nobody, served), { name: null, login: null })
    t.match(await login({ name: undefined, given_name: 'Яна', family_name: 'Ким' }, served), {
      name: 'Яна Ким',
    })
    const profile = await login({}, await start({ env: { TELEGRAM_SCOPE: 'openid profile phone' } }))
    t.notMatch(JSON.stringify(profile), '79991234567')
  })

  await t.test('the real one allows no redirect URI without TLS', async (t) => {
    double.switches.plainHttp = 'refused'
    await t.rejects(consented(served, double), { name: 'AuthorizationRefused' })
  })
})
