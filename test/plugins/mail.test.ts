import t from 'tap'
import { mail } from '../../plugins/mail.ts'
import { startMailDouble } from '../../sandbox/doubles/mail.ts'
import { runProviderConformance } from '../providers/provider-conformance.ts'
import { consented, failureOf, identify, redirectUri, serve } from '../providers/provider-setup.ts'

await t.test('conformance', (t) =>
  runProviderConformance(t, {
    plugin: mail,
    startDouble: startMailDouble,
    subjectField: 'id',
    tokenIn: ({ query }) => query.get('access_token'),
    profileOf: ({ id, login, name, email }) => ({ subject: id, login, name, email, emailVerified: null }),
  }),
)

await t.test('Mail', async (t) => {
  const double = await startMailDouble({ redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  const served = await serve(t, mail, double)
  const login = async (raw: Record<string, unknown>) =>
    identify(served, await consented(served, double, { person: { id: '734604429', name: 'Яна Ким', raw } }))

  await t.test('the authorization URL has no undocumented parameters', async (t) => {
    const request = {
      state: 's',
      redirectUri,
      nonce: 'n',
      prompt: 'select_account',
      loginHint: 'kim',
    } as const
    const { searchParams } = await served.adapter.authorizeUrl(request)
    t.strictSame([...searchParams.keys()].sort(), [
      'client_id',
      'redirect_uri',
      'response_type',
      'scope',
      'state',
    ])
  })

  await t.test('error responses are recognised with any status', async (t) => {
    for (const status of [200, 400, 401] as const) {
      double.switches.errorStatus = status
      const grant = { code: 'never-seen', redirectUri, state: 's', nonce: 'n', callbackParameters: {} }
      t.match(
        await failureOf(identify(served, grant)),
        { kind: 'invalid_grant', codeUnspent: false },
        String(status),
      )
      double.switches.forgetClient = true
      t.match(await failureOf(identify(served, grant)), { kind: 'misconfigured' }, String(status))
      double.switches.forgetClient = false
      double.switches.accessTokenLifetime = 0
      t.match(
        await failureOf(login({})),
        { kind: 'invalid_response' },
        'at userinfo a refusal says nothing of the code',
      )
      double.switches.accessTokenLifetime = 3600
    }
  })

  await t.test('client_id is never taken for the subject', async (t) => {
    t.match(await login({}), { subject: '734604429' })
    t.match(await failureOf(login({ id: undefined })), { kind: 'invalid_response' })
    double.switches.userinfoShape = 'openid'
    t.match(await login({}), { subject: '734604429' })
    double.switches.userinfoShape = 'classic'
  })

  await t.test('requests have a User-Agent, and a login works if PKCE is ignored', async (t) => {
    double.switches.userAgentRequired = true
    double.switches.pkce = 'ignored'
    double.switches.bodyCredentials = 'refused'
    t.ok(await login({}))
  })

  await t.test('the name falls back to first and last name, then to the nickname', async (t) => {
    t.match(await login({ name: '' }), { name: 'Яна Ким' })
    t.match(await login({ name: '', first_name: '', last_name: '', nickname: 'yana' }), {
      name: 'yana',
      login: 'yana',
    })
    t.match(await login({ name: '', first_name: '', last_name: '', nickname: '' }), {
      name: null,
      login: null,
    })
    t.match(await login({ email: '' }), { email: null })
  })
})
