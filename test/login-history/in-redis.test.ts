import { Redis } from 'ioredis'
import t from 'tap'
import { basic, finish, get, locationFields, openCallback, start, text } from '../support/login-flow.ts'
import { startRedis, testRedis, withoutRedis } from '../support/redis.ts'
import { redirectUrl, startTestService } from '../support/service.ts'
import { loginsOf, stepsOf, urn, wholeLogin } from './site-logins.ts'

t.test('the history in Redis', { skip: withoutRedis }, async (t) => {
  const { url, prefix } = await testRedis(t)
  const client = new Redis(url)
  t.teardown(() => client.disconnect())
  const service = await startTestService(t, { redis: { url, prefix } })
  const planted = {
    name: 'Planted Name',
    login: 'planted.login',
    email: 'planted@mail.example',
    id: '424242424242',
  }

  await t.test('no state, code, token or personal data is shown or stored', async (t) => {
    const { state, authorizeUrl } = await start(service, 'yandex', { login_hint: planted.email })
    const code = 'planted-code-1234567'
    const callback = await openCallback(
      service,
      await service.doubles.yandex.consent(authorizeUrl, { code, person: planted }),
    )
    t.equal(callback.status, 303)
    const finished = await finish(service, { provider: 'yandex', state, code })
    t.equal(finished.status, 200)
    const shown = await get(service, '/api/v1/site/logins/', basic(service.site))
    t.strictSame(stepsOf((await loginsOf(service))[0]), wholeLogin)
    const keys = await client.keys(`${prefix}history:*${service.site.id}*`)
    t.equal(keys.length, 2)
    const stored = await Promise.all(keys.map((key) => client.xrange(key, '-', '+')))
    for (const secret of [
      state,
      code,
      text(finished, 'access_token'),
      text(finished, 'refresh_token'),
      ...Object.values(planted),
      service.site.secret,
      '127.0.0.1',
      redirectUrl,
    ])
      for (const where of [shown.text, JSON.stringify(stored)]) t.notOk(where.includes(secret), secret)
  })

  await t.test('the id of a login neither finishes it nor names a key', async (t) => {
    const { id } = (await loginsOf(service))[0] ?? { id: null }
    const answer = await finish(service, { provider: 'yandex', state: id ?? '', code: 'x' })
    t.equal(answer.json.type, urn('unknown-login'))
    const keys = await client.keys(`${prefix}*${id ?? ''}*`)
    t.strictSame(keys, [], 'no key has the id in its name')
  })

  await t.test('a start whose own entry was pushed out is still shown with its login', async (t) => {
    const { state, authorizeUrl } = await start(service, 'yandex', {}, { 'x-request-id': 'pushed-out' })
    // Written by then, so that it can be removed.
    t.equal((await loginsOf(service, '?request_id=pushed-out')).length, 1)
    await client.del(`${prefix}history:starts:${service.site.id}`)
    const callback = await openCallback(service, await service.doubles.yandex.consent(authorizeUrl))
    const { code = '' } = Object.fromEntries(locationFields(callback))
    await finish(service, { provider: 'yandex', state, code })
    const [login] = await loginsOf(service, '?request_id=pushed-out')
    t.match(login, { outcome: 'success', steps: [{ step: 'started' }, { step: 'came_back' }] })
    t.match(login?.requests[0], { request: 'start', request_id: 'pushed-out', duration_ms: null })
  })

  await t.test(
    'six hundred starts and invented codes of a stranger push out no finished login',
    async (t) => {
      const real = await loginsOf(service, '?outcome=success&limit=200')
      const { state } = await start(service)
      const junk = `/api/v1/oauth/callback/yandex?state=${state}&code=`
      await get(service, `${junk}first`)
      for (let round = 0; round < 30; round++)
        await Promise.all(
          Array.from({ length: 20 }, async (_, index) => {
            await start(service, 'yandex', {}, basic(service.site))
            await get(service, junk + String(round * 20 + index))
          }),
        )
      t.strictSame(
        (await loginsOf(service, '?outcome=success&limit=200')).map(({ id }) => id),
        real.map(({ id }) => id),
      )
    },
  )

  await t.test('where Redis takes no entries, logins succeed and the history gets 503', async (t) => {
    const server = await startRedis(t)
    const admin = new Redis(server.url)
    t.teardown(() => admin.disconnect())
    await admin.acl('SETUSER', 'limited', 'on', '>pw', '~*', '+@all')
    const limited = server.url.replace('redis://', 'redis://limited:pw@')
    const other = await startTestService(t, { redis: { url: limited, prefix: 'p:' } })
    await admin.acl('SETUSER', 'limited', '-xadd', '-xrange')
    const { state, authorizeUrl } = await start(other)
    const callback = await openCallback(other, await other.doubles.yandex.consent(authorizeUrl))
    const { code = '' } = Object.fromEntries(locationFields(callback))
    t.equal((await finish(other, { provider: 'yandex', state, code })).status, 200)
    const answer = await get(other, '/api/v1/site/logins/', basic(other.site))
    t.equal(answer.status, 503)
    t.equal(answer.json.type, urn('dependency-unavailable'))
    t.equal(answer.headers.get('retry-after'), '1')
    await server.stop('SIGKILL')
    t.equal((await get(other, '/api/v1/site/logins/', basic(other.site))).status, 503)
    t.equal(
      (await get(other, '/api/v1/site/', basic(other.site))).status,
      200,
      'other questions of the site need no Redis',
    )
  })
})
