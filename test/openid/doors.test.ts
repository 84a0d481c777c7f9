import t from 'tap'
import { readCode, writeCode } from '../../src/login/opaque-code.ts'
import { updateSite } from '../../src/sites/store.ts'
import { siteRules } from '../../src/sites/validate.ts'
import {
  basic,
  bound,
  finish,
  verifier as guideVerifier,
  loginToFinish,
  start,
} from '../support/login-flow.ts'
import { registerSite, startTestService } from '../support/service.ts'
import { answered, codeFor, loginUntilReturn, pkce, requestTokens, verifier } from './standard-client.ts'

// A login ends at the door where it began, whatever proof comes with it, and neither door uses up a login of the other.
const service = await startTestService(t)
const { site } = service
const headers = basic(site)

t.test("a code of the authorization endpoint is not good for the guide's finish", async (t) => {
  for (const fields of [{}, pkce]) {
    const code = await codeFor(service, site, fields)
    const parts = readCode(code)
    if (parts === undefined) throw new Error('the code has no parts')
    for (const proof of [{}, headers]) {
      const plain = await finish(service, { ...parts }, proof)
      t.match(plain.json, { status: 400, error: 'invalid_grant', type: /:other-door$/ })
      const verified = await finish(service, { ...parts, code_verifier: verifier }, proof)
      t.match(verified.json, { status: 400, type: /:other-door$/ })
    }
    const right = fields === pkce ? { code, code_verifier: verifier } : { code }
    t.equal((await requestTokens(service, site, right)).status, 200, 'nothing was used up')
  }
})

t.test("a login of the guide's start is not good for the token endpoint", async (t) => {
  for (const fields of [{}, bound]) {
    const login = await loginToFinish(service, 'yandex', { fields })
    const code = writeCode(login)
    const verified = fields === bound ? { code_verifier: guideVerifier } : {}
    for (const secret of [site.secret, '']) {
      const answer = await requestTokens(service, site, { code, client_secret: secret, ...verified })
      t.match(answer.json, { status: 400, error: 'invalid_grant', type: /:other-door$/ })
    }
    t.equal((await finish(service, { ...login, ...verified })).status, 200, 'nothing was used up')
  }
})

t.test('each door is answered in its own way at the callback', async (t) => {
  const standard = answered(await loginUntilReturn(service, site))
  t.strictSame(Object.keys(standard).toSorted(), ['code', 'iss', 'state'])
  t.equal(standard.state, 'state-of-the-client')
  const { state, code } = await loginToFinish(service)
  t.match(state, /^[\w-]{43}$/)
  t.not(readCode(code)?.state, state, "the provider's own code")
})

t.test('a code of one site is refused for another, whose proof is right', async (t) => {
  const stranger = await registerSite(service.database, 'https://stranger.example/return')
  for (const fields of [{}, pkce]) {
    const code = await codeFor(service, site, fields)
    const verified = fields === pkce ? { code_verifier: verifier } : {}
    const injected = await requestTokens(
      service,
      { ...stranger, redirectUri: 'https://client.example/oauth/return' },
      { code, ...verified },
    )
    t.match(injected.json, { status: 400, error: 'invalid_grant', type: /:site-mismatch$/ })
    t.equal((await requestTokens(service, site, { code, ...verified })).status, 200)
  }
})

t.test('a code is bound to its challenge in both directions (PKCE downgrade)', async (t) => {
  const unbound = await codeFor(service, site)
  t.match((await requestTokens(service, site, { code: unbound, code_verifier: verifier })).json, {
    error: 'invalid_grant',
    type: /:verifier-unexpected$/,
  })
  const withChallenge = await codeFor(service, site, pkce)
  t.match((await requestTokens(service, site, { code: withChallenge })).json, {
    error: 'invalid_grant',
    type: /:verifier-missing$/,
  })
})

t.test('at a site that requires its secret PKCE alone is not enough', async (t) => {
  const strict = await registerSite(service.database, 'https://strict.example/return', true)
  const client = { ...strict, redirectUri: 'https://strict.example/return' }
  const code = await codeFor(service, client, pkce)
  const refused = await requestTokens(service, client, { code, code_verifier: verifier, client_secret: '' })
  t.match([refused.status, refused.json.error], [401, 'invalid_client'])
  t.match(refused.headers.get('www-authenticate'), /^Basic /)
  t.equal((await requestTokens(service, client, { code, code_verifier: verifier })).status, 200)
})

t.test('parallel requests by one code: exactly one gets tokens, and no other is told to wait', async (t) => {
  const code = await codeFor(service, site)
  const answers = await Promise.all(Array.from({ length: 12 }, () => requestTokens(service, site, { code })))
  t.equal(answers.filter(({ status }) => status === 200).length, 1)
  for (const { status, json } of answers)
    if (status !== 200) t.match(json, { status: 400, error: 'invalid_grant', type: /:code-used$/ })
})

t.test('a site that is disabled or loses the provider between start and finish gets nothing', async (t) => {
  const rules = siteRules('development', [{ name: 'yandex' }, { name: 'google' }, { name: 'mail' }])
  const own = await registerSite(service.database, 'https://changing.example/return')
  const client = { ...own, redirectUri: 'https://changing.example/return' }
  const code = await codeFor(service, client)
  await updateSite(service.database, own.id, { disabled: true }, rules)
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  t.match((await requestTokens(service, client, { code })).json, { error: 'unauthorized_client' })
  await updateSite(service.database, own.id, { disabled: false, providers: ['mail'] }, rules)
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  t.match((await requestTokens(service, client, { code })).json, { error: 'unauthorized_client' })
})

t.test('the codes of both doors are told apart and spelt in one way only', async (t) => {
  const { state } = await start(service)
  const code = writeCode({ state, provider: 'yandex', code: 'a b\u00e9' })
  t.strictSame(readCode(code), { state, provider: 'yandex', code: 'a b\u00e9' })
  for (const junk of ['', state, `${code}=`, `${code} `, code.slice(1), `${state}!!!!`, 'x'.repeat(9_000)])
    t.equal(readCode(junk), undefined, junk.slice(0, 50))
})
