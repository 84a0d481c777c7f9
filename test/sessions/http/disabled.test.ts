import t from 'tap'
import { updateSite } from '../../../src/sites/store.ts'
import { basic, finish, loginToFinish, post } from '../../support/login-flow.ts'
import { eventually } from '../../support/process.ts'
import { redirectUrl, startTestService } from '../../support/service.ts'
import { introspect, logInAt, me, problemOf, refresh, revoke, rowOf } from './session-requests.ts'

const service = await startTestService(t)

/** Sites are cached for 2 s; everything else is read from the database at once. */
const cached = 4_000

t.test('every request of a disabled user is refused at once', async (t) => {
  const pair = await logInAt(service)
  const login = await loginToFinish(service)
  const { userId: id } = await rowOf(service, pair)
  const disable = (disabledAt: Date | null) =>
    service.database.prisma.user.update({ where: { id }, data: { disabledAt } })
  await disable(new Date())

  const refused = await refresh(service, pair.refreshToken)
  t.match([refused.status, problemOf(refused), refused.json.error], [400, 'user-disabled', 'invalid_grant'])
  for (const token of [pair.accessToken, pair.refreshToken])
    t.strictSame((await introspect(service, token)).json, { active: false })
  for (const path of ['/api/v1/me/', '/api/v1/me/sessions/'])
    t.equal((await me(service, pair.accessToken, path)).status, 401, path)
  const finished = await finish(service, login)
  t.match(
    [finished.status, problemOf(finished), finished.json.error],
    [400, 'user-disabled', 'access_denied'],
  )

  await disable(null)
  t.equal((await refresh(service, pair.refreshToken)).status, 200, 'enabled again: nothing was revoked')
})

t.test('a disabled site has no login, no refresh and no active token within 2 s', async (t) => {
  const pair = await logInAt(service)
  const login = await loginToFinish(service)
  const { id } = service.site
  const options = { providers: ['yandex', 'google', 'mail'], loopback: true }
  await updateSite(service.database, id, { disabled: true }, options)

  const refused = await refresh(service, pair.refreshToken)
  t.match(
    [refused.status, problemOf(refused), refused.json.error],
    [400, 'site-disabled', 'unauthorized_client'],
    'at once, as the statement asks the database',
  )
  for (const token of [pair.accessToken, pair.refreshToken])
    t.strictSame((await introspect(service, token)).json, { active: false })
  t.equal((await me(service, pair.accessToken)).status, 401)
  const begin = { provider: 'yandex', client_redirect_url: redirectUrl }
  await eventually(async () => {
    const answer = await post(service, '/api/v1/oauth/authorize-url/', begin)
    if (answer.status !== 400 || problemOf(answer) !== 'site-disabled') throw new Error(String(answer.status))
  }, cached)
  const finished = await finish(service, login)
  t.match(
    [finished.status, problemOf(finished), finished.json.error],
    [400, 'site-disabled', 'unauthorized_client'],
  )
  t.equal((await revoke(service, 'junk', basic(service.site))).status, 200, 'logging out stays possible')

  await updateSite(service.database, id, { disabled: false }, options)
  t.equal((await refresh(service, pair.refreshToken)).status, 200, 'enabled again: nothing was revoked')
})
