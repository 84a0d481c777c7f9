import { decodeJwt, generateKeyPair, SignJWT } from 'jose'
import type { Test } from 'tap'
import t from 'tap'
import { updateSite } from '../../src/sites/store.ts'
import { siteRules } from '../../src/sites/validate.ts'
import { me } from '../sessions/http/session-requests.ts'
import { get, text } from '../support/login-flow.ts'
import { startTestService } from '../support/service.ts'
import type { Fields } from './standard-client.ts'
import { authorize, logInByOpenid, paths } from './standard-client.ts'

// The modules of the OpenID Foundation's `oidcc-rp-initiated-logout-certification-test-plan`, by their names, each doing what
// the module does: a login, a logout, and whether the browser came back.
const service = await startTestService(t)
const { site } = service
const post_logout_redirect_uri = 'https://client.example/post_logout_redirect'
await updateSite(
  service.database,
  site.id,
  { postLogoutRedirectUrls: [post_logout_redirect_uri] },
  siteRules('strict', [{ name: 'yandex' }, { name: 'google' }, { name: 'mail' }]),
)
const state = 'state-of-the-logout'

/** Logs in, and out with these parameters. */
async function logOut(fields: (hint: string) => Fields | Promise<Fields>) {
  const tokens = await logInByOpenid(service, site)
  const query = new URLSearchParams(await fields(text(tokens, 'id_token')))
  const answer = await get(service, `${paths.logout}?${query}`, { accept: 'text/html' })
  const ended = (await me(service, text(tokens, 'access_token'))).status === 401
  return { status: answer.status, location: answer.headers.get('location'), ended }
}

/** The suite asks for a page in place of a redirect. */
function isErrorPage(t: Test, answer: Awaited<ReturnType<typeof logOut>>, ended: boolean): void {
  t.match(answer, { status: 400, location: null, ended })
}

t.test('oidcc-rp-initiated-logout-discovery-endpoint-verification', async (t) => {
  const { json } = await get(service, '/.well-known/openid-configuration')
  t.match(json, { end_session_endpoint: /^http:\/\/127\.0\.0\.1:3000\/api\/v1\/oauth\/logout\/$/ })
})

t.test('oidcc-rp-initiated-logout', async (t) => {
  const answer = await logOut((id_token_hint) => ({ id_token_hint, post_logout_redirect_uri, state }))
  t.match(answer, { status: 303, location: `${post_logout_redirect_uri}?state=${state}`, ended: true })
  const next = await authorize(service, site, { prompt: 'none' })
  t.match(next.headers.get('location'), /error=login_required/)
})

t.test('oidcc-rp-initiated-logout-bad-post-logout-redirect-uri', async (t) => {
  const bad = `${post_logout_redirect_uri}/foo`
  isErrorPage(
    t,
    await logOut((id_token_hint) => ({ id_token_hint, post_logout_redirect_uri: bad, state })),
    true,
  )
})

t.test('oidcc-rp-initiated-logout-modified-id-token-hint', async (t) => {
  const modified = (hint: string) => {
    const [head, claims, signature = ''] = hint.split('.')
    const bytes = Buffer.from(signature, 'base64url')
    bytes[0] = (bytes[0] ?? 0) ^ 0x5a
    return [head, claims, bytes.toString('base64url')].join('.')
  }
  isErrorPage(
    t,
    await logOut((hint) => ({ id_token_hint: modified(hint), post_logout_redirect_uri, state })),
    false,
  )
})

t.test('oidcc-rp-initiated-logout-no-id-token-hint', async (t) => {
  isErrorPage(t, await logOut(() => ({ post_logout_redirect_uri, state })), false)
  isErrorPage(t, await logOut(() => ({ client_id: site.id, post_logout_redirect_uri, state })), false)
})

t.test('oidcc-rp-initiated-logout-no-params', async (t) => {
  isErrorPage(t, await logOut(() => ({})), false)
})

t.test('oidcc-rp-initiated-logout-no-post-logout-redirect-uri', async (t) => {
  const answer = await logOut((id_token_hint) => ({ id_token_hint, state }))
  t.match(answer, { status: 200, location: null, ended: true })
})

t.test('oidcc-rp-initiated-logout-no-state', async (t) => {
  const answer = await logOut((id_token_hint) => ({ id_token_hint, post_logout_redirect_uri }))
  t.match(answer, { status: 303, location: post_logout_redirect_uri, ended: true })
})

t.test('oidcc-rp-initiated-logout-only-state', async (t) => {
  isErrorPage(t, await logOut(() => ({ state })), false)
})

t.test('oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri', async (t) => {
  const added = `${post_logout_redirect_uri}?foo=bar`
  isErrorPage(
    t,
    await logOut((id_token_hint) => ({ id_token_hint, post_logout_redirect_uri: added, state })),
    true,
  )
})

t.test('oidcc-rp-initiated-logout-bad-id-token-hint', async (t) => {
  const { privateKey } = await generateKeyPair('RS256')
  const { kid } = service.keys.activeId('RS256')
  const forged = (hint: string) =>
    new SignJWT(decodeJwt(hint)).setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT' }).sign(privateKey)
  isErrorPage(
    t,
    await logOut(async (hint) => ({ id_token_hint: await forged(hint), post_logout_redirect_uri, state })),
    false,
  )
})
