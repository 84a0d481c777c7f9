import t from 'tap'
import type { NewSite } from '../../src/sites/site.ts'
import { addSite, updateSite } from '../../src/sites/store.ts'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import { finish, loginToFinish, start } from '../support/login-flow.ts'
import { loginStores } from '../support/login-stores.ts'
import { eventually } from '../support/process.ts'
import { removeSite } from '../support/remove-site.ts'
import { startTestService } from '../support/service.ts'

const rules = { providers: ['yandex', 'google', 'mail'], loopback: true }
const cachesExpire = () => new Promise((resolve) => setTimeout(resolve, 2_000))

t.jobs = loginStores.length
for (const { store, skip, options } of loginStores)
  t.test(
    `a finish is answered by the site as it has been for 2 s, not as it was at the start: ${store}`,
    { skip, buffered: true },
    async (t) => {
      const service = await startTestService(t, await options(t))
      const { database } = service
      let count = 0
      const loginAtNewSite = async (site: Partial<NewSite> = {}) => {
        const url = `https://site${++count}.${store}.example/return`
        const { id } = await addSite(database, { name: url, redirectUrls: [url], ...site }, rules)
        return { id, login: await loginToFinish(service, 'yandex', { fields: { client_redirect_url: url } }) }
      }
      const disabled = await loginAtNewSite()
      const withdrawn = await loginAtNewSite()
      const removed = await loginAtNewSite()
      const shortLived = await startTestService(t, {
        ...(await options(t)),
        database,
        doubles: service.doubles,
        site: service.site,
        env: { LOGIN_TTL: '1' },
      })
      const withoutCode = await start(shortLived)
      const withCode = await loginToFinish(shortLived)
      await updateSite(database, disabled.id, { disabled: true }, rules)
      await updateSite(database, withdrawn.id, { providers: ['google', 'mail'] }, rules)
      await removeSite(database, removed.id)
      await cachesExpire()
      service.doubles.yandex.requests.length = 0

      const unauthorized = (type: ExpectedProblem['type']) =>
        ({ status: 400, type, error: 'unauthorized_client' }) as const
      expectProblem(t, await finish(service, disabled.login), unauthorized('site-disabled'))
      expectProblem(t, await finish(service, withdrawn.login), unauthorized('provider-not-allowed'))
      expectProblem(t, await finish(service, removed.login), unauthorized('site-disabled'), 'removed')
      const late = { provider: 'yandex', state: withoutCode.state, code: 'c' }
      expectProblem(t, await finish(shortLived, late), {
        status: 400,
        type: 'login-expired',
        error: 'invalid_grant',
      })
      t.strictSame(service.doubles.yandex.requests, [])
      const inTime = await finish(shortLived, withCode)
      t.equal(inTime.status, 200, 'a login can be finished for ten minutes after its code')

      await updateSite(database, disabled.id, { disabled: false }, rules)
      await updateSite(database, withdrawn.id, { providers: ['yandex'] }, rules)
      await cachesExpire()
      for (const { login } of [disabled, withdrawn]) t.equal((await finish(service, login)).status, 200)
    },
  )

t.test(
  'a finish whose site is removed while its session is written is answered with site-disabled',
  { buffered: true },
  async (t) => {
    const service = await startTestService(t)
    const { database } = service
    const person = { id: '5005', name: 'Anna Before' }
    t.equal((await finish(service, await loginToFinish(service, 'yandex', { person }))).status, 200)
    const url = 'https://removed.example/return'
    const site = await addSite(database, { name: url, redirectUrls: [url] }, rules)
    const renamed = { ...person, name: 'Anna After' }
    const options = { person: renamed, fields: { client_redirect_url: url } }
    const login = await loginToFinish(service, 'yandex', options)

    // The lock stops the statement after it has read the site, at the identity of this person.
    const lock = await database.pool.connect()
    await lock.query('BEGIN')
    await lock.query('SELECT FROM identities WHERE subject = $1 FOR UPDATE', [person.id])
    const finishing = finish(service, login)
    await eventually(async () => {
      const { rowCount } = await database.pool.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
         AND query LIKE '%INSERT INTO identities%'`,
      )
      if (rowCount === 0) throw new Error('not waiting yet')
    })
    await removeSite(database, site.id)
    await lock.query('ROLLBACK')
    lock.release()
    const siteDisabled = { status: 400, type: 'site-disabled', error: 'unauthorized_client' } as const
    expectProblem(t, await finishing, siteDisabled)
    t.equal(await database.prisma.session.count(), 1, 'only the session of the first login')
    t.match(await database.prisma.user.findMany(), [{ name: person.name }], 'nothing was written')
  },
)
