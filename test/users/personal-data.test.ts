import t from 'tap'
import { v7 as uuidv7 } from 'uuid'
import { sweepDeletions } from '../../src/users/personal-data.ts'
import type { Answer } from '../support/login-flow.ts'
import { finish, get, logIn, loginToFinish, post, start, text } from '../support/login-flow.ts'
import type { TestManagement } from '../support/management.ts'
import { startTestManagement } from '../support/management.ts'
import { startRedis, withoutRedis } from '../support/redis.ts'
import { planted, plantedIn, wholeDatabase, wholeRedis } from './planted.ts'

const bystander = { id: '42', login: 'bystander', name: 'By Stander', email: 'by@mail.example' }
const me = (service: TestManagement['service'], token: string) =>
  get(service, '/api/v1/me/', { authorization: `Bearer ${token}` })

t.test('an export holds everything about the person and writes a line of the audit log', async (t) => {
  const { admin, audited, service } = await startTestManagement(t)
  const tokens = await logIn(service, 'yandex', { person: planted })
  await post(service, '/api/v1/oauth/refresh/', { refresh_token: tokens.refreshToken })
  await logIn(service, 'yandex', { person: bystander })
  const id = text(await me(service, tokens.accessToken), 'id')
  const exported = await admin('GET', `users/${id}/export/`)
  t.equal(exported.status, 200)
  t.match(exported.json, {
    exported_at: /Z$/,
    user: {
      id,
      name: planted.name,
      login: planted.login,
      email: planted.email,
      email_verified: null,
      identities: [{ provider: 'yandex', subject: planted.id }],
    },
    sessions: [
      { site_id: service.site.id, site_name: /^site /, provider: 'yandex', refreshes: 1, revoked_at: null },
    ],
  })
  t.notMatch(exported.text, /bystander|hash|kid/)
  t.match(audited(), [{ action: 'user.export', user: id, actor: 'tester' }])
})

t.test('after a deletion nothing about the person is left anywhere', { skip: withoutRedis }, async (t) => {
  const { url } = await startRedis(t)
  const { admin, audited, service } = await startTestManagement(t, { redis: { url, prefix: '' } })
  const person = { person: planted }
  const tokens = await logIn(service, 'yandex', person)
  await logIn(service, 'yandex', person)
  await logIn(service, 'yandex', { person: bystander })
  const id = text(await me(service, tokens.accessToken), 'id')
  // Everything else that leaves traces: a login that was given up, failed and refused ones, a hint, searches, an export.
  await start(service, 'yandex', { login_hint: planted.email })
  const { yandex } = service.doubles
  await loginToFinish(service, 'yandex', person)
  for (const fault of ['503-html', '200-html'] as const) {
    yandex.fault('userinfo', fault, 2)
    await finish(service, await loginToFinish(service, 'yandex', person))
  }
  yandex.fault('userinfo', undefined)
  await post(service, '/api/v1/oauth/authorize-url/', {
    provider: planted.login,
    client_redirect_url: planted.email,
  })
  for (const { body, path = 'users/search/' } of [
    { body: { email: planted.email } },
    { body: { login: planted.login } },
    { body: { provider: 'yandex', subject: planted.id } },
    { body: { [planted.email]: planted.name } },
    { body: { email: [planted.email] } },
    { body: `{"email": "${planted.email}` },
    { path: `users/${id}/delete/`, body: { reason: planted.name } },
    { path: `users/${id}/delete/`, body: { reason: 'other', reference: planted.email } },
    { path: `users/${id}/delete/`, body: { reason: 'other', comment: planted.login } },
    { path: 'checks/redirect-url/', body: { url: `https://client.example/${planted.login}` } },
  ])
    await admin('POST', path, { body })
  t.equal((await admin('GET', `users/${id}/export/`)).status, 200)
  const held = [...(await wholeDatabase(service.database)).values()].join('\n')
  t.strictSame(plantedIn(held), Object.values(planted), 'this scan does find what there is')

  audited()
  const body = { reason: 'person-request', reference: 'PD-2026/118' }
  const deleted = await admin('POST', `users/${id}/delete/`, { body })
  t.equal(deleted.status, 200)
  t.match(deleted.json, { user_id: id, ...body, sessions: 2, deleted_at: /Z$/ })
  t.match(audited(), [{ action: 'user.delete', user: id, ...body, sessions: 2, deletion: deleted.json.id }])

  const tables = await wholeDatabase(service.database)
  t.ok(tables.size >= 9)
  for (const [table, content] of tables) t.same(plantedIn(content), [], table)
  const keys = await wholeRedis(url)
  t.ok(keys.size > 3, 'there are logins, limits and histories')
  for (const [key, content] of keys) t.same([...plantedIn(key), ...plantedIn(content)], [], key)
  t.ok(service.log.length > 10)
  for (const line of service.log) t.same(plantedIn(line), [], line)
  t.same(plantedIn(await service.metrics.registry.metrics()), [])

  t.match(tables.get('public.users'), /bystander/, 'nobody else is gone')
  t.match(tables.get('public.sessions')?.split('\n').length, 1)
  t.equal((await me(service, tokens.accessToken)).status, 401)
  t.match((await post(service, '/api/v1/oauth/refresh/', { refresh_token: tokens.refreshToken })).json, {
    error: 'invalid_grant',
  })
  t.equal((await admin('POST', `users/${id}/delete/`, { body })).status, 404, 'a second time')
  t.strictSame((await admin('GET', 'deletions/')).json, { deletions: [deleted.json], next: null })
  const again = await logIn(service, 'yandex', person)
  t.not(text(await me(service, again.accessToken), 'id'), id, 'a new login is a new user')
})

t.test('a deletion without a reason, or with free text that could name somebody, is refused', async (t) => {
  const { admin, audited, service } = await startTestManagement(t)
  const id = text(await me(service, (await logIn(service)).accessToken), 'id')
  for (const body of [
    undefined,
    {},
    { reason: '' },
    { reason: 'because Anna asked' },
    { reason: 'other', reference: 'anna@mail.example' },
    { reason: 'other', reference: 'Anna Petrova' },
    { reason: 'other', reference: 'x'.repeat(65) },
    { reason: 'other', note: 'x' },
  ]) {
    const answer = await admin('POST', `users/${id}/delete/`, { body })
    t.equal(answer.status, 400, JSON.stringify(body))
  }
  t.equal(await service.database.prisma.user.count(), 1)
  t.equal(await service.database.prisma.deletion.count(), 0)
  t.same(audited(), [])
})

t.test('concurrent logins and deletions of one person leave nothing half done', async (t) => {
  const { admin, service } = await startTestManagement(t, { env: { RATE_LIMIT: 'off' } })
  const { prisma } = service.database
  const logins = Array.from({ length: 40 }, async () => {
    const answer = await finish(service, await loginToFinish(service, 'yandex', { person: planted }))
    t.equal(answer.status, 200, answer.text)
  })
  const allIn = new AbortController()
  const lines: string[] = []
  const deleting = async () => {
    while (!allIn.signal.aborted) {
      for (const { id } of await prisma.user.findMany({ select: { id: true } })) {
        const answer = await admin('POST', `users/${id}/delete/`, { body: { reason: 'other' } })
        t.ok(answer.status === 200 || answer.status === 404, answer.text)
        if (answer.status === 200) lines.push(text(answer, 'id'))
      }
    }
  }
  const deletions = [deleting(), deleting()]
  await Promise.all(logins)
  allIn.abort()
  await Promise.all(deletions)
  t.ok(lines.length > 1, `${lines.length} deletions`)
  const journal = await prisma.deletion.findMany({ orderBy: { id: 'asc' } })
  t.strictSame(
    journal.map(({ id }) => id),
    lines.toSorted(),
  )
  const gone = journal.reduce((sum, { sessions }) => sum + sessions, 0)
  t.equal(gone + (await prisma.session.count()), 40, 'each session went with a person, or lives')
  const [users, identities] = [await prisma.user.count(), await prisma.identity.count()]
  t.equal(users, identities)
  t.ok(users <= 1)
})

const idsOf = ({ json }: Answer) =>
  Array.isArray(json.deletions) ? json.deletions.map(({ id }: { id: string }) => id) : []

t.test('the journal of deletions keeps a line for three years and is read page by page', async (t) => {
  const { admin, service } = await startTestManagement(t)
  const { prisma } = service.database
  const ids: string[] = []
  for (const age of ['3 years 1 minute', '3 years -1 day', '0 days']) {
    const id = uuidv7()
    ids.unshift(id)
    await prisma.$executeRaw`
      INSERT INTO deletions (id, user_id, reason, sessions, deleted_at)
      VALUES (${id}::uuid, ${uuidv7()}::uuid, 'other', 0, now() - ${age}::text::interval)`
  }
  t.strictSame(idsOf(await admin('GET', 'deletions/')), ids)
  const page = await admin('GET', 'deletions?limit=2')
  t.strictSame(idsOf(page), ids.slice(0, 2))
  t.strictSame(idsOf(await admin('GET', `deletions?after=${text(page, 'next')}`)), ids.slice(2))
  t.equal((await admin('GET', 'deletions?after=none')).status, 400)

  t.equal(await sweepDeletions(service.database), 1)
  t.strictSame(idsOf(await admin('GET', 'deletions/')), ids.slice(0, 2))
  t.equal(await sweepDeletions(service.database), 0)
})
