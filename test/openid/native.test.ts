import t from 'tap'
import { addSite, updateSite } from '../../src/sites/store.ts'
import { siteRules } from '../../src/sites/validate.ts'
import { assertRefused } from '../sites/support.ts'
import { basic, finish, loginToFinish, post, start, text } from '../support/login-flow.ts'
import { startTestService } from '../support/service.ts'
import { answered, authorize, codeFor, pkce, requestTokens, verifier } from './standard-client.ts'

const service = await startTestService(t)
const { database } = service
const rules = siteRules('strict', [{ name: 'yandex' }, { name: 'google' }, { name: 'mail' }])
const registered = ['http://127.0.0.1/app/return', 'http://[::1]/app/return', 'com.example.app:/return']
const site = await addSite(database, { name: 'App', redirectUrls: registered, native: true }, rules)
const at = (redirectUri: string) => ({ ...site, redirectUri })
const asPublic = { client_secret: '', code_verifier: verifier }

t.test(
  'any port of a registered loopback address, and the very port again at the token endpoint',
  async (t) => {
    for (const redirectUri of [
      'http://127.0.0.1:51004/app/return',
      'http://127.0.0.1/app/return',
      'http://[::1]:8080/app/return',
      'com.example.app:/return',
    ]) {
      const code = await codeFor(service, at(redirectUri), pkce)
      const moved = await requestTokens(service, at('http://127.0.0.1:51005/app/return'), {
        code,
        ...asPublic,
      })
      t.match(moved.json, { error: 'invalid_grant', type: /:redirect-url-mismatch$/ }, redirectUri)
      const answer = await requestTokens(service, at(redirectUri), { code, ...asPublic })
      t.equal(answer.status, 200, answer.text)
    }
  },
)

t.test('nothing that only looks like loopback or like the scheme', async (t) => {
  for (const redirectUri of [
    'http://localhost:51004/app/return',
    'http://localhost/app/return',
    'http://127.0.0.1.evil.test/app/return',
    'http://127.0.0.1:51004@evil.test/app/return',
    'http://127.0.0.1@evil.test/app/return',
    'http://127.0.0.2:51004/app/return',
    'http://127.1:51004/app/return',
    'http://2130706433:51004/app/return',
    'http://127.0.0.1:0/app/return',
    'http://127.0.0.1:65536/app/return',
    'http://127.0.0.1:51004/app/return/',
    'http://127.0.0.1:51004/app/return?x=1',
    'http://127.0.0.1:51004/app/return#x',
    'http://127.0.0.1:51004/app/../app/return',
    'http://127.0.0.1:/app/return',
    'https://127.0.0.1:51004/app/return',
    'com.example.app:/return2',
    'com.example.app://return',
    'com.example.application:/return',
    'COM.example.app:/return',
  ]) {
    const page = await authorize(service, at(redirectUri), pkce)
    t.match([page.status, page.headers.get('location')], [400, null], redirectUri)
  }
})

t.test('an ordinary site has no such latitude', async (t) => {
  const web = await addSite(
    database,
    { name: 'Web', redirectUrls: ['http://127.0.0.1:4000/web'] },
    { ...rules, loopback: true },
  )
  const page = await authorize(service, { ...web, redirectUri: 'http://127.0.0.1:4001/web' })
  t.match([page.status, page.headers.get('location')], [400, null])
})

t.test('PKCE from the beginning, at both doors, and no secret anywhere the application speaks', async (t) => {
  const [redirectUri = ''] = registered
  t.match(answered(await authorize(service, at(redirectUri))), { error: 'invalid_request' })
  const begin = { provider: 'yandex', client_redirect_url: redirectUri }
  const started = await post(service, '/api/v1/oauth/authorize-url/', begin)
  t.match(started.json, { status: 400, type: /:missing-parameter$/, detail: /code_challenge/ })

  const code = await codeFor(service, at(redirectUri), pkce)
  const refused = await requestTokens(service, at(redirectUri), { code, code_verifier: verifier })
  t.match(refused.json, { status: 401, error: 'invalid_client', type: /:secret-not-accepted$/ })
  const tokens = await requestTokens(service, at(redirectUri), { code, ...asPublic })
  t.equal(tokens.status, 200)
  const refresh = {
    grant_type: 'refresh_token',
    refresh_token: text(tokens, 'refresh_token'),
    redirect_uri: '',
  }
  t.match((await requestTokens(service, site, refresh)).json, { type: /:secret-not-accepted$/ })
  t.equal((await requestTokens(service, site, { ...refresh, client_secret: '' })).status, 200)
  const revocation = { token: text(tokens, 'access_token') }
  const path = '/api/v1/oauth/revoke/'
  t.match((await post(service, path, revocation, { headers: basic(site) })).json, {
    type: /:secret-not-accepted$/,
  })
  t.equal((await post(service, path, { ...revocation, client_id: site.id })).status, 200)

  const fields = { client_redirect_url: redirectUri, ...pkce }
  const login = await loginToFinish(service, 'yandex', { fields })
  const secret = await finish(service, { ...login, code_verifier: verifier }, basic(site))
  t.match(secret.json, { status: 401, type: /:secret-not-accepted$/ })
  t.equal((await finish(service, { ...login, code_verifier: verifier })).status, 200)
  await t.rejects(start(service, 'yandex', fields, basic(site)), /secret-not-accepted/)
})

t.test('what may be registered for a native application, and only for one', async (t) => {
  const add = (redirectUrls: string[], native: boolean) =>
    addSite(database, { name: `App ${redirectUrls.join()} ${native}`, redirectUrls, native }, rules)
  for (const [url, sentence] of [
    ['http://localhost/app', /must be https/],
    ['http://10.0.0.1/app', /must be https/],
    ['myapp:/return', /must begin with https/],
    ['com.example.app:return', /must begin with https/],
    ['com.example.app:/return#x', /fragment/],
    ['com.example.app:/return?code=1', /reserved/],
    ['http://127.0.0.1:99999/app', /cannot be read|not a URL/],
    ['javascript:/x', /must begin with https/],
  ] as const)
    await assertRefused(t, add([url], true), 'invalid', sentence)
  for (const url of registered) await assertRefused(t, add([url], false), 'invalid', /https/)
  await assertRefused(t, updateSite(database, site.id, { native: false }, rules), 'invalid', /https/)
  await assertRefused(
    t,
    updateSite(database, site.id, { postLogoutRedirectUrls: ['myapp:/bye'] }, rules),
    'invalid',
    /URL after a logout must begin with https/,
  )
  const changed = await updateSite(
    database,
    site.id,
    { postLogoutRedirectUrls: ['com.example.app:/bye'], idTokenAlg: 'ES256' },
    rules,
  )
  t.match(changed, { native: true, postLogoutRedirectUrls: ['com.example.app:/bye'], idTokenAlg: 'ES256' })
})
