import t from 'tap'
import { updateSite } from '../../src/sites/store.ts'
import { basic, get, post, start } from '../support/login-flow.ts'
import { registerSite, startTestService } from '../support/service.ts'
import { loginOf, loginsOf, urn } from './site-logins.ts'

const service = await startTestService(t)
for (let index = 0; index < 4; index++) {
  await start(service)
  await new Promise((resolve) => setTimeout(resolve, 5))
}

t.test(
  'a start that failed is shown to the site that authenticated, else to the site of its URL',
  async (t) => {
    const url = 'https://strict.example/return'
    const strict = await registerSite(service.database, url, true)
    const startAs = (headers: Record<string, string>, provider = 'yandex') =>
      post(service, '/api/v1/oauth/authorize-url/', { provider, client_redirect_url: url }, { headers })
    const without = await startAs({})
    t.match(await loginOf(service, without, strict), {
      id: null,
      outcome: 'failed',
      problem: urn('secret-required'),
      steps: [],
    })
    const wrong = await startAs(basic({ ...strict, secret: 'wrong' }))
    t.match(await loginOf(service, wrong, strict), { problem: urn('wrong-credentials') })
    const mismatch = await startAs(basic(service.site))
    t.match(
      await loginOf(service, mismatch),
      { problem: urn('site-mismatch') },
      'shown to the site that authenticated',
    )
    t.equal(await loginOf(service, mismatch, strict), undefined, 'not shown to the site of the URL')
    await updateSite(
      service.database,
      strict.id,
      { providers: ['mail'] },
      { loopback: true, providers: ['mail'] },
    )
    await new Promise((resolve) => setTimeout(resolve, 2_100))
    const disallowed = await startAs(basic(strict))
    t.match(await loginOf(service, disallowed, strict), { problem: urn('provider-not-allowed') })
  },
)

t.test('a site is not shown the logins of another site', async (t) => {
  const other = await registerSite(service.database, 'https://neighbour.example/return')
  t.strictSame(await loginsOf(service, '', other), [])
  await start(service, 'yandex', {}, { 'x-request-id': 'not-yours' })
  t.strictSame(await loginsOf(service, '?request_id=not-yours', other), [])
  t.equal((await loginsOf(service, '?request_id=not-yours')).length, 1)
})

t.test('every response has a request id', async (t) => {
  for (const path of [
    '/api/v1/site/',
    '/nowhere',
    '/.well-known/jwks.json',
    '/docs/',
    '/problems/internal-error',
  ]) {
    const answer = await get(service, path)
    t.match(answer.headers.get('x-request-id'), /^[\w-]{1,64}$/, path)
    if (answer.status >= 400) t.equal(answer.json.request_id, answer.headers.get('x-request-id'), path)
  }
})

t.test('a query with an invalid value gets invalid-parameter, an unknown parameter is ignored', async (t) => {
  const bad = [
    { query: 'outcome=lost', parameter: 'outcome' },
    { query: 'outcome=', parameter: 'outcome' },
    { query: 'limit=0', parameter: 'limit' },
    { query: 'limit=201', parameter: 'limit' },
    { query: 'limit=1e2', parameter: 'limit' },
    { query: 'limit=-1', parameter: 'limit' },
    { query: 'since=yesterday', parameter: 'since' },
    { query: 'since=2026-02-30T00:00:00Z', parameter: 'since' },
    { query: 'until=2026-06-30T23:59:60Z', parameter: 'until' },
    { query: 'until=1795625752', parameter: 'until' },
    { query: 'request_id=a%20b', parameter: 'request_id' },
    { query: `request_id=${'a'.repeat(65)}`, parameter: 'request_id' },
  ]
  for (const { query, parameter } of bad) {
    const answer = await get(service, `/api/v1/site/logins/?${query}`, basic(service.site))
    t.equal(answer.status, 400, query)
    t.equal(answer.json.type, urn('invalid-parameter'), query)
    t.match(answer.json.detail, parameter, query)
  }
  const twice = await get(service, '/api/v1/site/logins/?limit=1&limit=2', basic(service.site))
  t.equal(twice.json.type, urn('repeated-parameter'))
  t.equal((await loginsOf(service, '?limit=1&page=2&request=x')).length, 1)
})

t.test('until and since page through the logins by their start', async (t) => {
  const all = await loginsOf(service, '?limit=200')
  const [first, second] = await loginsOf(service, '?limit=2')
  t.strictSame([first, second], all.slice(0, 2))
  const next = await loginsOf(service, `?limit=1&until=${second?.started_at ?? ''}`)
  t.ok(next.length === 1 && all.some(({ id }) => id === next[0]?.id))
  t.ok(Date.parse(next[0]?.started_at ?? '') < Date.parse(second?.started_at ?? ''))
  const since = encodeURIComponent(second?.started_at ?? '')
  t.ok(
    (await loginsOf(service, `?since=${since}`)).every((one) => one.started_at >= (second?.started_at ?? '')),
  )
  t.ok((await loginsOf(service, '?outcome=failed')).every(({ outcome }) => outcome === 'failed'))
})
