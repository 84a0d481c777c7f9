import t from 'tap'
import type { NewSite } from '../../src/sites/site.ts'
import { addSite, removeSite, updateSite } from '../../src/sites/store.ts'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import { answeredLogin, finish, start } from '../support/login-flow.ts'
import { loginStores } from '../support/login-stores.ts'
import { eventually } from '../support/process.ts'
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

t.test('a site that is removed while the session is being written', { buffered: true }, async (t) => {
  const service = await startTestService(t)
  const { database } = service
  const person = { id: '5005', name: 'Anna Before' }
  t.equal((await finish(service, await answeredLogin(service, 'yandex', { person }))).status, 200)
  const url = 'https://removed.example/return'
  const site = await addSite(database, { name: url, redirectUrls: [url] }, rules)
  const renamed = { ...person, name: 'Anna After' }
  const options = { person: renamed, fields: { client_redirect_url: url } }
  const login = await answeredLogin(service, 'yandex', options)

  // The statement has read the site, and waits for this person's identity.
  const lock = await database.pool.connect()
  await lock.query('BEGIN')
  await lock.query('SELECT FROM identities WHERE subject = $1 FOR UPDATE', [person.id])
  const finishing = finish(service, login)
  await eventually(async () => {
    const { rowCount } = await database.pool.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
         AND query LIKE '%INSERT INTO sessions%'`,
    )
    if (rowCount === 0) throw new Error('not waiting yet')
  })
  await removeSite(database, site.id)
  await lock.query('ROLLBACK')
  lock.release()
  const refused = { status: 400, type: 'site-disabled', error: 'unauthorized_client' } as const
  expectProblem(t, await finishing, refused)
  t.equal(await database.prisma.session.count(), 1, 'of the first login')
  t.match(await database.prisma.user.findMany(), [{ name: person.name }], 'nothing was written')
})
