import t from 'tap'
import { tid } from '../../plugins/tid.ts'
import { serveDouble } from '../../sandbox/doubles/double.ts'
import { tid as rules, subjectOf } from '../../sandbox/doubles/tid.ts'
import { runProviderConformance } from '../providers/provider-conformance.ts'
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
    plugin: tid,
    startDouble: (options) => serveDouble(rules(), options),
    subjectField: 'sub',
    tokenIn: ({ headers }) => /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1],
    tokenAuths: ['basic'],
    secretInProfile: true,
    profileOf: ({ id, name }) => ({
      subject: subjectOf(id),
      login: null,
      name,
      email: null,
      emailVerified: null,
    }),
  }),
)

await t.test('T-ID', async (t) => {
  const double = await serveDouble(rules(), { redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  const served = await serve(t, tid, double)
  const login = async (raw: Record<string, unknown> = {}) =>
    identify(served, await consented(served, double, { person: { id: '7', name: 'Анна Петрова', raw } }))

  await t.test('the authorization URL has neither a scope nor undocumented parameters', async (t) => {
    const request = { state: 's', redirectUri, nonce: 'n', prompt: 'select_account', loginHint: 'x' } as const
    const { searchParams } = await served.adapter.authorizeUrl(request)
    t.strictSame([...searchParams.keys()].toSorted(), ['client_id', 'redirect_uri', 'response_type', 'state'])
  })

  await t.test('userinfo is a POST with token and credentials', async (t) => {
    await login()
    const request = requestsAt(double, 'USERINFO_URL').at(-1)
    t.equal(request?.method, 'POST')
    t.equal(
      request?.body,
      new URLSearchParams({
        client_id: served.settings.clientId,
        client_secret: served.settings.clientSecret,
      }).toString(),
    )
    const url = double.env.TID_USERINFO_URL ?? ''
    t.equal((await fetch(url)).status, 405, 'the double refuses a GET')
    t.equal((await fetch(url, { method: 'POST' })).status, 401, 'and a POST without a token')
  })

  await t.test('two people are two subjects, and `id` is none', async (t) => {
    const [one, two] = [await login(), await login({ sub: subjectOf('8') })]
    t.not(one.subject, two.subject)
    t.match(one.subject, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    t.match(await failureOf(login({ sub: undefined, id: '7' })), { kind: 'invalid_response' })
  })

  await t.test('the given name goes before the family name', async (t) => {
    t.match(await login(), { name: 'Анна Петрова' })
    t.match(await login({ given_name: undefined, family_name: undefined, name: 'Петрова Анна' }), {
      name: 'Петрова Анна',
    })
  })

  await t.test('a phone number that was unticked, and an email by contract, change nothing', async (t) => {
    double.switches.phone = 'unticked'
    t.match(await login({ email: 'anna@mail.example' }), { email: null, emailVerified: null })
    double.switches.phone = 'given'
    double.switches.userinfoForm = 'ignored'
    t.ok(await login())
  })

  await t.test('its double tells and ends tokens as the bank does', async (t) => {
    await login()
    const token = /^Bearer (\S+)$/.exec(
      requestsAt(double, 'USERINFO_URL').at(-1)?.headers.authorization ?? '',
    )
    const { clientId, clientSecret } = served.settings
    const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
    const ask = async (path: string) => {
      const body = new URLSearchParams({ token: token?.[1] ?? '' })
      const response = await fetch(double.origin + path, { method: 'POST', body, headers: { authorization } })
      const told: unknown = await response.json()
      return told
    }
    t.match(await ask('/auth/introspect'), { active: true, scope: ['profile', 'phone'] })
    await ask('/auth/revoke')
    t.strictSame(await ask('/auth/introspect'), { active: false })
  })
})
