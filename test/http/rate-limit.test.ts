import { Redis } from 'ioredis'
import t from 'tap'
import { request } from 'undici'
import { newState } from '../../src/login/login.ts'
import { basic, finish, get, logIn, loginToFinish, post } from '../support/login-flow.ts'
import { eventually } from '../support/process.ts'
import { startRedis, withoutRedis } from '../support/redis.ts'
import type { TestService } from '../support/service.ts'
import { redirectUrl, registerSite, startTestService } from '../support/service.ts'

const from = (address: string) => ({ 'x-forwarded-for': address })
const body = { provider: 'yandex', client_redirect_url: redirectUrl }
const starts = (service: TestService, headers: Record<string, string>) =>
  post(service, '/api/v1/oauth/authorize-url/', body, { headers })

/** Posts an urlencoded form with a minimal client, because these tests send thousands of requests. */
async function lean(
  service: TestService,
  path: string,
  fields: Record<string, string>,
  headers: Record<string, string>,
) {
  const answer = await request(service.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(fields).toString(),
  })
  await answer.body.dump()
  return { status: answer.statusCode }
}

/** Sends this many requests, fifty at a time, and counts the responses by status. */
async function many(count: number, request: (index: number) => Promise<{ status: number }>) {
  const statuses: Record<number, number> = {}
  for (let done = 0; done < count; done += 50) {
    const answers = await Promise.all(
      Array.from({ length: Math.min(50, count - done) }, (_, index) => request(done + index)),
    )
    for (const { status } of answers) statuses[status] = (statuses[status] ?? 0) + 1
  }
  return statuses
}

const sent = 3_000
const startPath = '/api/v1/oauth/authorize-url/'
const finishPath = '/api/v1/oauth/authorize/'

t.test('a stranger cannot limit a site', { skip: withoutRedis, timeout: 120_000 }, async (t) => {
  const redis = await startRedis(t)
  const service = await startTestService(t, {
    redis: { url: redis.url, prefix: 'p:' },
    env: { TRUST_PROXY: '1' },
  })
  const site = '198.51.100.1'
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  /** Sets a counter as if this many requests had come in this minute. */
  const used = (bucket: string, key: string, count: number) =>
    client.set(`p:limit:${bucket}:${key}`, count, 'EX', 60)

  await t.test('endless starts by a stranger with the site’s URL do not limit the site itself', async (t) => {
    await used('start-address', `${service.site.id}:203.0.113.9`, 5_000)
    const statuses = await many(sent, () => lean(service, startPath, body, from('203.0.113.9')))
    t.strictSame(statuses, { 200: 1_000, 429: sent - 1_000 })
    const refused = await starts(service, from('203.0.113.9'))
    t.match(refused.json, { type: 'urn:auth-movies:problem:rate-limited', status: 429, detail: /6000/ })
    t.ok(Number(refused.headers.get('retry-after')) >= 1 && Number(refused.headers.get('retry-after')) <= 60)
    t.equal((await starts(service, from(site))).status, 200, 'from its own address')
    t.equal(
      (await starts(service, { ...from('203.0.113.9'), ...basic(service.site) })).status,
      200,
      'or by its secret',
    )
  })

  await t.test(
    'endless unknown states through the site’s own redirect URL do not limit its logins',
    async (t) => {
      const login = await loginToFinish(service, 'yandex', { headers: from(site) })
      const statuses = await many(sent, () =>
        lean(service, finishPath, { provider: 'yandex', state: newState(), code: 'x' }, from(site)),
      )
      t.equal(statuses[400], 600)
      t.equal(statuses[429], sent - 600)
      t.equal((await finish(service, login, from(site))).status, 200)
    },
  )

  await t.test(
    'finishes of strangers’ logins with wrong codes count for the strangers, not for the site',
    async (t) => {
      const login = await loginToFinish(service, 'yandex', { headers: from(site) })
      service.doubles.yandex.requests.length = 0
      const statuses = await many(1_300, async (index) => {
        const stranger = from(`203.0.113.${20 + (index % 3)}`)
        const started = await starts(service, stranger)
        const state = String(started.json.state)
        await get(service, `/api/v1/oauth/callback/yandex?state=${state}&code=junk`, stranger)
        return lean(service, finishPath, { provider: 'yandex', state, code: 'junk' }, from(site))
      })
      t.equal(statuses[200], undefined)
      const asked = service.doubles.yandex.requests.filter(({ path }) => path === '/token').length
      t.ok(asked < 3 * 31 + 50, `${asked} of their codes reached the provider`)
      t.equal((await finish(service, login, from(site))).status, 200)
    },
  )

  await t.test('another site’s credentials do not count against the site of a refresh token', async (t) => {
    const { refreshToken } = await logIn(service)
    const other = await registerSite(service.database, 'https://other.example/return')
    const statuses = await many(100, () =>
      post(service, '/api/v1/oauth/refresh/', { refresh_token: refreshToken }, { headers: basic(other) }),
    )
    t.strictSame(statuses, { 400: 100 })
    const answer = await post(
      service,
      '/api/v1/oauth/refresh/',
      { refresh_token: refreshToken },
      { headers: basic(service.site) },
    )
    t.equal(answer.status, 200, 'and end nothing')
  })

  await t.test('failing finishes of a living login are limited, and a good one is not', async (t) => {
    const login = await loginToFinish(service, 'yandex', { headers: from(site) })
    const wrong = { ...login, code: 'wrong' }
    await used('failed-finish', '203.0.113.30', 5_800)
    const statuses = await many(300, () => lean(service, finishPath, wrong, from('203.0.113.30')))
    t.strictSame(statuses, { 400: 200, 429: 100 })
    t.equal((await finish(service, login, from('203.0.113.30'))).status, 200)
    const { json } = await get(service, '/api/v1/site/logins/?outcome=success&limit=100', basic(service.site))
    t.ok(Array.isArray(json.logins) && json.logins.length >= 3, 'they push no real login out of the history')
  })

  await t.test('starts with unknown redirect URLs are limited', async (t) => {
    const asked = { provider: 'yandex', client_redirect_url: 'https://customer.example/' }
    const statuses = await many(700, () =>
      post(service, '/api/v1/oauth/authorize-url/', asked, { headers: from('203.0.113.31') }),
    )
    t.strictSame(statuses, { 400: 600, 429: 100 })
  })

  await t.test('wrong secrets are limited, the right one never', async (t) => {
    const wrong = { ...from('203.0.113.7'), ...basic({ id: service.site.id, secret: 'guess' }) }
    const statuses = await many(100, () => starts(service, wrong))
    t.strictSame(statuses, { 401: 30, 429: 70 })
    t.equal((await starts(service, { ...from('203.0.113.7'), ...basic(service.site) })).status, 200)
  })

  await t.test('an untrusted X-Forwarded-For does not evade a limit', async (t) => {
    const direct = await startTestService(t, {
      database: service.database,
      doubles: service.doubles,
      site: service.site,
      redis: { url: redis.url, prefix: 'q:' },
    })
    const unknown = { provider: 'yandex', client_redirect_url: 'https://customer.example/' }
    const statuses = await many(700, (index) =>
      lean(direct, startPath, unknown, from(`192.0.2.${index % 250}`)),
    )
    t.strictSame(statuses, { 400: 600, 429: 100 })
  })

  await t.test('while Redis is down limits are counted locally', async (t) => {
    const { refreshToken } = await logIn(service)
    await redis.stop('SIGKILL')
    const answer = await post(
      service,
      '/api/v1/oauth/refresh/',
      { refresh_token: refreshToken },
      { headers: from(site) },
    )
    t.equal(answer.status, 200, answer.text)
    const statuses = await many(40, () =>
      post(
        service,
        '/api/v1/oauth/introspect/',
        { token: 'x' },
        { headers: { ...from('203.0.113.5'), ...basic({ id: service.site.id, secret: 'guess' }) } },
      ),
    )
    t.strictSame(statuses, { 401: 30, 429: 10 }, 'still limited')
    await redis.start()
    await eventually(async () => {
      const { status } = await starts(service, from('198.51.100.77'))
      if (status !== 200) throw new Error(`not back: ${status}`)
    }, 5_000)
  })
})

t.test('RATE_LIMIT=off limits nothing, which is logged', async (t) => {
  const service = await startTestService(t, { env: { RATE_LIMIT: 'off' } })
  const visitor = { ...body, user_ip: '192.0.2.1' }
  const asked = () => post(service, startPath, visitor, { headers: basic(service.site) })
  t.strictSame(await many(100, asked), { 200: 100 })
  t.match(service.config.warnings.join(), /RATE_LIMIT=off/)
})
