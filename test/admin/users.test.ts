import t from 'tap'
import type { Answer } from '../support/login-flow.ts'
import { finish, get, logIn, loginToFinish, post, text } from '../support/login-flow.ts'
import { startTestManagement } from '../support/management.ts'

const problem = (name: string) => `urn:auth-movies:problem:${name}`
const anna = { id: '1001', login: 'anna', name: 'Анна', email: 'Anna@mail.example' }
const boris = { id: '1002', login: 'boris', name: 'Boris', email: 'boris@mail.example' }

const { admin, audited, service } = await startTestManagement(t)
const people = new Map<string, { accessToken: string; refreshToken: string; id: string }>()
for (const [name, provider, person] of [
  ['anna', 'yandex', anna],
  ['anna at mail', 'mail', anna],
  ['boris', 'yandex', boris],
] as const) {
  const tokens = await logIn(service, provider, { person })
  const me = await get(service, '/api/v1/me/', { authorization: `Bearer ${tokens.accessToken}` })
  people.set(name, { ...tokens, id: text(me, 'id') })
}
const idOf = (name: string) => people.get(name)?.id ?? ''
const search = (body: unknown) => admin('POST', 'users/search/', { body })
const ids = ({ json }: Answer) =>
  Array.isArray(json.users) ? json.users.map(({ id }: { id: string }) => id) : []

t.test('a person is found by id, account, email and login', async (t) => {
  const found: [object, string[]][] = [
    [{ id: idOf('anna') }, ['anna']],
    [{ provider: 'yandex', subject: '1001' }, ['anna']],
    [{ provider: 'mail', subject: '1001' }, ['anna at mail']],
    [{ provider: 'google', subject: '1001' }, []],
    [{ email: 'Anna@mail.example' }, ['anna at mail', 'anna']],
    [{ email: 'Anna@MAIL.example' }, ['anna at mail', 'anna']],
    [{ email: 'anna@mail.example' }, []],
    [{ email: 'BORIS@mail.example' }, ['boris']],
    [{ login: 'boris' }, ['boris']],
    [{ login: 'BORIS' }, []],
    [{ login: '%' }, []],
    [{ login: "' OR true --" }, []],
    [{ email: 'Anna@mail.example', provider: 'yandex', subject: '1001' }, ['anna']],
    [{ email: 'Anna@mail.example', login: 'boris' }, []],
    [{}, ['boris', 'anna at mail', 'anna']],
  ]
  for (const [body, names] of found)
    t.strictSame(ids(await search(body)), names.map(idOf), JSON.stringify(body))
  t.strictSame((await search({ id: idOf('boris') })).json, {
    users: [(await admin('GET', `users/${idOf('boris')}/`)).json],
    next: null,
  })
  t.match((await admin('GET', `users/${idOf('boris')}`)).json, {
    id: idOf('boris'),
    name: 'Boris',
    login: 'boris',
    email: 'boris@mail.example',
    email_verified: null,
    disabled_at: null,
    created_at: /Z$/,
    identities: [{ provider: 'yandex', subject: '1002', created_at: /Z$/ }],
  })
  t.same(audited(), [], 'a search writes no audit line')
})

t.test('people are listed page by page, newest first', async (t) => {
  const first = await search({ limit: 2 })
  t.strictSame(ids(first), [idOf('boris'), idOf('anna at mail')])
  t.equal(first.json.next, idOf('anna at mail'))
  const second = await search({ limit: 2, after: first.json.next })
  t.strictSame(ids(second), [idOf('anna')])
  t.equal(second.json.next, null)
})

t.test('an invalid search and an unknown id are refused', async (t) => {
  const refusals: [unknown, string, RegExp][] = [
    [{ subject: '1001' }, 'missing-parameter', /provider/],
    [{ provider: 'yandex' }, 'missing-parameter', /subject/],
    [{ email: { contains: '' } }, 'invalid-parameter', /email/],
    [{ login: 'a\u0000b' }, 'invalid-parameter', /login/],
    [{ login: '\ud800' }, 'invalid-parameter', /login/],
    [{ login: '' }, 'invalid-parameter', /login/],
    [{ email: 'x'.repeat(255) }, 'invalid-parameter', /email/],
    [{ id: 'no-uuid' }, 'invalid-parameter', /id/],
    [{ name: 'Anna' }, 'invalid-parameter', /name/],
    [{ limit: 0 }, 'invalid-parameter', /limit/],
    [{ limit: '2' }, 'invalid-parameter', /limit/],
  ]
  for (const [body, type, detail] of refusals) {
    const answer = await search(body)
    t.equal(answer.status, 400, answer.text)
    t.match(answer.json, { type: problem(type), detail })
  }
  for (const id of ['no-uuid', '01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a11', '%00']) {
    for (const [method, path, body] of [
      ['GET', `users/${id}/`, undefined],
      ['GET', `users/${id}/export/`, undefined],
      ['PATCH', `users/${id}/`, { disabled: true }],
      ['POST', `users/${id}/delete/`, { reason: 'other' }],
      ['DELETE', `users/${id}/sessions/`, undefined],
    ] as const) {
      const answer = await admin(method, path, { body })
      t.equal(answer.status, 404, `${method} ${path}`)
      t.match(answer.json, { type: problem('user-not-found') })
    }
  }
  t.same(audited(), [])
})

t.test(
  'a disabled person cannot log in or use a session; once enabled again, the session works',
  async (t) => {
    const person = people.get('boris')
    const { id = '', accessToken = '', refreshToken = '' } = person ?? {}
    const me = () => get(service, '/api/v1/me/', { authorization: `Bearer ${accessToken}` })
    const refresh = () => post(service, '/api/v1/oauth/refresh/', { refresh_token: refreshToken })
    const disable = (disabled: boolean) => admin('PATCH', `users/${id}`, { body: { disabled } })

    const disabled = await disable(true)
    t.match(disabled.json, { id, disabled_at: /Z$/ })
    t.equal((await disable(true)).json.disabled_at, disabled.json.disabled_at, 'the first time stays')
    t.match(audited(), [
      { action: 'user.disable', user: id, actor: 'tester' },
      { action: 'user.disable', user: id },
    ])
    t.equal((await me()).status, 401)
    t.match((await refresh()).json, { type: problem('user-disabled') })
    const login = await finish(service, await loginToFinish(service, 'yandex', { person: boris }))
    t.match(login.json, { type: problem('user-disabled') })
    t.equal(await service.database.prisma.session.count({ where: { userId: id } }), 1)

    t.match((await disable(false)).json, { disabled_at: null })
    t.match(audited(), [{ action: 'user.enable', user: id }])
    t.equal((await me()).status, 200)
    t.equal((await refresh()).status, 200)
  },
)
