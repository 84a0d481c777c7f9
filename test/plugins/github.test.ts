import t from 'tap'
import { github } from '../../plugins/github.ts'
import { serveDouble } from '../../sandbox/doubles/double.ts'
import { github as rules } from '../../sandbox/doubles/github.ts'
import { runProviderConformance } from '../providers/provider-conformance.ts'
import {
  consented,
  failureOf,
  identify,
  redirectUri,
  serve,
  shortTimeouts,
} from '../providers/provider-setup.ts'

await t.test('conformance', (t) =>
  runProviderConformance(t, {
    plugin: github,
    startDouble: (options) => serveDouble(rules(), options),
    subjectField: 'id',
    tokenIn: ({ headers }) => /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1],
    requests: 3,
    profileOf: ({ id, login, name, email }) => ({ subject: id, login, name, email, emailVerified: true }),
  }),
)

await t.test('GitHub', async (t) => {
  const double = await serveDouble(rules(), { redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  const usual = { ...double.switches }
  t.beforeEach(() => {
    Object.assign(double.switches, usual)
    double.fault('emails', undefined)
  })
  const served = await serve(t, github, double)
  const login = async (person: object = {}, at = served) =>
    identify(
      at,
      await consented(at, double, { person: { email: 'anna@mail.example', emailVerified: true, ...person } }),
    )

  await t.test('the authorization URL has login and prompt', async (t) => {
    const request = {
      state: 's',
      redirectUri,
      nonce: 'n',
      prompt: 'select_account',
      loginHint: 'anna',
    } as const
    const { searchParams } = await served.adapter.authorizeUrl(request)
    t.equal(searchParams.get('login'), 'anna')
    t.equal(searchParams.get('prompt'), 'select_account')
    t.notOk(searchParams.has('nonce') || searchParams.has('login_hint'))
  })

  await t.test('only a primary and verified email counts', async (t) => {
    t.match(await login(), { email: 'anna@mail.example', emailVerified: true })
    t.match(await login({ emailVerified: false }), { email: null, emailVerified: null })
    t.match(await login({ email: null }), { email: null, emailVerified: null })
    double.switches.publicEmail = 'chosen@mail.example'
    t.match(await login({ emailVerified: false }), { email: null }, 'the one in the profile proves nothing')
    const one = 'a@mail.example'
    const lists = [
      [[], null],
      [[{ email: one, primary: false, verified: true }], null],
      [[{ email: one, primary: true, verified: 'true' }], null],
      [[null, 7, one, { email: one, primary: true, verified: true }], one],
      [[{ email: 7, primary: true, verified: true }], null],
    ] as const
    for (const [emails, email] of lists) {
      double.switches.emails = emails
      t.equal((await login()).email, email, JSON.stringify(emails))
    }
  })

  await t.test('a list of emails that cannot be read is not told, and costs nobody a login', async (t) => {
    const hasty = await serve(t, github, double, { timeouts: shortTimeouts })
    const faults = [
      '503-html',
      '429',
      '200-html',
      'reset',
      'hang',
      'json-null',
      'login-redirect',
      'huge-body',
    ] as const
    for (const fault of faults) {
      double.fault('emails', fault, 2)
      const profile = await login({}, hasty)
      t.strictSame([profile.email, profile.emailVerified], [undefined, null], fault)
      double.fault('emails', undefined)
    }
    double.fault('emails', '503-html', 1)
    t.match(await login(), { email: 'anna@mail.example' }, 'the second attempt reads it')
    const narrow = await serve(t, github, double, { env: { GITHUB_SCOPE: 'read:user' } })
    t.equal((await login({}, narrow)).email, undefined, 'without the scope the list is a 404')
  })

  await t.test('its errors come with 200, and say whose fault it is', async (t) => {
    const grant = await consented(served, double)
    const cases = [
      ['bad_verification_code', 'invalid_grant'],
      ['incorrect_client_credentials', 'misconfigured'],
      ['redirect_uri_mismatch', 'misconfigured'],
      ['Not Found', 'misconfigured'],
    ] as const
    for (const [error, kind] of cases) {
      double.answer('token', { status: 200, body: JSON.stringify({ error }) }, 1)
      t.match(await failureOf(identify(served, grant)), { kind }, error)
    }
    const { clientId, clientSecret } = served.settings
    const form = {
      client_id: clientId,
      client_secret: clientSecret,
      grant_type: 'authorization_code',
      code: 'x',
    }
    const body = new URLSearchParams(form)
    const response = await fetch(double.env.GITHUB_TOKEN_URL ?? '', {
      method: 'POST',
      body,
      headers: { accept: '*/*' },
    })
    t.equal(
      new URLSearchParams(await response.text()).get('error'),
      'bad_verification_code',
      'a form without Accept',
    )
  })
})
