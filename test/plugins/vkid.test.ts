import t from 'tap'
import { vkid } from '../../plugins/vkid.ts'
import { serveDouble } from '../../sandbox/doubles/double.ts'
import { vkid as rules } from '../../sandbox/doubles/vkid.ts'
import { readProviders } from '../../src/providers/settings.ts'
import { runProviderConformance } from '../providers/provider-conformance.ts'
import type { ServeOptions } from '../providers/provider-setup.ts'
import {
  consented,
  failureOf,
  identify,
  redirectUri,
  requestsAt,
  serve,
} from '../providers/provider-setup.ts'

await t.test('conformance', (t) =>
  runProviderConformance(t, {
    plugin: vkid,
    startDouble: (options) => serveDouble(rules(), options),
    subjectField: 'user_id',
    tokenIn: ({ body }) => new URLSearchParams(body).get('access_token'),
    tokenAuths: ['none'],
    profileOf: ({ id, name, email }) => ({ subject: id, login: null, name, email, emailVerified: null }),
  }),
)

await t.test('VK ID', async (t) => {
  const double = await serveDouble(rules(), { redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  const usual = { ...double.switches }
  t.beforeEach(() => {
    Object.assign(double.switches, usual)
    double.requests.length = 0
  })
  const login = async (raw: Record<string, unknown> = {}, options: ServeOptions = {}) => {
    const served = await serve(t, vkid, double, options)
    return identify(served, await consented(served, double, { person: { id: '4242', raw } }))
  }
  const form = () => new URLSearchParams(requestsAt(double, 'TOKEN_URL').at(-1)?.body)

  await t.test('the account within VK ID and the choice of account are passed on', async (t) => {
    const { adapter } = await serve(t, vkid, double)
    t.strictSame(adapter.callbackParameters, { device_id: 'required' })
    const request = { state: 's', redirectUri, nonce: 'n' }
    const asked = async (more: object) => {
      const { searchParams } = await adapter.authorizeUrl({ ...request, ...more })
      return [searchParams.get('provider'), searchParams.get('prompt'), searchParams.get('nonce')]
    }
    t.strictSame(await asked({}), [null, null, null])
    t.strictSame(await asked({ providerAccount: 'ok_ru' }), ['ok_ru', 'login', null])
    t.strictSame(await asked({ providerAccount: 'mail_ru', prompt: 'select_account' }), [
      'mail_ru',
      'login select_account',
      null,
    ])
    t.strictSame(await asked({ prompt: 'select_account' }), [null, 'select_account', null])
    t.strictSame(await asked({ providerAccount: 'of_another_provider' }), [null, null, null])
  })

  await t.test('the exchange has device and state, and neither a secret nor Basic', async (t) => {
    double.switches.stateRule = 'enforced'
    const served = await serve(t, vkid, double)
    const grant = await consented(served, double)
    t.ok(await identify(served, grant))
    t.equal(form().get('device_id'), grant.callbackParameters.device_id)
    t.equal(form().get('state'), grant.state)
    t.strictSame([...form().keys()].toSorted(), [
      'client_id',
      'code',
      'code_verifier',
      'device_id',
      'grant_type',
      'redirect_uri',
      'state',
    ])
  })

  await t.test(
    'a secret is sent as a service token, or as a client secret where the operator says so',
    async (t) => {
      t.ok(await login({}, { env: { VKID_CLIENT_SECRET: 'the-service-token' } }))
      t.equal(form().get('service_token'), 'the-service-token')
      t.equal(form().has('client_secret'), false)
      const body = { VKID_CLIENT_SECRET: 'the-service-token', VKID_TOKEN_AUTH: 'body' }
      t.match(await failureOf(login({}, { env: body })), { kind: 'invalid_response' }, 'a 404 in HTML')
      double.switches.clientSecret = 'accepted'
      t.ok(await login({}, { env: body }))
      t.equal(form().get('client_secret'), 'the-service-token')
      t.equal(form().has('service_token'), false)
    },
  )

  await t.test('a state of another login refuses the login; an empty or absent one does not', async (t) => {
    double.switches.tokenState = 'other'
    t.match(await failureOf(login()), { kind: 'invalid_response', codeUnspent: false, message: /state/ })
    for (const state of ['echoed', 'empty', 'absent'] as const) {
      double.switches.tokenState = state
      t.ok(await login(), state)
    }
  })

  await t.test('the ids of both responses are compared as text', async (t) => {
    for (const userId of ['string', 'number'] as const) {
      double.switches.userId = userId
      t.match(await login(), { subject: '4242' })
    }
    double.switches.tokenFields = { user_id: 4243 }
    t.match(await failureOf(login()), { kind: 'invalid_response', message: /another person/ })
    for (const absent of [undefined, null]) {
      double.switches.tokenFields = { user_id: absent }
      t.match(await login(), { subject: '4242' })
    }
  })

  await t.test('refusals of code, verifier and device are those of a code', async (t) => {
    const served = await serve(t, vkid, double)
    const grant = await consented(served, double)
    const wrong = [
      { ...grant, codeVerifier: 'w'.repeat(43) },
      { ...grant, callbackParameters: { device_id: 'of-another-code' } },
      { ...grant, code: 'made-up' },
    ]
    for (const one of wrong)
      t.match(await failureOf(identify(served, one)), { kind: 'invalid_grant', codeRefused: true })
    double.answer(
      'token',
      {
        status: 200,
        body: '{"error":"invalid_request","error_description":"client_id is missing"}',
      },
      1,
    )
    t.match(await failureOf(identify(served, grant)), { kind: 'misconfigured' })
    double.switches.tooMany = 'slow_down'
    t.match(await failureOf(identify(served, grant)), { kind: 'rate_limited', codeUnspent: true })
  })

  await t.test(
    'what the service adds to the exchange does not reach the log when it is repeated',
    async (t) => {
      const served = await serve(t, vkid, double, { env: { VKID_CLIENT_SECRET: 'the-service-token' } })
      const grant = await consented(served, double)
      const device = grant.callbackParameters.device_id ?? ''
      const description = `bad ${device} ${encodeURIComponent(grant.state)} the-service-token`
      const body = JSON.stringify({ error: 'strange', error_description: description })
      double.answer('token', { status: 200, body }, 1)
      const { message } = await failureOf(identify(served, grant))
      t.equal(message, 'vkid token: HTTP 200, strange, bad [removed] [removed] [removed]')
    },
  )

  await t.test('no email is the normal case of an account that was made by phone', async (t) => {
    t.match(await login({ email: undefined }), { email: null, emailVerified: null })
    t.match(
      await login({ verified: true }),
      { emailVerified: null },
      'the account is verified, not the email',
    )
  })

  await t.test('without PKCE the service does not start', (t) => {
    const problems: string[] = []
    const env = { VKID_CLIENT_ID: '1', VKID_PKCE: 'off' }
    readProviders(env, [vkid], { loopback: false, problems })
    t.match(problems, [/^VKID_PKCE=off is refused/])
    t.end()
  })
})
