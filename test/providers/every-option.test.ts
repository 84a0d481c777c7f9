import { createHash } from 'node:crypto'
import t from 'tap'
import { serveDouble } from '../../sandbox/doubles/double.ts'
import type { RawResponse } from '../../sandbox/doubles/faults.ts'
import type { Grant } from '../../sandbox/doubles/grants.ts'
import { checkVerifier, grantState } from '../../sandbox/doubles/grants.ts'
import { IdTokenKeys } from '../../sandbox/doubles/id-token.ts'
import type {
  CommonSwitches,
  Context,
  EndpointRequest,
  ProviderRules,
} from '../../sandbox/doubles/provider-rules.ts'
import { commonSwitches, formOf, json, profileFields } from '../../sandbox/doubles/provider-rules.ts'
import { createIdTokenVerifier } from '../../src/providers/id-token.ts'
import { normalizeProfile, notTold } from '../../src/providers/profile.ts'
import { ProviderFailure } from '../../src/providers/provider.ts'
import { providerPlugin } from '../../src/providers/provider-plugin.ts'
import { isJsonObject } from '../../src/providers/response.ts'
import { ownValue, readProviders } from '../../src/providers/settings.ts'
import { runProviderConformance } from './provider-conformance.ts'
import { consented, failureOf, identify, redirectUri, requestsAt, serve } from './provider-setup.ts'

// A provider that differs in everything in which one may differ, each option used as its own file would: nothing of it
// needs a line in src/.

const issuer = { suffix: 'ISSUER', default: 'https://odd.example', meaning: 'Its name' }
const emailsUrl = {
  suffix: 'EMAILS_URL',
  default: 'https://odd.example/emails',
  meaning: 'Its list of emails',
}
const region = {
  suffix: 'REGION',
  kind: 'text',
  default: 'north',
  meaning: 'Where it looks',
  flaw: (value: string) => (/^[a-z]+$/.test(value) ? undefined : 'must be lower-case letters.'),
} as const
const pepper = { suffix: 'PEPPER', kind: 'secret', meaning: 'What its requests are signed with' } as const

const signature = (secret: string, code: string) =>
  createHash('sha256').update(`${secret}:${code}`).digest('hex')

const odd = providerPlugin({
  name: 'odd',
  title: { ru: 'Странный', en: 'Odd' },
  jurisdiction: 'other',
  gives: ['name', 'login', 'email'],
  accounts: ['left', 'right'],
  callbackMethod: 'POST',
  callbackParameters: { device: 'required', hint: 'optional' },
  isUsableParameter: (name, value) => name !== 'hint' || /^[a-z]+$/.test(value),
  denials: ['went_away'],
  issuer: (settings) => ownValue(settings, issuer),
  clientSecret: 'optional',
  pkceRequired: true,
  defaults: {
    authorizeUrl: 'https://odd.example/authorize',
    tokenUrl: 'https://odd.example/token',
    userinfoUrl: 'https://odd.example/person',
    scope: 'openid',
    tokenAuth: 'none',
  },
  variables: [issuer, emailsUrl, region, pepper],
  tokenRules: { accessToken: 'optional', tokenTypes: ['session'] },
  tokenErrors: ({ error, error_code: code }) =>
    error === 'no' && code === 17 ? 'invalid_grant' : code === 18 ? 'misconfigured' : undefined,
  adapter(client, settings, works) {
    works()
    const idTokens = createIdTokenVerifier({
      provider: 'odd',
      client,
      clientId: settings.clientId,
      issuer: ownValue(settings, issuer),
      jwksUrl: `${ownValue(settings, issuer)}/keys`,
      algorithms: ['ES256'],
      nonce: 'if-present',
    })
    return {
      background: [
        { name: 'keys', work: () => idTokens.refreshKeys() },
        { name: 'nothing', work: async () => {}, every: 1_000, again: () => 1_000 },
      ],
      requiresIssuer: () => true,
      authorizeUrl: (request) =>
        client.authorizeUrl(request, {
          account: request.providerAccount,
          region: ownValue(settings, region),
        }),
      async identify(grant, signal) {
        await idTokens.ready(signal)
        const { device = '', hint } = grant.callbackParameters
        const tokens = await client.exchange(grant, signal, {
          fields: { device, state: grant.state },
          headers: { 'x-signature': signature(ownValue(settings, pepper), grant.code) },
        })
        await idTokens.verify(tokens, grant.nonce, signal)
        const { accessToken } = tokens
        const request = { accessToken, form: { token: accessToken }, headers: { 'x-hint': hint ?? 'none' } }
        const person = await client.profile(request, signal)
        const emails = await client
          .list(
            'emails',
            new URL(ownValue(settings, emailsUrl)),
            { accessToken, headers: { authorization: `Bearer ${accessToken}` } },
            signal,
          )
          .catch((error: unknown): typeof notTold => {
            if (error instanceof ProviderFailure) return notTold
            throw error
          })
        return normalizeProfile({
          subject: person.number,
          name: [person.called],
          login: person.nick === 'secret' ? notTold : [person.nick],
          email:
            emails === notTold ? notTold : emails.flatMap((one) => (isJsonObject(one) ? [one.address] : [])),
        })
      },
    }
  },
})

interface OddSwitches extends CommonSwitches {
  accessToken: 'sent' | 'absent'
  readonly keys: IdTokenKeys
}

const paths = { authorize: '/authorize', token: '/token', userinfo: '/person' } as const

function oddRules(): ProviderRules<OddSwitches> {
  const keys = new IdTokenKeys()
  keys.rotate('ES256')
  const devices = new WeakMap<Grant, string>()
  const refused = (code: number, status = 200) => json(status, { error: 'no', error_code: code })

  async function token(request: EndpointRequest, context: Context<OddSwitches>): Promise<RawResponse> {
    const { client, grants, origin, switches } = context
    const form = formOf(request)
    if (switches.forgetClient || form.get('client_id') !== client.id || form.has('client_secret'))
      return refused(18)
    const grant = grants.byCode(form.get('code') ?? '')
    if (grant === undefined || grantState(grant, switches.codeLifetime) !== 'live') return refused(17)
    const signed = request.headers['x-signature'] === signature('red+hot', grant.code)
    const bound =
      form.get('device') === devices.get(grant) && form.get('state') === grant.request.get('state')
    if (!signed || !bound || checkVerifier(grant, form.get('code_verifier')) !== 'right') return refused(17)
    grant.used = true
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: origin, aud: client.id, sub: 'x', iat: now, exp: now + 60 }
    return json(200, {
      access_token:
        switches.accessToken === 'sent'
          ? grants.issue(grant, { access: 'o', refresh: 'r' }).access
          : undefined,
      token_type: 'session',
      id_token: await keys.sign(claims, ''),
      ...switches.tokenFields,
    })
  }

  const granted = (token: string | null, { grants, switches }: Context<OddSwitches>) =>
    grants.byAccessToken(token, switches.accessTokenLifetime)

  return {
    name: 'odd',
    title: odd.title,
    mark: { background: '#000', color: '#fff', lines: 'M4 4l16 16' },
    vouchesForEmail: false,
    gives: odd.gives,
    client: { id: 'odd-client', secret: '' },
    paths,
    pages: { client: { page: 'client', status: 400 }, redirectUri: { page: 'redirect', status: 400 } },
    defaultScopes: [],
    redirectUriOptional: false,
    callbackMethod: 'POST',
    userinfoMethod: 'POST',
    switches: () => ({ ...commonSwitches(), accessToken: 'sent', keys }),
    env: (origin) => ({ ODD_ISSUER: origin, ODD_EMAILS_URL: `${origin}/emails`, ODD_PEPPER: 'red+hot' }),
    flaw: () => undefined,
    mintCode: () => createHash('sha256').update(String(Math.random())).digest('hex'),
    callback: (grant) => {
      devices.set(grant, `device-of-${grant.code}`)
      return [
        ['code', grant.code],
        ['device', `device-of-${grant.code}`],
        ['hint', 'blue'],
      ]
    },
    errorParameters: (error) => [['error', error === 'access_denied' ? 'went_away' : error]],
    token,
    userinfo: (request, context) => {
      const grant = granted(formOf(request).get('token'), context)
      if (grant === undefined) return refused(19)
      const { id, name, login } = grant.person
      return json(200, profileFields(grant.person, { number: id, called: name, nick: login }))
    },
    routes: [
      { method: 'GET', path: '/keys', endpoint: 'jwks', respond: async () => json(200, await keys.jwks()) },
      {
        method: 'GET',
        path: '/emails',
        endpoint: 'emails',
        respond: (request, context) => {
          const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
          const grant = granted(token ?? null, context)
          if (grant === undefined) return refused(19)
          return json(200, grant.person.email === null ? [] : [{ address: grant.person.email }])
        },
      },
    ],
  }
}

await t.test('conformance', (t) =>
  runProviderConformance(t, {
    plugin: odd,
    startDouble: (options) => serveDouble(oddRules(), options),
    subjectField: 'number',
    tokenIn: ({ body }) => new URLSearchParams(body).get('token'),
    tokenAuths: ['none'],
    requests: 3,
    accessTokenOptional: true,
    profileOf: ({ id, name, login, email }) => ({ subject: id, name, login, email, emailVerified: null }),
  }),
)

await t.test('every option', async (t) => {
  const double = await serveDouble(oddRules(), { redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  const served = await serve(t, odd, double)

  await t.test('reaches the login flow', async (t) => {
    t.match(served.adapter, {
      callbackMethod: 'POST',
      callbackParameters: { device: 'required', hint: 'optional' },
      denials: ['went_away'],
      issuer: double.origin,
    })
    t.equal(served.adapter.requiresIssuer?.(), true)
    t.equal(served.adapter.isUsableParameter?.('hint', 'BLUE'), false)
    t.strictSame(odd.accounts, ['left', 'right'])
    const url = await served.adapter.authorizeUrl({
      state: 's',
      redirectUri,
      nonce: 'n',
      providerAccount: 'left',
    })
    t.equal(url.searchParams.get('account'), 'left')
    t.equal(url.searchParams.get('region'), 'north')
  })

  await t.test('own fields and headers go over ours, and none of them reaches the log', async (t) => {
    const grant = await consented(served, double)
    await identify(served, grant)
    const { body, headers } = requestsAt(double, 'TOKEN_URL').at(-1) ?? {}
    t.equal(new URLSearchParams(body).get('device'), grant.callbackParameters.device)
    const secrets = [grant.callbackParameters.device, grant.state, headers?.['x-signature'], grant.code]
    double.answer('token', { status: 400, body: JSON.stringify({ error: `odd ${secrets.join(' ')}` }) }, 1)
    const { message } = await failureOf(identify(served, grant))
    t.equal(message, 'odd token: HTTP 400, odd [removed] [removed] [removed] [removed]')
  })

  await t.test('what was not told is undefined, what there is none of is null', async (t) => {
    const login = async (raw: Record<string, unknown>) =>
      identify(served, await consented(served, double, { person: { raw } }))
    t.strictSame((await login({ nick: 'secret', called: undefined })).login, undefined)
    t.strictSame((await login({ called: undefined })).name, null)
    double.fault('emails', '200-html', 1)
    t.strictSame((await login({})).email, undefined)
  })

  await t.test('its own variables are of three kinds, and a missing one is named', (t) => {
    const problemsOf = (env: Record<string, string>) => {
      const problems: string[] = []
      readProviders(env, [odd], { loopback: false, problems })
      return problems
    }
    t.strictSame(problemsOf({}), [])
    t.strictSame(problemsOf({ ODD_CLIENT_ID: 'x', ODD_PEPPER: 'two\nlines' }), [])
    t.match(problemsOf({ ODD_CLIENT_ID: 'x' }), [/^ODD_PEPPER is missing: ODD_CLIENT_ID is set\.$/])
    t.match(problemsOf({ ODD_PEPPER: 'x' }), [/^ODD_CLIENT_ID is missing: ODD_PEPPER is set\.$/])
    const all = { ODD_CLIENT_ID: 'x', ODD_PEPPER: 'x' }
    t.match(problemsOf({ ...all, ODD_REGION: 'N' }), [/^ODD_REGION must be lower-case letters\.$/])
    t.match(problemsOf({ ...all, ODD_ISSUER: 'odd.example' }), [/^ODD_ISSUER must be an https address/])
    t.match(problemsOf({ ...all, ODD_PKCE: 'off' }), [/^ODD_PKCE=off is refused/])
    t.match(problemsOf({ ...all, ODD_TOKEN_AUTH: 'basic' }), [/^ODD_CLIENT_SECRET is missing/])
    t.strictSame(problemsOf({ ...all, ODD_TOKEN_AUTH: 'body', ODD_CLIENT_SECRET: 's' }), [])
    t.match(problemsOf({ ...all, ODD_CLIENT_SECRET: 's', ODD_TOKEN_AUTH: 'discovered' }), [
      /^ODD_TOKEN_AUTH must be one of basic, body, none\.$/,
    ])
    t.end()
  })
})
