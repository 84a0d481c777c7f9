import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { google } from '../../plugins/google.ts'
import { startGoogleDouble } from '../../sandbox/doubles/google.ts'
import type { IdTokenSpoiling } from '../../sandbox/doubles/id-token.ts'
import { runProviderConformance } from '../providers/provider-conformance.ts'
import type { ServeOptions } from '../providers/provider-setup.ts'
import {
  consented,
  failureOf,
  identify,
  redirectUri,
  requestsAt,
  serve,
  shortTimeouts,
} from '../providers/provider-setup.ts'

await t.test('conformance', (t) =>
  runProviderConformance(t, {
    plugin: google,
    startDouble: startGoogleDouble,
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

const spoilers = {
  absent: /missing/,
  garbage: /./,
  'wrong-aud': /"aud"/,
  'wrong-iss': /"iss"/,
  'wrong-nonce': /"nonce"/,
  'no-nonce': /"nonce"/,
  'wrong-azp': /"azp"/,
  'two-aud-no-azp': /"azp"/,
  'wrong-at-hash': /"at_hash"/,
  expired: /"exp"|"iat"/,
  'no-exp': /"exp"/,
  'issued-in-future': /"iat"/,
  'no-sub': /"sub"/,
  'other-sub': /another subject/,
  'unknown-kid': /no applicable key/,
  'bad-signature': /signature/,
  'alg-none': /alg/,
  'alg-hs256': /alg/,
} as const satisfies Record<IdTokenSpoiling, RegExp>

await t.test('Google', async (t) => {
  const double = await startGoogleDouble({ redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  const start = (t: Parameters<typeof serve>[0], options?: ServeOptions) => serve(t, google, double, options)
  const login = async (served: Awaited<ReturnType<typeof start>>, raw: Record<string, unknown> = {}) =>
    identify(
      served,
      await consented(served, double, { person: { email: 'g@gmail.example', emailVerified: true, raw } }),
    )
  const keyRequests = () => double.requests.filter(({ path }) => path.endsWith('/certs')).length
  t.beforeEach(() => {
    double.requests.length = 0
    double.fault('jwks', undefined)
    double.switches.idToken = undefined
    double.switches.idTokenClaims = {}
  })

  await t.test(
    'the authorization URL has nonce, prompt and login_hint; the adapter has the issuer',
    async (t) => {
      const { adapter } = await start(t)
      t.equal(adapter.issuer, double.origin)
      t.equal(adapter.jurisdiction, 'other')
      const request = { state: 's', redirectUri, nonce: 'n-once' }
      const plain = await adapter.authorizeUrl(request)
      t.equal(plain.searchParams.get('nonce'), 'n-once')
      t.equal(plain.searchParams.has('prompt'), false)
      const asked = await adapter.authorizeUrl({
        ...request,
        prompt: 'select_account',
        loginHint: 'g@gmail.example',
      })
      t.equal(asked.searchParams.get('prompt'), 'select_account')
      t.equal(asked.searchParams.get('login_hint'), 'g@gmail.example')
    },
  )

  await t.test('invalid ID tokens are rejected', async (t) => {
    const served = await start(t)
    for (const [spoiler, words] of Object.entries(spoilers) as [IdTokenSpoiling, RegExp][]) {
      double.switches.idToken = spoiler
      const failure = await failureOf(login(served))
      t.match(failure, { kind: 'invalid_response', codeUnspent: false }, spoiler)
      t.match(failure.message, words, spoiler)
    }
  })

  await t.test('a difference of up to a minute between the clocks is accepted', async (t) => {
    const served = await start(t)
    const now = Math.floor(Date.now() / 1000)
    const cases = [
      [{ iat: now + 40 }, true],
      [{ iat: now + 120 }, false],
      [{ iat: now - 630, exp: now - 40 }, true],
      [{ exp: now - 120 }, false],
      [{ iat: now - 900 }, false],
      [{ iat: undefined }, false],
    ] as const
    for (const [claims, accepted] of cases) {
      double.switches.idTokenClaims = claims
      if (accepted) t.ok(await login(served))
      else t.match(await failureOf(login(served)), { kind: 'invalid_response' })
    }
  })

  await t.test('an ID token with several audiences and the right azp is accepted', async (t) => {
    const served = await start(t)
    double.switches.idTokenClaims = { aud: [served.settings.clientId, 'another'] }
    t.ok(await login(served))
  })

  await t.test("userinfo of another person than the ID token's is rejected", async (t) => {
    const served = await start(t)
    t.match(await failureOf(login(served, { sub: '1' })), { kind: 'invalid_response', codeUnspent: false })
  })

  await t.test('only a boolean counts as email_verified', async (t) => {
    const served = await start(t)
    const cases = [
      [true, true],
      [false, false],
      ['true', null],
      [1, null],
      [undefined, null],
      [null, null],
    ] as const
    for (const [sent, kept] of cases)
      t.equal((await login(served, { email_verified: sent })).emailVerified, kept)
    t.match(await login(served, { email: undefined }), { email: null, emailVerified: null })
  })

  await t.test(
    'keys are fetched once for all logins, and not at once again for an unknown kid',
    async (t) => {
      const served = await start(t)
      await Promise.all([login(served), login(served), login(served)])
      t.equal(keyRequests(), 1, 'fetched once for logins at the same time')
      await login(served)
      t.equal(keyRequests(), 1, 'and cached')
      double.switches.idToken = 'unknown-kid'
      await failureOf(login(served))
      await failureOf(login(served))
      t.equal(keyRequests(), 1, 'an unknown kid does not fetch them again at once')
      t.match(
        served.observations.find(({ endpoint }) => endpoint === 'jwks'),
        { result: 200, provider: 'google' },
      )
    },
  )

  await t.test('a login without keys fails before the code is exchanged', async (t) => {
    for (const [fault, kind] of [
      ['503-html', 'unavailable'],
      ['hang', 'timeout'],
      ['reset', 'unavailable'],
      ['200-html', 'invalid_response'],
      ['json-array', 'invalid_response'],
      ['huge-body', 'invalid_response'],
      ['429', 'rate_limited'],
    ] as const) {
      const served = await start(t, fault === 'hang' ? { timeouts: shortTimeouts } : {})
      const grant = await consented(served, double)
      double.fault('jwks', fault, 2)
      double.requests.length = 0
      const failure = await failureOf(identify(served, grant))
      t.match(failure, { kind, codeUnspent: true }, fault)
      t.equal(failure.retryAfter, fault === '429' ? 7 : undefined)
      t.equal(requestsAt(double, 'TOKEN_URL').length, 0, 'the code was not sent')
      double.fault('jwks', undefined)
      t.ok(await identify(served, grant), 'the same code is accepted a little later')
    }
    for (const body of [
      '{"keys":7}',
      '{"keys":[]}',
      '{"keys":[1]}',
      '{"keys":[{"kty":"EC","crv":"P-256"}]}',
    ]) {
      const served = await start(t)
      double.answer('jwks', { status: 200, body }, 1)
      t.match(await failureOf(login(served)), { kind: 'invalid_response', codeUnspent: true }, body)
    }
  })

  await t.test(
    'keys are fetched before the first login, and stay in use while the JWKS URL fails',
    async (t) => {
      const served = await start(t)
      await served.ready()
      while (keyRequests() === 0) await sleep(10)
      double.fault('jwks', '503-html')
      t.ok(await login(served))
      t.equal(keyRequests(), 1)
    },
  )

  await t.test('the deadline of one login ends only its own wait for keys', async (t) => {
    const served = await start(t, { timeouts: shortTimeouts })
    double.fault('jwks', 'hang', 1)
    const [first, second] = [await consented(served, double), await consented(served, double)]
    const hurried = failureOf(served.adapter.identify(first, AbortSignal.timeout(100)))
    const patient = identify(served, second)
    t.match(await hurried, { kind: 'timeout', codeUnspent: true })
    t.ok(await patient, 'the second attempt to fetch the keys serves the login that still waits')
  })
})
