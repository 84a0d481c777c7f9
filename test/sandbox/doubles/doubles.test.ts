import t from 'tap'
import {
  authorizeUrl,
  challenge,
  consent,
  doubles,
  exchange,
  logIn,
  redirectUri,
  setting,
  userinfo,
  verifier,
} from './plain-client.ts'

const states = ['plain', 'a+b/c=d%2F&e', 'пробел и ё', 'x'.repeat(2000), '%00%0d%0a']
const codes = ['abc123', '4/0AbC-_d.e~f', 'a%2Fb+c=d&e/f', 'c'.repeat(2000), '1234567']

for (const { name, start, ...expected } of doubles)
  t.test(name, async (t) => {
    const double = await start({ redirectUris: [redirectUri] })
    t.teardown(() => double.close())
    const codeOf = (callback: string) => new URL(callback).searchParams.get('code')

    t.test('an unregistered client or redirect URI gets a page and no redirect', async (t) => {
      const wrong = [
        { client_id: 'another' },
        { client_id: undefined },
        { redirect_uri: `${redirectUri}&more=1` },
        { redirect_uri: redirectUri.replace('https', 'http') },
        { redirect_uri: redirectUri.replace('callback', 'callback/') },
        { redirect_uri: redirectUri.replace('auth', 'AUTH') },
      ]
      for (const changes of wrong) {
        const url = authorizeUrl(double, changes)
        const response = await fetch(url, { redirect: 'manual' })
        t.ok(response.status >= 400 && response.status < 500, JSON.stringify(changes))
        t.match(response.headers.get('content-type'), 'text/html')
        t.equal(response.headers.get('location'), null)
        await t.rejects(double.consent(url), { name: 'AuthorizationRefused' })
        await t.rejects(double.refuse(url), { name: 'AuthorizationRefused' })
      }
    })

    t.test('state comes back byte for byte, after consent and denial', async (t) => {
      for (const state of states) {
        const allowed = new URL(await consent(double, authorizeUrl(double, { state })))
        t.equal(allowed.searchParams.get('state'), state)
        const denied = new URL(await double.refuse(authorizeUrl(double, { state })))
        t.equal(denied.searchParams.get('state'), state)
        t.equal(denied.searchParams.get('error'), expected.denied ?? 'access_denied')
        t.equal(denied.searchParams.get('code'), null)
      }
      const without = new URL(await consent(double, authorizeUrl(double, { state: undefined })))
      t.equal(without.searchParams.has('state'), false)
      t.equal(without.searchParams.get('fixed'), '1', 'the query of the redirect URI is kept')
    })

    t.test('a given code is accepted, any other is not', async (t) => {
      for (const code of codes) {
        const callback = await consent(double, authorizeUrl(double), { code })
        t.equal(codeOf(callback), code)
        const { status, body } = await exchange(double, code)
        t.equal(status, 200)
        t.type(body['access_token'], 'string')
      }
      t.notOk('access_token' in (await exchange(double, 'never-given')).body)
    })

    t.test('a code is exchanged once, also by two concurrent requests', async (t) => {
      const code = codeOf(await consent(double, authorizeUrl(double)))
      const answers = await Promise.all(Array.from({ length: 5 }, () => exchange(double, code)))
      t.equal(answers.filter(({ body }) => 'access_token' in body).length, 1)
      t.match(await exchange(double, code), expected.wrongCode)
    })

    t.test('an expired code is rejected', async (t) => {
      const code = codeOf(await consent(double, authorizeUrl(double)))
      double.switches.codeLifetime = 0
      t.teardown(() => Object.assign(double.switches, { codeLifetime: 600 }))
      t.match(await exchange(double, code), expected.wrongCode)
    })

    t.test('PKCE is enforced if a challenge was sent', async (t) => {
      const pkce = { code_challenge: challenge, code_challenge_method: 'S256' }
      for (const given of [undefined, 'b'.repeat(43), challenge]) {
        const code = codeOf(await consent(double, authorizeUrl(double, pkce)))
        const { status, body } = await exchange(double, code, { code_verifier: given })
        t.match({ status, error: body['error'] }, expected.wrongVerifier)
        t.hasProp((await exchange(double, code, { code_verifier: verifier })).body, 'access_token')
      }
    })

    const { wrongToken } = expected
    if (wrongToken !== undefined)
      t.test('userinfo accepts only issued access tokens that have not expired', async (t) => {
        const { tokens, profile } = await logIn(double)
        t.equal(profile.status, 200)
        if (expected.plainUserinfo === true)
          t.equal(profile.body['name'] ?? profile.body['real_name'], 'Анна Демидова')
        t.equal((await userinfo(double, 'unknown')).status, wrongToken)
        double.switches.accessTokenLifetime = 0
        t.teardown(() => Object.assign(double.switches, { accessTokenLifetime: 3600 }))
        t.equal((await userinfo(double, tokens.body['access_token'])).status, wrongToken)
      })

    t.test('a refresh token gives a new access token', async (t) => {
      const code = codeOf(await consent(double, authorizeUrl(double, { access_type: 'offline' })))
      const first = await exchange(double, code)
      const refresh_token = String(first.body['refresh_token'])
      const again = await exchange(double, null, { grant_type: 'refresh_token', refresh_token })
      t.type(again.body['access_token'], 'string')
      if (expected.plainUserinfo === true)
        t.match(
          (await userinfo(double, again.body['access_token'])).body[expected.subject],
          '1130000012345678',
        )
      const unknown = await exchange(double, null, { grant_type: 'refresh_token', refresh_token: 'x' })
      t.notOk('access_token' in unknown.body)
    })

    if (expected.plainUserinfo === true)
      t.test("userinfo has the person's fields, including raw ones", async (t) => {
        const { profile } = await logIn(double, {
          person: {
            id: '42',
            name: '李',
            raw: { [expected.subject]: 9007199254740993n, extra: [1], locale: undefined },
          },
        })
        t.equal(profile.body['extra']?.toString(), '1')
        t.notOk('locale' in profile.body)
        await consent(double, authorizeUrl(double), {
          code: 'bare-number',
          person: { raw: { id: 9007199254740993n } },
        })
        const { body } = await exchange(double, 'bare-number')
        const url = setting(double, 'USERINFO_URL')
        const token = String(body['access_token'])
        const text = await (
          await fetch(`${url}?access_token=${token}`, { headers: { authorization: `Bearer ${token}` } })
        ).text()
        t.match(text, '"id":9007199254740993', 'a bare number, not rounded')
      })

    t.test('switches change the callback', async (t) => {
      const extra = [
        ['state', 'other'],
        ['utm', '1'],
        ['utm', '2'],
      ] as const
      const replaced = new URL(await consent(double, authorizeUrl(double), { extra })).searchParams
      t.strictSame(replaced.getAll('state'), ['other'])
      t.strictSame(replaced.getAll('utm'), ['1', '2'])
      const counts = {
        'no-state': { state: 0, code: 1, error: 0 },
        'changed-state': { state: 1, code: 1, error: 0 },
        'repeated-state': { state: 2, code: 1, error: 0 },
        'repeated-code': { state: 1, code: 2, error: 0 },
        'code-and-error': { state: 1, code: 1, error: 1 },
        neither: { state: 1, code: 0, error: 0 },
      } as const
      t.teardown(() => Object.assign(double.switches, { callback: undefined }))
      for (const callback of Object.keys(counts) as (keyof typeof counts)[]) {
        double.switches.callback = callback
        const { searchParams } = new URL(await consent(double, authorizeUrl(double)))
        const count = (name: string) => searchParams.getAll(name).length
        t.strictSame(
          { state: count('state'), code: count('code'), error: count('error') },
          counts[callback],
          callback,
        )
      }
    })

    t.test('switches change the token response and make the client unknown', async (t) => {
      double.switches.tokenFields = { access_token: undefined, expires_in: '3600' }
      const { tokens } = await logIn(double)
      t.notOk('access_token' in tokens.body)
      t.equal(tokens.body['expires_in'], '3600')
      double.switches.tokenFields = {}
      double.switches.forgetClient = true
      const { wrongClient = /invalid.client/ } = expected
      t.match((await logIn(double)).tokens.body['error'], wrongClient)
      double.switches.forgetClient = false
      const code = codeOf(await consent(double, authorizeUrl(double)))
      if (expected.auth !== 'none')
        t.match((await exchange(double, code, { client_secret: 'wrong' })).body['error'], wrongClient)
      t.match((await exchange(double, code, { client_id: 'wrong' })).body['error'], wrongClient)
    })

    t.test('requests are recorded', async (t) => {
      double.requests.length = 0
      await logIn(double)
      const [token, profile] = double.requests
      const path = new URL(setting(double, 'TOKEN_URL')).pathname
      t.match(token, { method: 'POST', path, body: /grant_type=authorization_code/ })
      if (expected.plainUserinfo === true)
        t.match(profile, { method: 'GET', path: new URL(setting(double, 'USERINFO_URL')).pathname, body: '' })
    })
  })
