import t from 'tap'
import type { Answer } from '../support/login-flow.ts'
import { get, logIn, text } from '../support/login-flow.ts'
import { startTestManagement } from '../support/management.ts'
import { registerSite } from '../support/service.ts'

const problem = (name: string) => `urn:auth-movies:problem:${name}`
const sessions = ({ json }: Answer): Record<string, unknown>[] =>
  Array.isArray(json.sessions) ? json.sessions : []

t.test('sessions of a person or a site are listed page by page, and ended', async (t) => {
  const { admin, audited, service } = await startTestManagement(t)
  const other = await registerSite(service.database, 'https://other.example/')
  const first = await logIn(service)
  for (let count = 0; count < 2; count++) await logIn(service)
  await logIn(service, 'mail')
  const me = (token: string) => get(service, '/api/v1/me/', { authorization: `Bearer ${token}` })
  const { json: profile } = await me(first.accessToken)
  const user = String(profile.id)

  const all = sessions(await admin('GET', 'sessions/'))
  t.equal(all.length, 4)
  t.match(all.at(-1), {
    id: profile.session_id,
    user_id: user,
    site_id: service.site.id,
    provider: 'yandex',
    refreshes: 0,
    ended_at: null,
  })
  t.equal(sessions(await admin('GET', `sessions?user=${user}`)).length, 3)
  t.equal(sessions(await admin('GET', `sessions?site=${service.site.id}`)).length, 4)
  t.equal(sessions(await admin('GET', `sessions?site=${other.id}`)).length, 0)
  t.equal(sessions(await admin('GET', `sessions?user=${user}&site=${other.id}`)).length, 0)
  const page = await admin('GET', 'sessions?limit=3')
  const rest = await admin('GET', `sessions?limit=3&after=${text(page, 'next')}`)
  t.strictSame([...sessions(page), ...sessions(rest)], all)
  t.equal(rest.json.next, null)

  const one = `sessions/${String(profile.session_id)}/`
  t.equal((await admin('DELETE', one)).status, 204)
  t.match(audited(), [{ action: 'session.end', session: profile.session_id, actor: 'tester' }])
  t.equal((await me(first.accessToken)).status, 401)
  for (const path of [one, 'sessions/none/', 'sessions/01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a11/'])
    t.match((await admin('DELETE', path)).json, { type: problem('session-not-found'), status: 404 })
  t.equal(sessions(await admin('GET', `sessions?user=${user}&living=true`)).length, 2)
  t.match(sessions(await admin('GET', `sessions?user=${user}&living=false`)).at(-1), { ended_at: /Z$/ })
  t.same(audited(), [])

  t.strictSame((await admin('DELETE', `users/${user}/sessions/`)).json, { ended: 2 })
  t.strictSame((await admin('DELETE', `sites/${service.site.id}/sessions/`)).json, { ended: 1 })
  t.strictSame((await admin('DELETE', `sites/${service.site.id}/sessions/`)).json, { ended: 0 })
  t.match(audited(), [
    { action: 'user.end-sessions', user, ended: 2 },
    { action: 'site.end-sessions', site: service.site.id, ended: 1 },
    { action: 'site.end-sessions', ended: 0 },
  ])
  t.equal(sessions(await admin('GET', 'sessions?living=true')).length, 0)
  t.match((await admin('DELETE', 'sites/none/sessions/')).json, { type: problem('site-not-found') })
})

t.test('12,001 sessions of a site are ended by one request, in batches', async (t) => {
  const { admin, service } = await startTestManagement(t)
  const { accessToken } = await logIn(service)
  const me = await get(service, '/api/v1/me/', { authorization: `Bearer ${accessToken}` })
  await service.database.pool.query(
    `INSERT INTO sessions (id, user_id, site_id, provider, login_hash, refresh_kid, expires_at, ends_at)
     SELECT gen_random_uuid(), $1, $2, 'yandex', sha256(n::text::bytea), 'kid', now() + interval '1 day',
       now() + interval '1 day' FROM generate_series(1, 12000) AS n`,
    [text(me, 'id'), service.site.id],
  )
  t.strictSame((await admin('DELETE', `sites/${service.site.id}/sessions/`)).json, { ended: 12_001 })
})

t.test('a query with an invalid or repeated parameter is refused', async (t) => {
  const { admin } = await startTestManagement(t)
  for (const [query, type] of [
    ['user=none', 'invalid-parameter'],
    ['site=%00', 'invalid-parameter'],
    ['living=1', 'invalid-parameter'],
    ['limit=0', 'invalid-parameter'],
    ['limit=201', 'invalid-parameter'],
    ['after=x', 'invalid-parameter'],
    ['unknown=1', 'invalid-parameter'],
    ['site=a&site=b', 'repeated-parameter'],
  ] as const) {
    const answer = await admin('GET', `sessions/?${query}`)
    t.equal(answer.status, 400, query)
    t.match(answer.json, { type: problem(type) })
  }
})
