import t from 'tap'
import { namesOf } from '../../sandbox/doubles/index.ts'
import { requestsAt } from '../providers/provider-setup.ts'
import { startTestManagement } from '../support/management.ts'
import { redirectUrl, registerSite } from '../support/service.ts'

const problem = (name: string) => `urn:auth-movies:problem:${name}`

t.test(
  'the check sends a made-up code; a provider that refuses it as such is ok, and no user is created',
  async (t) => {
    const { admin, audited, service } = await startTestManagement(t)
    for (const provider of namesOf(service.doubles)) {
      const answer = await admin('POST', 'checks/provider', { body: { provider } })
      t.equal(answer.status, 200)
      t.match(answer.json, { provider, ok: true, outcome: 'ok', detail: /credentials/, provider_says: null })
      const double = service.doubles[provider]
      t.equal(requestsAt(double, 'TOKEN_URL').length, 1)
      t.same(requestsAt(double, 'USERINFO_URL'), [])
    }
    t.equal(await service.database.prisma.user.count(), 0)
    t.same(audited(), [])
  },
)

t.test(
  'a refusal that the plugin reads as one of the code is ok, whatever the provider calls it',
  async (t) => {
    const { admin, service } = await startTestManagement(t)
    const body = '{"error":"invalid_request","error_description":"verifier is missing or invalid"}'
    service.doubles.vkid.answer('token', { status: 200, body })
    service.doubles.yandex.answer('token', { status: 200, body })
    const check = async (provider: string) =>
      (await admin('POST', 'checks/provider', { body: { provider } })).json
    t.match(await check('vkid'), { ok: true, outcome: 'ok' })
    t.match(await check('yandex'), { ok: false, outcome: 'invalid_response' })
  },
)

t.test(
  'the response says what is wrong with a provider in one sentence, in English or Russian',
  async (t) => {
    const { admin, service } = await startTestManagement(t)
    const { yandex } = service.doubles
    const check = (headers = {}) =>
      admin('POST', 'checks/provider', { body: { provider: 'yandex' }, headers })
    yandex.switches.forgetClient = true
    t.match((await check()).json, {
      ok: false,
      outcome: 'misconfigured',
      detail: /CLIENT_ID, CLIENT_SECRET/,
      provider_says: /^yandex token: HTTP 4\d\d, invalid_client/,
    })
    t.match((await check({ 'accept-language': 'ru' })).json, { detail: /учётные данные/ })
    yandex.switches.forgetClient = false

    const secret = yandex.env.YANDEX_CLIENT_SECRET ?? ''
    const faults = [
      ['503-html', 'unavailable', /HTTP 503/],
      ['200-html', 'invalid_response', /no JSON object/],
      ['login-redirect', 'invalid_response', /redirect/],
      ['429', 'rate_limited', /HTTP 429/],
    ] as const
    for (const [fault, outcome, says] of faults) {
      yandex.fault('token', fault, 1)
      const answer = await check()
      t.match(answer.json, { ok: false, outcome, detail: /./, provider_says: says }, fault)
      t.notOk(answer.text.includes(secret))
    }
    t.match((await check()).json, { outcome: 'rate_limited' }, 'it asked to be left alone for a while')
    t.notOk(service.log.some((line) => line.includes(secret)))
  },
)

t.test(
  'a provider that cannot be reached is unavailable; one that accepts any code is reported',
  async (t) => {
    const { admin, service } = await startTestManagement(t)
    const { yandex } = service.doubles
    yandex.answer('token', {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: '{"access_token":"x"}',
    })
    yandex.answer('userinfo', {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: '{"id":"1","login":"x"}',
    })
    const check = () => admin('POST', 'checks/provider', { body: { provider: 'yandex' } })
    t.match((await check()).json, { ok: false, outcome: 'accepted', detail: /TOKEN_URL/ })
    await yandex.close()
    t.match((await check()).json, { ok: false, outcome: 'unavailable', provider_says: /ECONNREFUSED/ })
    t.equal(await service.database.prisma.user.count(), 0)
  },
)

t.test('the check of an unknown provider is refused', async (t) => {
  const { admin } = await startTestManagement(t)
  const unknown = await admin('POST', 'checks/provider', { body: { provider: '__proto__' } })
  t.equal(unknown.status, 400)
  t.match(unknown.json, { type: problem('unknown-provider'), detail: /yandex, google, mail/ })
  for (const body of [{}, { provider: 1 }, { provider: 'yandex', code: 'x' }])
    t.equal((await admin('POST', 'checks/provider', { body })).status, 400)
})

t.test('the response says whether a redirect URL would be accepted, and if not, what differs', async (t) => {
  const { admin, service } = await startTestManagement(t)
  const closed = await registerSite(service.database, 'https://closed.example/', true)
  await admin('PATCH', `sites/${closed.id}`, { body: { disabled: true, providers: ['mail'] } })
  await admin('DELETE', `sites/${service.site.id}/providers/google/`)
  const own = { id: service.site.id }
  const nothing = { problem: null, detail: null, difference: null, registered: null, flaw: null }
  const near = {
    accepted: false,
    problem: problem('redirect-url-differs'),
    site: own,
    registered: redirectUrl,
  }
  const cases: [object, object][] = [
    [{ url: redirectUrl }, { accepted: true, site: own, secret_required: false, ...nothing }],
    [
      { url: redirectUrl, provider: 'yandex' },
      { accepted: true, ...nothing },
    ],
    [
      { url: redirectUrl, provider: 'google' },
      { accepted: false, problem: problem('provider-not-allowed'), site: own, detail: /google/ },
    ],
    [
      { url: redirectUrl, provider: 'no' },
      { accepted: false, problem: problem('unknown-provider') },
    ],
    [
      { url: 'https://closed.example/' },
      { accepted: false, problem: problem('site-disabled'), site: { id: closed.id }, secret_required: true },
    ],
    [{ url: `${redirectUrl}/` }, { ...near, difference: 'trailing-slash', flaw: null }],
    [{ url: redirectUrl.replace('https', 'http') }, { ...near, difference: 'scheme', flaw: /must be https/ }],
    [{ url: redirectUrl.toUpperCase() }, { ...near, difference: 'case' }],
    [{ url: `${redirectUrl}?state=1` }, { ...near, difference: 'query', flaw: /reserved/ }],
    [
      { url: 'https://nobody.example/' },
      { accepted: false, problem: problem('redirect-url-unknown'), site: null, flaw: null },
    ],
    [{ url: 'not a URL' }, { accepted: false, site: null, flaw: /space/ }],
  ]
  for (const [body, expected] of cases) {
    const answer = await admin('POST', 'checks/redirect-url/', { body })
    t.equal(answer.status, 200, answer.text)
    t.match(answer.json, expected, JSON.stringify(body))
  }
  const ru = await admin('POST', 'checks/redirect-url/', {
    body: { url: `${redirectUrl}/` },
    headers: { 'accept-language': 'ru' },
  })
  t.match(ru.json, { detail: /[а-я]/ })
  for (const body of [{}, { url: '' }, { url: 1 }, { url: 'x'.repeat(4_001) }])
    t.equal((await admin('POST', 'checks/redirect-url/', { body })).status, 400)
})
