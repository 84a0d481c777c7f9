import t from 'tap'
import { updateSite } from '../../src/sites/store.ts'
import { siteRules } from '../../src/sites/validate.ts'
import { get, openCallback, post } from '../support/login-flow.ts'
import { redirectUrl, registerSite, startTestService } from '../support/service.ts'
import type { Fields } from './standard-client.ts'
import {
  answered,
  authorizationRequest,
  authorize,
  codeFor,
  loginUntilReturn,
  paths,
  pkce,
  requestTokens,
} from './standard-client.ts'

const service = await startTestService(t)
const { site } = service
const rules = siteRules('development', [{ name: 'yandex' }, { name: 'google' }, { name: 'mail' }])
const other = {
  ...(await registerSite(service.database, 'https://other.example/return')),
  redirectUri: 'https://other.example/return',
}
const disabled = {
  ...(await registerSite(service.database, 'https://off.example/return')),
  redirectUri: 'https://off.example/return',
}
await updateSite(service.database, disabled.id, { disabled: true }, rules)

t.test('until the redirect URI is known to be right, there is a page and no redirect', async (t) => {
  const cases: readonly [string, Fields, string][] = [
    ['no client', { client_id: '' }, 'missing-parameter'],
    ['an unknown client', { client_id: 'nobody' }, 'client-unknown'],
    ['no redirect URI', { redirect_uri: '' }, 'missing-parameter'],
    ['a slash more', { redirect_uri: `${redirectUrl}/` }, 'redirect-url-differs'],
    ["another site's", { redirect_uri: other.redirectUri }, 'redirect-url-unknown'],
    ['a stranger', { redirect_uri: 'https://evil.test/return' }, 'redirect-url-unknown'],
    ['a scheme that runs', { redirect_uri: 'javascript:alert(1)//' }, 'redirect-url-unknown'],
    ['a state of 2,049 characters', { state: 'x'.repeat(2_049) }, 'invalid-parameter'],
  ]
  for (const [name, fields, type] of cases) {
    const page = await authorize(service, site, fields, { accept: 'text/html', 'accept-language': 'ru' })
    t.equal(page.status, 400, name)
    t.equal(page.headers.get('location'), null, name)
    t.match(page.headers.get('content-type'), /^text\/html/, name)
    t.match(page.headers.get('content-security-policy'), /default-src 'none'.*frame-ancestors 'none'/, name)
    t.match(page.text, /<html lang="ru">/, name)
    t.notMatch(page.text, /evil\.test|<a /, name)
    const json = await authorize(service, site, fields, { accept: 'application/json' })
    t.match(json.json, { type: `urn:auth-movies:problem:${type}` }, name)
  }
  const off = await authorize(service, disabled)
  t.match([off.status, off.headers.get('location')], [400, null], 'a disabled site')
  for (const name of ['client_id', 'redirect_uri', 'state']) {
    const query = new URLSearchParams(authorizationRequest(site))
    query.append(name, 'again')
    const page = await get(service, `${paths.authorization}?${query}`)
    t.match([page.status, page.headers.get('location')], [400, null], `${name} twice`)
  }
})

const refused: readonly [string, Fields, string][] = [
  ['no response_type', { response_type: '' }, 'invalid_request'],
  ['a token', { response_type: 'token' }, 'unsupported_response_type'],
  ['hybrid', { response_type: 'code id_token' }, 'unsupported_response_type'],
  ['a fragment', { response_mode: 'fragment' }, 'invalid_request'],
  ['request', { request: 'eyJ' }, 'request_not_supported'],
  ['request_uri', { request_uri: 'https://client.example/r' }, 'request_uri_not_supported'],
  ['registration', { registration: '{}' }, 'registration_not_supported'],
  ['plain PKCE', { code_challenge: 'x'.repeat(43), code_challenge_method: 'plain' }, 'invalid_request'],
  ['PKCE without a method', { code_challenge: pkce.code_challenge }, 'invalid_request'],
  ['a method without PKCE', { code_challenge_method: 'S256' }, 'invalid_request'],
  ['a short challenge', { ...pkce, code_challenge: 'short' }, 'invalid_request'],
  ['prompt=none', { prompt: 'none' }, 'login_required'],
  ['prompt=none and login', { prompt: 'none login' }, 'invalid_request'],
  ['an unknown prompt', { prompt: 'create' }, 'invalid_request'],
  ['a max_age that is none', { max_age: '-1' }, 'invalid_request'],
  ['a long nonce', { nonce: 'x'.repeat(2_049) }, 'invalid_request'],
  ['a long hint', { login_hint: 'x'.repeat(256) }, 'invalid_request'],
  ['an unknown provider', { provider: 'nobody' }, 'invalid_request'],
  ['an inherited provider', { provider: 'constructor' }, 'invalid_request'],
]

t.test('afterwards the site learns of every error by a redirect with state and iss', async (t) => {
  for (const [name, fields, error] of refused) {
    const redirect = await authorize(service, site, fields)
    t.equal(redirect.status, 303, name)
    t.ok(redirect.headers.get('location')?.startsWith(`${redirectUrl}?`), name)
    const answer = answered(redirect)
    t.match(answer, { error, state: 'state-of-the-client', iss: service.config.publicUrl }, name)
    t.match(answer.error_description, /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/, name)
    t.notOk('code' in answer, name)
  }
  const query = new URLSearchParams(authorizationRequest(site))
  query.append('scope', 'email')
  t.match(answered(await get(service, `${paths.authorization}?${query}`)), { error: 'invalid_request' })
})

t.test('a site gets only what it is allowed, at each hint of other services', async (t) => {
  const limited = {
    ...(await registerSite(service.database, 'https://one.example/return')),
    redirectUri: 'https://one.example/return',
  }
  await updateSite(service.database, limited.id, { providers: ['mail'] }, rules)
  const on = await authorize(service, limited, { provider: '' })
  t.ok(on.headers.get('location')?.startsWith(service.doubles.mail.origin), 'its only provider at once')
  for (const hint of ['provider', 'idp_hint', 'kc_idp_hint']) {
    const fields = { provider: '', [hint]: 'yandex' }
    t.match(answered(await authorize(service, limited, fields)), { error: 'invalid_request' }, hint)
    const own = await authorize(service, site, fields)
    t.ok(own.headers.get('location')?.startsWith(service.doubles.yandex.origin), hint)
  }
})

t.test('GET and POST, a state of 2,048 characters and a nonce go through the whole login', async (t) => {
  const state = 'ы&=+ "%<'.repeat(256)
  const back = await loginUntilReturn(service, site, { state })
  t.equal(back.status, 303)
  t.match(answered(back), { state, iss: service.config.publicUrl, code: String })
  t.strictSame(Object.keys(answered(back)).toSorted(), ['code', 'iss', 'state'])
  const on = await post(service, paths.authorization, authorizationRequest(site))
  t.equal(on.status, 303)
  t.ok(on.headers.get('location')?.startsWith(service.doubles.yandex.origin))
  const plain = await loginUntilReturn(service, site, { state: '', nonce: '' })
  t.strictSame(Object.keys(answered(plain)).toSorted(), ['code', 'iss'])
})

t.test('what is asked of the person reaches the provider as far as it can', async (t) => {
  const asked = async (fields: Fields) => answered(await authorize(service, site, fields))
  const google = { provider: 'google' }
  for (const [prompt, sent] of [
    ['login', 'select_account'],
    ['consent', 'consent'],
    ['select_account', 'select_account'],
    ['consent login', 'select_account'],
  ] as const)
    t.match(await asked({ ...google, prompt }), { prompt: sent }, prompt)
  t.notOk('prompt' in (await asked(google)))
  t.match(await asked({ ...google, max_age: '0' }), { prompt: 'select_account' }, 'a fresh login')
  t.notOk('prompt' in (await asked({ ...google, max_age: '600' })))
  t.match(await asked({ ...google, login_hint: 'a@mail.example' }), { login_hint: 'a@mail.example' })
  t.match(await asked({ prompt: 'login' }), { force_confirm: 'yes' }, 'Yandex')
  t.notMatch(JSON.stringify(await asked(google)), /state-of-the-client|nonce-of-the-client/)
})

t.test('a refusal at the provider comes back by the rules of this door', async (t) => {
  const on = await authorize(service, site)
  const refusal = await service.doubles.yandex.refuse(on.headers.get('location') ?? '')
  t.strictSame(answered(await openCallback(service, refusal)), {
    error: 'access_denied',
    error_description: 'The user refused access at the provider.',
    state: 'state-of-the-client',
    iss: service.config.publicUrl,
  })
})

t.test('form_post: a page posts the answer by one script of its own, or by a button', async (t) => {
  const back = await loginUntilReturn(service, site, { response_mode: 'form_post', state: `"><b>&'` })
  t.equal(back.status, 200)
  t.equal(back.headers.get('location'), null)
  t.equal(back.headers.get('cache-control'), 'no-store')
  const policy = back.headers.get('content-security-policy') ?? ''
  t.match(policy, /^default-src 'none'.*frame-ancestors 'none'.*script-src 'sha256-[\w+/=]+'$/)
  t.notMatch(policy, /form-action|unsafe/)
  t.match(back.text, `<form method="post" action="${redirectUrl}">`)
  t.notMatch(back.text, '<b>')
  const [, code = ''] = /name="code" value="([\w-]+)"/.exec(back.text) ?? []
  t.equal((await requestTokens(service, site, { code })).status, 200)
  const error = await authorize(service, site, { response_mode: 'form_post', prompt: 'none' })
  t.match(error.text, /name="error" value="login_required"/)
})

t.test('without openid it is a plain OAuth login; unknown scopes are ignored', async (t) => {
  const granted = async (scope: string) => {
    const code = await codeFor(service, site, { scope })
    const { json } = await requestTokens(service, site, { code })
    return [json.scope, 'id_token' in json]
  }
  t.strictSame(await granted(''), ['profile email', false])
  t.strictSame(await granted('calendar'), ['profile email', false])
  t.strictSame(await granted('email'), ['email', false])
  t.strictSame(await granted('offline_access openid'), ['openid', true])
  t.strictSame(await granted('email openid profile'), ['openid profile email', true])
})

t.test('a HEAD begins nothing', async (t) => {
  const before = service.doubles.yandex.requests.length
  const query = new URLSearchParams(authorizationRequest(site))
  const response = await fetch(`${service.url}${paths.authorization}?${query}`, {
    method: 'HEAD',
    redirect: 'manual',
  })
  t.ok(response.status >= 400)
  t.equal(service.doubles.yandex.requests.length, before)
})

t.test('text that is no Unicode, which only JSON and multipart can bring, breaks no answer', async (t) => {
  const asJson = (path: string, body: string) => send(path, body, 'application/json')
  const send = (path: string, body: string | Buffer<ArrayBuffer>, type: string) =>
    fetch(service.url + path, {
      method: 'POST',
      headers: { 'content-type': type, accept: 'text/html' },
      body,
      redirect: 'manual',
    })
  const half = String.fromCharCode(0xd8_00)
  const refused = await asJson(
    paths.authorization,
    JSON.stringify(authorizationRequest(site, { prompt: 'none', state: `a${half}` })),
  )
  t.equal(refused.status, 303)
  t.match(new URL(refused.headers.get('location') ?? '').searchParams.get('state'), /^a/)
  const parts = Object.entries(authorizationRequest(site, { prompt: 'none', state: '' })).map(
    ([name, value]) => `--x\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  const odd = Buffer.concat([
    Buffer.from(parts.join('')),
    Buffer.from(
      '--x\r\ncontent-disposition: form-data; name="state"\r\ncontent-type: text/plain; charset=utf-16le\r\n\r\n',
    ),
    Buffer.from([0x61, 0x00, 0x00, 0xd8]),
    Buffer.from('\r\n--x--\r\n'),
  ])
  t.equal((await send(paths.authorization, odd, 'multipart/form-data; boundary=x')).status, 303)
})
