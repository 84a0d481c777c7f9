import { inspect } from 'node:util'
import type { Test } from 'tap'
import type { DoubleOptions, ProviderDouble, RecordedRequest } from '../../sandbox/doubles/double.ts'
import { endpoints } from '../../sandbox/doubles/faults.ts'
import type { DoublePerson } from '../../sandbox/doubles/people.ts'
import type { ProviderProfile } from '../../src/providers/provider.ts'
import type { ProviderPlugin } from '../../src/providers/provider-plugin.ts'
import type { TokenAuth } from '../../src/providers/settings.ts'
import {
  challengeOf,
  consented,
  failureOf,
  identify,
  redirectUri,
  requestsAt,
  serve,
} from './provider-setup.ts'
import { runTransportConformance } from './provider-transport.ts'

/** One provider, its double, and the profile that it must return for a person. */
export interface ConformanceSubject {
  readonly plugin: ProviderPlugin
  readonly startDouble: (options: DoubleOptions) => Promise<ProviderDouble>
  readonly profileOf: (
    person: Pick<DoublePerson, 'id' | 'login' | 'name' | 'email' | 'emailVerified'>,
  ) => ProviderProfile
  /** The access token of a userinfo request, from the only place where it may be; absent where there is no userinfo. */
  readonly tokenIn?: (request: RecordedRequest) => string | null | undefined
  /** The member of its userinfo response, or the claim of its ID token, that contains the subject. */
  readonly subjectField: string
  /** Whether that member is always text. */
  readonly subjectIsText?: true
  /** How its client can authenticate; `basic` and `body` where absent. */
  readonly tokenAuths?: readonly TokenAuth[]
  /** Whether the client's id is in the form beside HTTP Basic. */
  readonly idBesideBasic?: true
  /** What its client secret in the form looks like, where it is made for each request. */
  readonly ownSecret?: RegExp
  /** Whether its userinfo takes the client secret. */
  readonly secretInProfile?: true
  /** Whether its token response may come without an access token; so it is where there is no userinfo. */
  readonly accessTokenOptional?: true
  /** Requests to it in one login, without those for keys; two where absent. */
  readonly requests?: number
}

const ada = {
  id: '1000000000000000077',
  login: 'ada',
  name: 'Ада Лавлейс',
  email: 'Ada@EXAMPLE.com',
  emailVerified: true,
}

/** What every provider must do, against its double; a provider's own tests cover only its differences. */
export async function runProviderConformance(t: Test, subject: ConformanceSubject): Promise<void> {
  const { plugin, tokenIn, requests = 2 } = subject
  const prefix = plugin.name.toUpperCase()
  const { subject: adaSubject } = subject.profileOf(ada)
  const double = await subject.startDouble({ redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  const switches = { ...double.switches }
  t.beforeEach(() => {
    Object.assign(double.switches, switches)
    for (const endpoint of endpoints) {
      double.fault(endpoint, undefined)
      double.answer(endpoint, undefined)
    }
    double.requests.length = 0
  })
  const at = (address: 'TOKEN_URL' | 'USERINFO_URL') => requestsAt(double, address)

  await t.test('the adapter has name, titles and an initial state', async (t) => {
    const { adapter, guard } = await serve(t, plugin, double)
    t.equal(adapter.name, plugin.name)
    t.match(adapter.name, /^[a-z][a-z0-9]*$/, 'in capitals it begins the names of variables')
    t.not(adapter.title.ru, '')
    t.not(adapter.title.en, '')
    t.equal(adapter.pkce, true)
    t.equal(guard.state, 'closed')
    t.equal(guard.works, true)
  })

  await t.test('the callback route is registered in an encapsulated scope', async (t) => {
    const { default: Fastify } = await import('fastify')
    const { createProviderRegistry } = await import('../../src/providers/registry.ts')
    const { settings } = await serve(t, plugin, double)
    const app = Fastify()
    t.teardown(() => app.close())
    const scopes: unknown[] = []
    await app.register(plugin.plugin, {
      settings,
      registry: createProviderRegistry(),
      callbackRoute: ({ callbackMethod, name }) => ({
        method: callbackMethod,
        url: `/callback/${name}`,
        handler: async (request) => {
          scopes.push(request.server)
          return 'here'
        },
      }),
    })
    const { callbackMethod: method } = (await serve(t, plugin, double)).adapter
    const answer = await app.inject({ method, url: `/callback/${plugin.name}` })
    t.equal(answer.body, 'here')
    t.equal(scopes.length, 1)
    t.not(scopes[0], app, 'what it adds to its own scope does not reach other routes')
  })

  await t.test('the authorization URL has the parameters of RFC 6749 and RFC 7636', async (t) => {
    const { adapter, settings } = await serve(t, plugin, double, {
      env: { [`${prefix}_AUTHORIZE_URL`]: `${double.origin}/authorize?tenant=a%20b` },
    })
    const request = {
      state: 'st-ate_1',
      redirectUri,
      nonce: 'n-once',
      codeChallenge: challengeOf('v'.repeat(43)),
    }
    const { searchParams } = await adapter.authorizeUrl(request)
    t.equal(searchParams.get('tenant'), 'a b', 'the query of the configured address stays')
    t.equal(searchParams.get('response_type'), 'code')
    t.equal(searchParams.get('client_id'), settings.clientId)
    t.equal(searchParams.get('redirect_uri'), redirectUri)
    t.equal(searchParams.get('scope') ?? '', settings.scope)
    t.equal(searchParams.get('state'), 'st-ate_1')
    t.equal(searchParams.get('code_challenge'), request.codeChallenge)
    t.equal(searchParams.get('code_challenge_method'), 'S256')
    t.equal(searchParams.has('client_secret'), false)
    const again = await adapter.authorizeUrl({ state: 's', redirectUri, nonce: 'n' })
    t.equal(again.searchParams.has('code_challenge'), false, 'no challenge where PKCE is off')
    t.equal(again.searchParams.has('code_challenge_method'), false)
  })

  await t.test('a login returns the profile with one token and one userinfo request', async (t) => {
    const served = await serve(t, plugin, double)
    const grant = await consented(served, double, { person: ada })
    const profile = await identify(served, grant)
    t.strictSame(profile, subject.profileOf({ ...ada, email: 'Ada@example.com' }))
    const told = (['name', 'login', 'email'] as const).filter((field) => profile[field] !== null)
    t.strictSame(told, [...served.adapter.gives].toSorted(inOrderOfProfile), 'all that it gives, and no more')
    t.equal(at('TOKEN_URL').length, 1)
    t.equal(at('USERINFO_URL').length, tokenIn ? 1 : 0)
    t.strictSame(
      served.observations
        .filter(({ endpoint }) => endpoint === 'token' || endpoint === 'userinfo')
        .map(({ provider, endpoint, result }) => [provider, endpoint, result]),
      [[plugin.name, 'token', 200], ...(tokenIn ? [[plugin.name, 'userinfo', 200]] : [])],
    )
  })

  await t.test(`a second login makes ${requests} requests`, async (t) => {
    const served = await serve(t, plugin, double)
    await identify(served, await consented(served, double))
    const grant = await consented(served, double)
    double.requests.length = 0
    await identify(served, grant)
    t.equal(double.requests.length, requests)
  })

  for (const tokenAuth of subject.tokenAuths ?? (['basic', 'body'] as const))
    await t.test(`credentials and token are sent in one place only (${tokenAuth})`, async (t) => {
      const served = await serve(t, plugin, double, {
        env: { [`${prefix}_TOKEN_AUTH`]: tokenAuth },
      })
      const { clientId, clientSecret } = served.settings
      const grant = await consented(served, double, { person: ada })
      await identify(served, grant)
      const [token] = at('TOKEN_URL')
      const [userinfo] = at('USERINFO_URL')
      if (token === undefined || (tokenIn && !userinfo)) throw new Error('a request is missing')
      const form = new URLSearchParams(token.body)
      t.equal(token.method, 'POST')
      t.equal(token.headers.connection, 'close', 'on a connection of its own, which is not kept')
      t.equal(token.query.size, 0)
      t.equal(token.headers['content-type'], 'application/x-www-form-urlencoded')
      t.equal(form.get('grant_type'), 'authorization_code')
      t.equal(form.get('code'), grant.code)
      t.equal(form.get('redirect_uri'), redirectUri)
      t.equal(form.get('code_verifier'), grant.codeVerifier)
      const basic = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
      t.equal(token.headers.authorization, tokenAuth === 'basic' ? basic : undefined)
      if (subject.ownSecret) t.match(form.get('client_secret'), subject.ownSecret)
      else t.equal(form.get('client_secret'), tokenAuth === 'body' ? clientSecret : null)
      const named = tokenAuth !== 'basic' || subject.idBesideBasic === true
      t.equal(form.get('client_id'), named ? clientId : null)
      for (const { headers } of double.requests) {
        t.match(headers['user-agent'], /^auth-movies\/\d/)
        t.equal(headers['accept-encoding'], 'identity')
      }
      if (userinfo === undefined) return

      t.equal(userinfo.headers.connection, 'keep-alive')
      const accessToken = tokenIn?.(userinfo)
      t.ok(accessToken)
      const text = inspect([userinfo.headers, [...userinfo.query], userinfo.body])
      t.equal(text.split(String(accessToken)).length, 2, 'the access token is in one place')
      if (clientSecret !== '') t.equal(text.includes(clientSecret), subject.secretInProfile === true)
    })

  await t.test('profiles without email or name, or with unknown fields, are accepted', async (t) => {
    const served = await serve(t, plugin, double)
    const login = async (person: Partial<DoublePerson>) =>
      identify(served, await consented(served, double, { person: { ...ada, ...person } }))
    const { email, emailVerified } = await login({ email: null })
    t.strictSame([email ?? null, emailVerified], [null, null])
    t.match(await login({ name: '' }), { subject: adaSubject })
    t.match(await login({ name: 'Zoë O’Neil 李' }), { name: 'Zoë O’Neil 李' })
    t.match(await login({ raw: { unheard_of: { deeply: ['nested'] }, emails_count: 7 } }), {
      subject: adaSubject,
    })
  })

  if (subject.subjectIsText !== true)
    await t.test('numeric ids keep their digits', async (t) => {
      const served = await serve(t, plugin, double)
      for (const id of ['9007199254740993', '9007199254740992', '900719925474099300000000000001', '42']) {
        const person = { ...ada, id, raw: { [subject.subjectField]: BigInt(id) } }
        t.equal((await identify(served, await consented(served, double, { person }))).subject, id)
      }
    })

  await t.test('a profile without a usable id is rejected', async (t) => {
    const served = await serve(t, plugin, double)
    for (const id of [
      undefined,
      null,
      '',
      ' ',
      0,
      false,
      true,
      {},
      [],
      ['1'],
      1.5,
      'a\u0000b',
      '\ud800',
      'x'.repeat(256),
    ]) {
      const person = { ...ada, raw: { [subject.subjectField]: id } }
      const failure = await failureOf(identify(served, await consented(served, double, { person })))
      t.match(failure, { kind: 'invalid_response', codeUnspent: false }, inspect(id))
    }
  })

  await t.test('a used, unknown or expired code is invalid_grant', async (t) => {
    const served = await serve(t, plugin, double)
    const grant = await consented(served, double)
    await identify(served, grant)
    const refused = async (title: string, work: Promise<unknown>) => {
      const failure = await failureOf(work)
      t.match(failure, { kind: 'invalid_grant', codeUnspent: false }, title)
      t.equal(failure.retryAfter, undefined)
    }
    await refused('used', identify(served, grant))
    await refused('made up', identify(served, { ...grant, code: 'made-up' }))
    double.switches.codeLifetime = 0
    await refused('expired', identify(served, await consented(served, double)))
    double.switches.codeLifetime = 600
    const other = await consented(served, double)
    await refused('another verifier', identify(served, { ...other, codeVerifier: 'w'.repeat(43) }))
    t.equal(at('USERINFO_URL').length, tokenIn ? 1 : 0, 'a refused code leads to no profile request')
  })

  await t.test('a code is sent exactly as it came', async (t) => {
    const served = await serve(t, plugin, double)
    for (const code of ['4/0A+b c=d&e%2F', 'кодий', '7']) {
      const grant = await consented(served, double, { code })
      t.equal(grant.code, code)
      await identify(served, grant)
      t.equal(new URLSearchParams(at('TOKEN_URL').at(-1)?.body).get('code'), code)
    }
  })

  await t.test('wrong client credentials are misconfigured', async (t) => {
    const served = await serve(t, plugin, double)
    const grant = await consented(served, double)
    double.switches.forgetClient = true
    const failure = await failureOf(identify(served, grant))
    t.match(failure, { kind: 'misconfigured', codeUnspent: false })
  })

  await t.test('unusable token responses are rejected, unusual ones accepted', async (t) => {
    const served = await serve(t, plugin, double)
    const unusable = [
      ...(tokenIn && !subject.accessTokenOptional
        ? [{ access_token: undefined }, { access_token: '' }, { access_token: null }]
        : []),
      { access_token: 7 },
      { access_token: 'in\r\njected: 1' },
      { access_token: 'ключ' },
      { token_type: 'mac' },
      { error: 'strange new error' },
      { error: { code: 1 } },
    ]
    for (const fields of unusable) {
      double.switches.tokenFields = fields
      const failure = await failureOf(identify(served, await consented(served, double)))
      t.match(failure, { kind: 'invalid_response', codeUnspent: false }, inspect(fields))
    }
    for (const fields of [
      { token_type: 'BEARER' },
      { token_type: null },
      { expires_in: 'soon' },
      { error: null },
    ]) {
      double.switches.tokenFields = fields
      t.ok(await identify(served, await consented(served, double)), inspect(fields))
    }
  })

  if (tokenIn)
    await t.test('an access token that userinfo rejects is invalid_response', async (t) => {
      const served = await serve(t, plugin, double)
      double.switches.accessTokenLifetime = 0
      const failure = await failureOf(identify(served, await consented(served, double)))
      t.match(failure, { kind: 'invalid_response', codeUnspent: false })
    })

  if (plugin.pkceRequired !== true)
    await t.test('without PKCE no verifier is sent', async (t) => {
      const served = await serve(t, plugin, double, { env: { [`${prefix}_PKCE`]: 'off' } })
      t.equal(served.adapter.pkce, false)
      t.ok(await identify(served, await consented(served, double)))
      t.equal(new URLSearchParams(at('TOKEN_URL')[0]?.body).has('code_verifier'), false)
    })

  await runTransportConformance(t, subject, double)
}

/** The fields of a profile, in the order in which tests list them. */
function inOrderOfProfile(one: string, other: string): number {
  const fields = ['name', 'login', 'email']
  return fields.indexOf(one) - fields.indexOf(other)
}
