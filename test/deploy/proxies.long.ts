import { createServer } from 'node:http'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import t from 'tap'
import { selfSigned } from '../providers/self-signed.ts'
import { testDatabase } from '../support/database.ts'
import type { FlowService } from '../support/login-flow.ts'
import { get, logIn, post, start, text } from '../support/login-flow.ts'
import { eventually, listenOnLoopback } from '../support/process.ts'
import { startProcess } from '../support/process-service.ts'
import { proxies, startProxy, withoutProxy } from '../support/proxies.ts'
import { testRedis, withoutRedis } from '../support/redis.ts'
import { publicUrl, redirectUrl, registerSite, startDoubles } from '../support/service.ts'

// The samples of deploy/proxy/, run as they are, with the service behind them.

setDefaultCACertificates([...getCACertificates('default'), selfSigned.cert])

for (const proxy of proxies) {
  t.test(
    `${proxy}: a whole login by TLS, and the largest headers`,
    {
      skip: withoutRedis || withoutProxy(proxy),
    },
    async (t) => {
      const database = await testDatabase(t)
      await registerSite(database, redirectUrl)
      const behind = await startProcess(t, {
        databaseUrl: database.url,
        redis: await testRedis(t),
        doubles: await startDoubles(t),
        env: { TRUST_PROXY: '1' },
      })
      const { url, log } = await startProxy(t, proxy, {
        port: new URL(behind.url).port,
        managementPort: new URL(behind.managementUrl).port,
      })
      const service: FlowService = { url, doubles: behind.doubles, config: { publicUrl } }

      const { refreshToken } = await logIn(service)
      const refreshed = await post(service, '/api/v1/oauth/refresh/', { refresh_token: refreshToken })
      text(refreshed, 'access_token')

      const cookie = 'c'.repeat(30_000)
      t.equal((await get(service, '/api/v1/oauth/providers/', { cookie })).status, 200, '30 kB of cookies')
      const { state } = await start(service)
      const code = 'q'.repeat(4_000)
      const back = await get(service, `/api/v1/oauth/callback/yandex?state=${state}&code=${code}`, {
        cookie: 'c'.repeat(20_000),
      })
      t.equal(back.status, 303)
      t.ok(back.headers.get('location')?.includes(code), 'a code of 4 kB comes through in Location')
      const large = await post(service, '/api/v1/oauth/refresh/', { refresh_token: 'r'.repeat(15_000) })
      t.match(large.json, { error: 'invalid_request' }, 'a body of 15 kB arrives')
      for (const path of ['/health/ready', '/metrics', '/api/v1/admin/sites'])
        t.equal((await get(service, path)).status, 404, `${path} stays inside`)

      await eventually(async () => t.match(await log(), '/api/v1/oauth/callback/yandex'))
      const written = await log()
      for (const secret of [state, code, refreshToken, 'state=', 'code='])
        t.notOk(written.includes(secret), 'its log holds no secret')
    },
  )

  t.test(
    `${proxy}: what a caller says of its address does not count`,
    {
      skip: withoutProxy(proxy),
    },
    async (t) => {
      const seen: unknown[] = []
      const server = createServer((request, response) => {
        seen.push(request.headers['x-forwarded-for'])
        response.end()
      })
      t.teardown(() => server.close())
      const port = String(await listenOnLoopback(server))
      const { url } = await startProxy(t, proxy, { port, managementPort: port })
      seen.length = 0
      await get({ url }, '/', { 'x-forwarded-for': '203.0.113.7' })
      t.strictSame(
        seen.filter((value) => value !== undefined),
        ['127.0.0.1'],
      )
    },
  )
}
