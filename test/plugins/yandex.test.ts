import t from 'tap'
import { yandex } from '../../plugins/yandex.ts'
import { startYandexDouble } from '../../sandbox/doubles/yandex.ts'
import { runProviderConformance } from '../providers/provider-conformance.ts'
import { consented, failureOf, identify, redirectUri, serve } from '../providers/provider-setup.ts'

await t.test('conformance', (t) =>
  runProviderConformance(t, {
    plugin: yandex,
    startDouble: startYandexDouble,
    subjectField: 'id',
    tokenIn: ({ headers }) => /^OAuth (\S+)$/.exec(headers.authorization ?? '')?.[1],
    profileOf: ({ id, login, name, email }) => ({ subject: id, login, name, email, emailVerified: null }),
  }),
)

await t.test('Yandex', async (t) => {
  const double = await startYandexDouble({ redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  const served = await serve(t, yandex, double)
  const login = async (raw: Record<string, unknown>) =>
    identify(
      served,
      await consented(served, double, { person: { email: 'kim@yandex.example', name: 'Ким Ли', raw } }),
    )

  await t.test('the authorization URL has force_confirm and login_hint', async (t) => {
    const request = { state: 's', redirectUri, nonce: 'n' }
    const plain = await served.adapter.authorizeUrl(request)
    t.equal(plain.searchParams.has('force_confirm'), false)
    t.equal(plain.searchParams.has('login_hint'), false)
    t.equal(plain.searchParams.has('nonce'), false)
    const asked = await served.adapter.authorizeUrl({
      ...request,
      prompt: 'select_account',
      loginHint: 'kim@yandex.example',
    })
    t.equal(asked.searchParams.get('force_confirm'), 'yes')
    t.equal(asked.searchParams.get('login_hint'), 'kim@yandex.example')
    t.equal(asked.searchParams.has('prompt'), false)
  })

  await t.test('userinfo is requested as JSON', async (t) => {
    await login({})
    t.equal(double.requests.at(-1)?.query.get('format'), 'json')
  })

  await t.test('an access token of another application is rejected', async (t) => {
    const failure = await failureOf(login({ client_id: 'another-application' }))
    t.match(failure, { kind: 'invalid_response', codeUnspent: false })
    t.ok(await login({ client_id: undefined }), 'an answer that does not say is not')
  })

  await t.test('name and email fall back to other fields', async (t) => {
    t.match(await login({ default_email: '' }), { email: 'kim@yandex.example' })
    t.match(await login({ default_email: '', emails: [null, 'second@yandex.example'] }), {
      email: 'second@yandex.example',
    })
    t.match(await login({ default_email: null, emails: [] }), { email: null, emailVerified: null })
    t.match(await login({ default_email: undefined, emails: 'kim@yandex.example' }), { email: null })
    t.match(await login({ real_name: '' }), { name: 'Ким Ли' })
    t.match(await login({ real_name: '', first_name: 'Ким', last_name: '' }), { name: 'Ким' })
    t.match(await login({ real_name: null, first_name: null, last_name: null, display_name: 'kimli' }), {
      name: 'kimli',
    })
    t.match(await login({ real_name: '', first_name: '', last_name: '', display_name: '', login: '' }), {
      name: null,
      login: null,
    })
  })

  await t.test("Yandex's other errors for a wrong code and a wrong client are recognised", async (t) => {
    double.switches.unknownCode = 'invalid_grant'
    const grant = { code: 'never-seen', redirectUri, state: 's', nonce: 'n', callbackParameters: {} }
    t.match(await failureOf(identify(served, grant)), { kind: 'invalid_grant' })
    double.switches.invalidClientStatus = 401
    double.switches.forgetClient = true
    t.match(await failureOf(identify(served, grant)), { kind: 'misconfigured' })
    double.switches.forgetClient = false
    double.answer('token', { status: 401, body: '{"error":"Malformed Authorization header"}' }, 1)
    t.match(await failureOf(identify(served, grant)), { kind: 'misconfigured' })
  })
})
