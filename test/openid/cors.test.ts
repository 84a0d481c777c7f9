import t from 'tap'
import { addSite } from '../../src/sites/store.ts'
import { siteRules } from '../../src/sites/validate.ts'
import { basic, get, post, text } from '../support/login-flow.ts'
import { registerSite, startTestService } from '../support/service.ts'
import type { Fields } from './standard-client.ts'
import { codeFor, logInByOpenid, paths, pkce, requestTokens, verifier } from './standard-client.ts'

const service = await startTestService(t)
const { site } = service
const own = 'https://client.example'
const other = 'https://other.example'
const stranger = await registerSite(service.database, `${other}/return`)
const rules = siteRules('strict', [{ name: 'yandex' }])
const app = await addSite(
  service.database,
  { name: 'App', redirectUrls: ['com.example.app:/return'], native: true },
  rules,
)
const allowed = ({ headers }: { readonly headers: Headers }) => headers.get('access-control-allow-origin')
const revocation = '/api/v1/oauth/revoke/'
const clientPaths = [paths.token, paths.userinfo, revocation]

t.test('everybody may read discovery and keys', async (t) => {
  for (const path of ['jwks.json', 'openid-configuration', 'oauth-authorization-server'])
    t.equal(allowed(await get(service, `/.well-known/${path}`, { origin: 'https://any.test' })), '*', path)
})

t.test('a preflight passes for any registered origin, and for no other', async (t) => {
  const preflight = async (path: string, origin: string) => {
    const response = await fetch(service.url + path, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    })
    t.equal(response.status, 204)
    t.equal(response.headers.get('vary'), 'Origin')
    return response
  }
  for (const path of clientPaths) {
    for (const origin of [own, other]) {
      const response = await preflight(path, origin)
      t.equal(allowed(response), origin)
      t.match(response.headers.get('access-control-allow-headers'), /authorization/)
      t.equal(response.headers.get('access-control-allow-credentials'), null)
    }
    for (const origin of [
      'https://evil.test',
      'http://client.example',
      `${own}:8443`,
      'null',
      'junk',
      `${own}/`,
    ])
      t.equal(allowed(await preflight(path, origin)), null, origin)
  }
})

t.test("answers, errors too, are readable by the client's own origin alone", async (t) => {
  const ask = async (origin: string) => {
    const headers = { origin }
    const code = await codeFor(service, site, pkce)
    const tokens = await requestTokens(
      service,
      site,
      { code, code_verifier: verifier, client_secret: '' },
      headers,
    )
    t.equal(tokens.status, 200)
    const bearer = { ...headers, authorization: `Bearer ${text(tokens, 'access_token')}` }
    const refresh = {
      refresh_token: text(tokens, 'refresh_token'),
      grant_type: 'refresh_token',
      client_secret: '',
    }
    const wrong: Fields = { code: 'junk', client_secret: '' }
    return {
      tokens,
      'an error of the token endpoint': await requestTokens(service, site, wrong, headers),
      'a wrong secret': await requestTokens(service, site, { ...wrong, client_secret: 'x' }, headers),
      'HTTP Basic': await requestTokens(
        service,
        site,
        { ...wrong, client_id: '' },
        { ...headers, ...basic(site) },
      ),
      'no grant_type': await requestTokens(service, site, { ...wrong, grant_type: '' }, headers),
      'a refresh without client_id': await requestTokens(
        service,
        site,
        { ...refresh, client_id: '' },
        headers,
      ),
      userinfo: await get(service, paths.userinfo, bearer),
      'userinfo by POST': await post(service, paths.userinfo, {}, { headers: bearer }),
      'a token that is none': await get(service, paths.userinfo, {
        ...bearer,
        authorization: `${bearer.authorization}x`,
      }),
      revocation: await post(service, revocation, { token: refresh.refresh_token }, { headers }),
      'a token that has ended': await get(service, paths.userinfo, bearer),
    }
  }
  for (const [name, answer] of Object.entries(await ask(own))) {
    t.equal(allowed(answer), own, name)
    t.equal(answer.headers.get('vary'), 'Origin', name)
    t.equal(answer.headers.get('access-control-allow-credentials'), null, name)
  }
  for (const origin of [other, 'https://evil.test', 'null'])
    for (const [name, answer] of Object.entries(await ask(origin))) t.equal(allowed(answer), null, name)
})

t.test('a page of one site cannot read what it asks in the name of another', async (t) => {
  const tokens = await logInByOpenid(service, site)
  const headers = { origin: other, authorization: `Bearer ${text(tokens, 'access_token')}` }
  t.equal(allowed(await get(service, paths.userinfo, headers)), null)
  const code = await codeFor(service, site, pkce)
  const named = await requestTokens(
    service,
    { ...stranger, redirectUri: 'https://client.example/oauth/return' },
    {
      code,
      code_verifier: verifier,
      client_secret: '',
    },
    { origin: other },
  )
  t.match([named.status, allowed(named)], [400, other], 'its own error, and no token')
  t.notOk('access_token' in named.json)
})

t.test('a page without an origin is no page of an application on a device', async (t) => {
  const origin = new URL('com.example.app:/return').origin
  t.equal(origin, 'null', 'the URL API gives both the same word')
  t.equal(allowed(await requestTokens(service, app, { code: 'junk', client_secret: '' }, { origin })), null)
})

t.test('no other path answers across origins', async (t) => {
  const headers = { origin: own }
  for (const path of [
    '/api/v1/oauth/authorize-url/',
    '/api/v1/oauth/authorize/',
    '/api/v1/oauth/introspect/',
  ])
    t.equal(allowed(await post(service, path, { client_id: site.id }, { headers })), null, path)
  t.equal(allowed(await get(service, `${paths.authorization}?client_id=${site.id}`, headers)), null)
})

t.test('junk from a network takes the preflight from no page behind the same address', async (t) => {
  const { database, doubles } = service
  const limited = await startTestService(t, { database, doubles, site })
  const preflight = (origin: string) =>
    fetch(limited.url + paths.userinfo, { method: 'OPTIONS', headers: { origin } })
  for (let round = 0; round < 7; round++)
    await Promise.all(Array.from({ length: 100 }, (_, i) => preflight(`https://junk-${round}-${i}.test`)))
  const refused = await preflight('https://evil.test')
  t.match([refused.status, allowed(refused)], [429, null], 'the limit holds')
  const right = await preflight(own)
  t.match([right.status, allowed(right)], [204, own])
})
