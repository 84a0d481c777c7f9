import { Redis } from 'ioredis'
import t from 'tap'
import { updateSite } from '../../src/sites/store.ts'
import { rules } from '../sites/support.ts'
import { openTestDatabase, testDatabase } from '../support/database.ts'
import { basic, get, logIn, post } from '../support/login-flow.ts'
import { testRedis, withoutRedis } from '../support/redis.ts'
import type { TestService, TestServiceOptions } from '../support/service.ts'
import { redirectUrl, registerSite, startTestService } from '../support/service.ts'
import { startTripProxy } from '../support/trip-proxy.ts'

const from = (address: string) => ({ 'x-forwarded-for': address })
const body = { provider: 'yandex', client_redirect_url: redirectUrl }
const starts = (service: TestService, fields: Record<string, string>, headers: Record<string, string> = {}) =>
  post(service, '/api/v1/oauth/authorize-url/', { ...body, ...fields }, { headers })

/** Sends this many requests one after the other, and counts the responses by status. */
async function many(count: number, request: (index: number) => Promise<{ readonly status: number }>) {
  const statuses: Record<number, number> = {}
  for (let done = 0; done < count; done++) {
    const { status } = await request(done)
    statuses[status] = (statuses[status] ?? 0) + 1
  }
  return statuses
}

/**
 * Repeats a request until it is refused: a process counts for itself, and tells Redis after each hundredth of a limit.
 * @returns the last answer
 */
async function untilRefused<T extends { readonly status: number }>(
  limit: number,
  request: () => Promise<T>,
): Promise<T> {
  for (let left = limit / 100; ; left--) {
    const answer = await request()
    if (answer.status === 429 || left <= 1) return answer
  }
}

/** A service whose counters can be set as if this many requests had come in this minute. */
async function countedService(
  t: Pick<typeof import('tap').default, 'teardown'>,
  options: TestServiceOptions = {},
) {
  const redis = await testRedis(t)
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  const service = await startTestService(t, { redis, ...options, env: { TRUST_PROXY: '1', ...options.env } })
  const used = (bucket: string, key: string, count: number) =>
    client.set(`${redis.prefix}limit:${bucket}:${key}`, count, 'EX', 60)
  return { service, used, redis }
}

t.test(
  'ten starts per second for a whole minute by a site’s own login button do not limit any of its visitors',
  async (t) => {
    const service = await startTestService(t)
    const pressed = await many(700, () => starts(service, {}))
    t.strictSame(pressed, { 200: 700 }, 'without the secret')
  },
)

t.test('a site that names its visitors', { skip: withoutRedis }, async (t) => {
  const { service, used } = await countedService(t)
  const { site } = service
  const start = (visitor: string) => starts(service, { user_ip: visitor }, basic(site))

  await t.test('each visitor has limits of their own', async (t) => {
    t.strictSame(await many(70, () => start('192.0.2.1')), { 200: 60, 429: 10 })
    const refused = await start('192.0.2.1')
    t.match(refused.json, { type: /rate-limited$/, detail: /60/ })
    t.match(refused.headers.get('retry-after'), /^[1-9]\d?$/)
    t.equal((await start('192.0.2.2')).status, 200, 'another visitor')
    t.equal((await starts(service, {}, basic(site))).status, 200, 'without a visitor')
  })

  await t.test('a visitor with an IPv6 address is counted by its /64', async (t) => {
    const statuses = await many(70, (index) => start(`2001:db8:1:2::${index}`))
    t.strictSame(statuses, { 200: 60, 429: 10 })
  })

  await t.test('a refused visitor does not count for the limit of the site', async (t) => {
    await used('start', site.id, 59_990)
    t.strictSame(await many(100, () => start('192.0.2.1')), { 429: 100 })
    t.equal((await start('192.0.2.3')).status, 200)
  })

  await t.test('a visitor’s IP is ignored where the caller has no secret', async (t) => {
    const statuses = await many(70, () => starts(service, { user_ip: '192.0.2.9' }))
    t.strictSame(statuses, { 200: 70 })
    t.equal((await start('192.0.2.9')).status, 200, 'it was not counted either')
  })

  await t.test('the visitor’s IP must be a single IP address', async (t) => {
    for (const wrong of [
      'unknown',
      '192.0.2.1:80',
      '192.0.2.1, 192.0.2.2',
      '[2001:db8::1]',
      '1.2.3',
      'x'.repeat(65),
    ])
      t.match((await start(wrong)).json, { type: /invalid-parameter$/, detail: /user_ip/ }, wrong)
    t.equal((await start('')).status, 200, 'empty is as good as omitted')
  })
})

t.test('the factor of a site multiplies its limits', { skip: withoutRedis }, async (t) => {
  const { service, used } = await countedService(t)
  const site = await registerSite(service.database, 'https://large.example/return')
  const fields = { client_redirect_url: 'https://large.example/return' }
  const start = (headers: Record<string, string>) =>
    starts(service, fields, { ...from('192.0.2.1'), ...headers })
  await used('start-address', `${site.id}:192.0.2.1`, 6_000)
  await used('start', site.id, 60_000)
  t.equal((await untilRefused(6_000, () => start({}))).status, 429)
  t.equal((await untilRefused(60_000, () => start(basic(site)))).status, 429)

  await updateSite(service.database, site.id, { limitFactor: 2 }, rules)
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  t.equal((await start({})).status, 200, 'a raised factor holds after two seconds')
  t.equal((await start(basic(site))).status, 200)
  await used('start-address', `${site.id}:192.0.2.1`, 12_000)
  t.match((await untilRefused(6_000, () => start({}))).json, { type: /rate-limited$/, detail: /12000/ })

  const { refreshToken } = await logIn(service)
  const refresh = () =>
    post(service, '/api/v1/oauth/refresh/', { refresh_token: refreshToken }, { headers: from('192.0.2.7') })
  await used('refresh-address', `${service.site.id}:192.0.2.7`, 6_000)
  t.equal((await untilRefused(6_000, refresh)).status, 429)
  await updateSite(service.database, service.site.id, { limitFactor: 2 }, rules)
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  t.equal((await refresh()).status, 200, 'a refresh knows its site by the token alone')
})

t.test('requests about a session are counted per session', { skip: withoutRedis }, async (t) => {
  const { service } = await countedService(t)
  const [one, other] = [await logIn(service), await logIn(service)]
  const ask = (path: string, token: string, headers: Record<string, string> = {}) =>
    get(service, path, { authorization: `Bearer ${token}`, ...headers })
  t.strictSame(
    await many(610, (index) => ask(index % 2 ? '/api/v1/me/' : '/api/v1/me/sessions/', one.accessToken)),
    {
      200: 600,
      429: 10,
    },
  )
  t.equal((await ask('/api/v1/me/', other.accessToken)).status, 200, 'another session, from the same address')
  const introspect = (token: string) =>
    post(service, '/api/v1/oauth/introspect/', { token }, { headers: basic(service.site) })
  t.equal((await introspect(one.refreshToken)).status, 429)
  t.match((await introspect(other.refreshToken)).json, { active: true })
})

t.test('replicas count together, each within a hundredth', { skip: withoutRedis }, async (t) => {
  const { service, redis } = await countedService(t)
  const { database, doubles, site } = service
  const other = await startTestService(t, { redis, database, doubles, site })
  const { accessToken } = await logIn(service)
  const headers = { authorization: `Bearer ${accessToken}` }
  const { 200: answered = 0, 429: refused = 0 } = await many(640, (index) =>
    get(index % 2 ? service : other, '/api/v1/me/', headers),
  )
  t.equal(answered + refused, 640)
  t.ok(answered >= 600 && answered <= 606, `${answered} of a limit of 600`)
})

t.test('forged tokens are limited per network, valid ones never', { skip: withoutRedis }, async (t) => {
  const { service } = await countedService(t)
  const { accessToken } = await logIn(service)
  const [head, claims] = accessToken.split('.')
  const forged = `${head}.${claims}.${'A'.repeat(86)}`
  const me = (token: string) => get(service, '/api/v1/me/', { authorization: `Bearer ${token}` })
  t.strictSame(await many(610, () => me(forged)), { 401: 600, 429: 10 })
  t.equal((await me(accessToken)).status, 200)
  t.strictSame(await many(10, () => me('junk')), { 401: 10 }, 'junk costs nothing, and is not counted')
  for (const path of ['revoke', 'introspect']) {
    const ask = (token: string) =>
      post(service, `/api/v1/oauth/${path}/`, { token }, { headers: basic(service.site) })
    t.equal((await ask(forged)).status, 429, path)
    t.equal((await ask('junk')).status, 200, path)
    t.equal((await ask(accessToken)).status, 200, path)
  }
})

t.test(
  'revocations are counted per site and network, with the secret per site',
  { skip: withoutRedis },
  async (t) => {
    const { service, used } = await countedService(t)
    const { site } = service
    const { refreshToken } = await logIn(service)
    const revoke = (headers: Record<string, string>) =>
      post(service, '/api/v1/oauth/revoke/', { token: refreshToken }, { headers })
    await used('revoke-address', `${site.id}:192.0.2.1`, 6_000)
    t.equal((await untilRefused(6_000, () => revoke(from('192.0.2.1')))).status, 429)
    t.equal((await revoke(from('192.0.2.2'))).status, 200)
    await used('revoke', site.id, 60_000)
    const headers = { ...from('192.0.2.2'), ...basic(site) }
    t.equal((await untilRefused(60_000, () => revoke(headers))).status, 429)
    await used('introspection', site.id, 60_000)
    const introspect = () => post(service, '/api/v1/oauth/introspect/', { token: refreshToken }, { headers })
    t.equal((await untilRefused(60_000, introspect)).status, 429)
  },
)

t.test('a request above its limit causes no query to the database', { skip: withoutRedis }, async (t) => {
  const direct = await testDatabase(t)
  const proxy = await startTripProxy(t, direct.url)
  const database = openTestDatabase(t, { url: proxy.through(direct.url), poolMax: 1 })
  const { service } = await countedService(t, { database: { ...database, url: direct.url } })
  const unknown = (index: number, headers: Record<string, string>) =>
    starts(service, { client_redirect_url: `https://nobody-${index}.example/` }, headers)
  const guess = (index: number) =>
    starts(service, {}, { ...from('203.0.113.2'), ...basic({ id: `site_${index}`, secret: 'guess' }) })
  const together = (count: number, request: (index: number) => Promise<{ readonly status: number }>) =>
    Promise.all(Array.from({ length: count }, (_, index) => request(index)))

  const before = await many(601, (index) => unknown(index, from('203.0.113.1')))
  t.strictSame(before, { 400: 600, 429: 1 })
  await proxy.take()
  const started = performance.now()
  const refused = await together(200, (index) => unknown(1_000 + index, from('203.0.113.1')))
  t.ok(refused.every(({ status }) => status === 429))
  // At most one batch per 100 ms that it took, and one that had already begun.
  const batches = () => Math.ceil((performance.now() - started) / 100) + 1
  let most = batches()
  let { awaited } = await proxy.take()
  t.ok(awaited <= most && awaited < 50, `${awaited} statements for 200 refused starts`)

  const good = await starts(service, {}, from('203.0.113.1'))
  t.equal(good.status, 200, 'a registered URL from the same address is found all the same')

  t.strictSame(await many(31, guess), { 401: 30, 429: 1 })
  await proxy.take()
  const guessed = await together(200, (index) => guess(1_000 + index))
  t.ok(guessed.every(({ status }) => status === 429))
  most = batches()
  ;({ awaited } = await proxy.take())
  t.ok(awaited <= most && awaited < 50, `${awaited} statements for 200 refused secrets`)
  const right = await starts(service, {}, { ...from('203.0.113.2'), ...basic(service.site) })
  t.equal(right.status, 200, 'the right secret from the same address is taken all the same')
})
