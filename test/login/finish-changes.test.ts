import t from 'tap'
import type { NewSite } from '../../src/sites/manage.ts'
import { addSite, removeSite, updateSite } from '../../src/sites/manage.ts'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import { answeredLogin, finish, start } from '../support/login-flow.ts'
import { loginStores } from '../support/login-stores.ts'
import { startTestService } from '../support/service.ts'

const rules = { providers: ['yandex', 'google', 'mail'], loopback: true }
const caches = () => new Promise((resolve) => setTimeout(resolve, 2_000))

t.jobs = loginStores.length
for (const { store, skip, options } of loginStores)
  t.test(
    `what changed since the start holds at the finish, at most 2 s later: ${store}`,
    { skip, buffered: true },
    async (t) => {
      const service = await startTestService(t, await options(t))
      const { database } = service
      let count = 0
      const begun = async (site: Partial<NewSite> = {}) => {
        const url = `https://site${++count}.${store}.example/return`
        const { id } = await addSite(database, { name: url, redirectUrls: [url], ...site }, rules)
        return { id, login: await answeredLogin(service, 'yandex', { fields: { client_redirect_url: url } }) }
      }
      const disabled = await begun()
      const withdrawn = await begun()
      const removed = await begun()
      const hasty = await startTestService(t, {
        ...(await options(t)),
        database,
        doubles: service.doubles,
        site: service.site,
        env: { LOGIN_TTL: '1' },
      })
      const unanswered = await start(hasty)
      const answeredInTime = await answeredLogin(hasty)
      await updateSite(database, disabled.id, { disabled: true }, rules)
      await updateSite(database, withdrawn.id, { providers: ['google', 'mail'] }, rules)
      await removeSite(database, removed.id)
      await caches()
      service.doubles.yandex.requests.length = 0

      const unauthorized = (type: ExpectedProblem['type']) =>
        ({ status: 400, type, error: 'unauthorized_client' }) as const
      expectProblem(t, await finish(service, disabled.login), unauthorized('site-disabled'))
      expectProblem(t, await finish(service, withdrawn.login), unauthorized('provider-not-allowed'))
      expectProblem(t, await finish(service, removed.login), unauthorized('site-disabled'), 'removed')
      const late = { provider: 'yandex', state: unanswered.state, code: 'c' }
      expectProblem(t, await finish(hasty, late), {
        status: 400,
        type: 'login-expired',
        error: 'invalid_grant',
      })
      t.strictSame(service.doubles.yandex.requests, [])
      const inTime = await finish(hasty, answeredInTime)
      t.equal(inTime.status, 200, 'after its code a login has ten minutes more')

      await updateSite(database, disabled.id, { disabled: false }, rules)
      await updateSite(database, withdrawn.id, { providers: ['yandex'] }, rules)
      await caches()
      for (const { login } of [disabled, withdrawn]) t.equal((await finish(service, login)).status, 200)
    },
  )
