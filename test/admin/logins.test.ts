import t from 'tap'
import type { Answer } from '../support/login-flow.ts'
import { finish, loginToFinish, start } from '../support/login-flow.ts'
import { startTestManagement } from '../support/management.ts'
import { eventually } from '../support/process.ts'
import { testRedis, withoutRedis } from '../support/redis.ts'
import { registerSite } from '../support/service.ts'

const logins = ({ json }: Answer): Record<string, unknown>[] =>
  Array.isArray(json.logins) ? json.logins : []

for (const store of ['memory', 'redis'] as const)
  t.test(
    `the recent logins of all sites are listed and filtered, in ${store}`,
    { skip: store === 'redis' && withoutRedis },
    async (t) => {
      const redis = store === 'redis' ? await testRedis(t) : undefined
      const { admin, audited, service } = await startTestManagement(t, redis && { redis })
      const url = 'https://other.example/'
      const other = await registerSite(service.database, url)
      for (let count = 0; count < 6; count++)
        await registerSite(service.database, `https://idle-${count}.example/`)
      await finish(service, await loginToFinish(service))
      await start(service, 'mail', { client_redirect_url: url }, { 'x-request-id': 'the-one-asked-for' })
      const all = await eventually(async () => {
        const found = logins(await admin('GET', 'logins/'))
        if (found.length !== 2) throw new Error(`${found.length} logins`)
        return found
      })
      t.match(all, [
        { site_id: other.id, provider: 'mail', outcome: 'pending' },
        { site_id: service.site.id, provider: 'yandex', outcome: 'success' },
      ])
      const [newest, older] = all
      t.strictSame(logins(await admin('GET', 'logins?limit=1')), [newest])
      t.strictSame(logins(await admin('GET', 'logins?request_id=the-one-asked-for')), [newest])
      t.strictSame(logins(await admin('GET', 'logins?outcome=success')), [older])
      t.strictSame(logins(await admin('GET', `logins?site=${service.site.id}`)), [older])
      t.strictSame(logins(await admin('GET', `logins?site=${service.site.id}&outcome=failed`)), [])
      t.equal((await admin('GET', 'logins?site=none')).status, 404)
      for (const query of ['outcome=x', 'limit=0', 'since=yesterday', 'unknown=1'])
        t.equal((await admin('GET', `logins?${query}`)).status, 400, query)
      t.same(audited(), [])
    },
  )
