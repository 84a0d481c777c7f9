import { generateKeyPairSync } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import t from 'tap'
import { apple } from '../../plugins/apple.ts'
import type { AppleSwitches } from '../../sandbox/doubles/apple.ts'
import { appleSubject, apple as rules } from '../../sandbox/doubles/apple.ts'
import type { DoubleOptions } from '../../sandbox/doubles/double.ts'
import { serveDouble } from '../../sandbox/doubles/double.ts'
import { readProviders } from '../../src/providers/settings.ts'
import { runProviderConformance } from '../providers/provider-conformance.ts'
import {
  consented,
  failureOf,
  identify,
  redirectUri,
  requestsAt,
  serve,
} from '../providers/provider-setup.ts'

/** A double whose people always consent for the first time. */
async function startForgetful(options: DoubleOptions) {
  const double = await serveDouble(rules(), options)
  double.switches.user = 'always'
  return double
}

await t.test('conformance', (t) =>
  runProviderConformance(t, {
    plugin: apple,
    startDouble: startForgetful,
    subjectField: 'sub',
    subjectIsText: true,
    tokenAuths: ['none'],
    ownSecret: /^ey[\w-]+\.ey[\w-]+\.[\w-]+$/,
    requests: 1,
    profileOf: ({ id, name, email, emailVerified }) => ({
      subject: appleSubject(id),
      login: null,
      name,
      email,
      emailVerified,
    }),
  }),
)

await t.test('Apple', async (t) => {
  const double = await serveDouble(rules(), { redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  const usual = { ...double.switches }
  t.beforeEach(() => {
    Object.assign(double.switches, usual)
    double.requests.length = 0
  })
  const served = await serve(t, apple, double)
  let people = 1000
  const newcomer = () => ({ id: String(people++), name: 'Анна Петрова', email: 'anna@mail.example' })
  const login = async (switches: Partial<AppleSwitches> = {}, person: object = newcomer()) => {
    Object.assign(double.switches, switches)
    return identify(served, await consented(served, double, { person }))
  }

  await t.test('the response is asked for as a form, with a nonce and nothing undocumented', async (t) => {
    t.match(served.adapter, { callbackMethod: 'POST', callbackParameters: { user: 'optional' } })
    t.strictSame(served.adapter.denials, ['user_cancelled_authorize'])
    const request = {
      state: 's',
      redirectUri,
      nonce: 'n-once',
      prompt: 'select_account',
      loginHint: 'x',
    } as const
    const { searchParams } = await served.adapter.authorizeUrl(request)
    t.equal(searchParams.get('response_mode'), 'form_post')
    t.equal(searchParams.get('nonce'), 'n-once')
    t.notOk(searchParams.has('prompt') || searchParams.has('login_hint'))
    const refused = await double.refuse((await served.adapter.authorizeUrl(request)).href)
    t.equal(new URL(refused).searchParams.get('error'), 'user_cancelled_authorize')
  })

  await t.test('a client secret is signed for each request, addressed to Apple alone', async (t) => {
    await login()
    await login()
    const secrets = requestsAt(double, 'TOKEN_URL').map(
      ({ body }) => new URLSearchParams(body).get('client_secret') ?? '',
    )
    t.equal(new Set(secrets).size, 2)
    const [secret = ''] = secrets
    const { iat = 0, exp = 0, ...claims } = decodeJwt(secret)
    t.match(decodeProtectedHeader(secret), { alg: 'ES256', kid: 'SANDBOXKEY' })
    t.strictSame(claims, {
      iss: 'SANDBOXTEAM',
      sub: served.settings.clientId,
      aud: 'https://appleid.apple.com',
    })
    t.equal(exp - iat, 300)
    t.not(double.env.APPLE_ISSUER, claims.aud, 'whatever APPLE_ISSUER says')
  })

  await t.test('the name comes once, and is then not told rather than erased', async (t) => {
    const person = newcomer()
    t.match(await login({}, person), { name: 'Анна Петрова' })
    const again = await login({}, person)
    t.equal(again.name, undefined)
    t.match(again, { email: 'anna@mail.example', login: null })
    t.match(
      await login({ user: 'always' }, person),
      { name: 'Анна Петрова' },
      'after the person removed the app',
    )
  })

  await t.test('email_verified may be text, and a relay address is an email as any other', async (t) => {
    for (const booleans of ['boolean', 'text'] as const) {
      t.match(await login({ booleans }, { ...newcomer(), emailVerified: true }), { emailVerified: true })
      t.match(await login({ booleans }, { ...newcomer(), emailVerified: false }), { emailVerified: false })
    }
    t.match(await login({ relay: true }), { email: /@privaterelay\./, emailVerified: true })
  })

  await t.test(
    'an email that stands in `user` alone is never verified, and none at all is not told',
    async (t) => {
      t.match(await login({ email: 'user-alone' }, { ...newcomer(), emailVerified: true }), {
        email: 'anna@mail.example',
        emailVerified: null,
      })
      const withdrawn = await login({ email: 'token' }, { ...newcomer(), email: null })
      t.strictSame([withdrawn.email, withdrawn.emailVerified], [undefined, null])
    },
  )

  await t.test('an email of the ID token that cannot be used vouches for none of `user`', async (t) => {
    const person = { ...newcomer(), emailVerified: true }
    const idTokenClaims = { email: '"a@b"@person.example', email_verified: 'true' }
    Object.assign(double.switches, { user: 'always', idTokenClaims })
    const grant = await consented(served, double, { person })
    const user = JSON.stringify({ email: 'victim@mail.example' })
    const { email, emailVerified } = await identify(served, { ...grant, callbackParameters: { user } })
    t.strictSame([email, emailVerified], [null, null])
  })

  await t.test('a `user` that is broken cannot be used; markup is only text', async (t) => {
    const isUsable = (value: string) => served.adapter.isUsableParameter?.('user', value)
    for (const broken of ['{"name":', '7', '"x"', '[]', 'null', '\ud800'])
      t.equal(isUsable(broken), false, broken)
    t.equal(isUsable('{}'), true)
    t.match(await login({ userForm: 'markup' }), { name: '<img src=x onerror=alert(1)> "&' })
    for (const user of ['{"name":7}', '{"name":{"firstName":7,"lastName":[]}}', '{"name":null,"email":{}}']) {
      const grant = await consented(served, double, { person: newcomer() })
      const { name, email } = await identify(served, { ...grant, callbackParameters: { user } })
      t.strictSame([name, email], [undefined, 'anna@mail.example'], user)
    }
  })

  await t.test('ID tokens are verified in full', async (t) => {
    const spoiled = [
      'wrong-nonce',
      'no-nonce',
      'wrong-aud',
      'wrong-iss',
      'expired',
      'alg-none',
      'wrong-at-hash',
    ] as const
    for (const idToken of spoiled)
      t.match(await failureOf(login({ idToken })), { kind: 'invalid_response', codeUnspent: false }, idToken)
  })

  await t.test('an application without PKCE works', async (t) => {
    double.switches.pkce = 'ignored'
    const without = await serve(t, apple, double, { env: { APPLE_PKCE: 'off' } })
    t.ok(await identify(without, await consented(without, double)))
  })
})

await t.test('team, key id and key are needed, and the key is one of P-256', (t) => {
  const pem = (namedCurve: string) =>
    generateKeyPairSync('ec', { namedCurve }).privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const all = {
    APPLE_CLIENT_ID: 'example.site',
    APPLE_TEAM_ID: 'A1B2C3D4E5',
    APPLE_KEY_ID: 'F6G7H8I9J0',
    APPLE_PRIVATE_KEY: pem('P-256'),
  }
  const problemsOf = (env: Record<string, string | undefined>) => {
    const problems: string[] = []
    readProviders({ ...all, ...env }, [apple], { loopback: false, problems })
    return problems
  }
  t.strictSame(problemsOf({}), [])
  t.strictSame(
    problemsOf({ APPLE_PRIVATE_KEY: pem('P-256').trim().replaceAll('\n', '\\n') }),
    [],
    'line ends as \\n',
  )
  for (const name of Object.keys(all))
    t.match(problemsOf({ [name]: undefined }), [new RegExp(`^${name} is missing`)])
  const unusable = [
    'no key',
    pem('P-384'),
    rsa.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  ]
  for (const key of unusable) {
    const problems = problemsOf({ APPLE_PRIVATE_KEY: key })
    t.match(problems, [/^APPLE_PRIVATE_KEY must be a P-256 key/])
    t.notOk(problems.join().includes(key))
  }
  t.match(problemsOf({ APPLE_TEAM_ID: 'A 1' }), [/^APPLE_TEAM_ID must be letters and digits/])
  t.end()
})
