import { decodeJwt } from 'jose'
import t from 'tap'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import type { Answer } from '../support/login-flow.ts'
import {
  basic,
  bound,
  finish,
  get,
  loginToFinish,
  post,
  readResponse,
  text,
  verifier,
} from '../support/login-flow.ts'
import { loginStores } from '../support/login-stores.ts'
import { eventually } from '../support/process.ts'
import { startDoubles, startTestService } from '../support/service.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

const completed = { status: 400, type: 'login-completed', error: 'invalid_grant' } as const
const lost = { status: 400, type: 'login-lost', error: 'invalid_grant' } as const
const inProgress: ExpectedProblem = {
  status: 409,
  type: 'login-in-progress',
  error: 'temporarily_unavailable',
  retryAfter: [1, 1],
}

/** The claim `sid` of an access token. */
const sessionOf = (answer: Answer) => decodeJwt(text(answer, 'access_token')).sid

t.jobs = loginStores.length
for (const { store, skip, options } of loginStores)
  t.test(`logins in ${store}`, { skip, buffered: true }, async (t) => {
    const doubles = await startDoubles(t)
    const { yandex } = doubles
    const proxy = await startTcpProxy(t, yandex.origin)
    const service = await startTestService(t, {
      ...(await options(t)),
      doubles,
      env: { YANDEX_TOKEN_URL: proxy.through(yandex.env.YANDEX_TOKEN_URL ?? '') },
    })
    const { database, site } = service
    const tokenRequests = () => yandex.requests.filter(({ path }) => path === '/token').length
    const me = (answer: Answer) =>
      get(service, '/api/v1/me/', { authorization: `Bearer ${text(answer, 'access_token')}` })

    const credentials = [
      ['its secret', {}, {}, basic(site)],
      ['the verifier', bound, { code_verifier: verifier }, {}],
    ] as const
    for (const [credential, atStart, atFinish, headers] of credentials)
      t.test(`a repeated finish that is authenticated by ${credential} gets the same session`, async (t) => {
        const login = { ...(await loginToFinish(service, 'yandex', { fields: atStart })), ...atFinish }
        yandex.requests.length = 0
        const first = await finish(service, login, headers)
        t.equal(first.status, 200, first.text)
        const again = await finish(service, login, headers)
        t.equal(again.status, 200, again.text)
        t.strictSame(Object.keys(again.json), Object.keys(first.json))
        t.equal(sessionOf(again), sessionOf(first))
        t.equal(tokenRequests(), 1, 'the provider was asked once')
        t.equal((await me(first)).status, 200)
        t.equal((await me(again)).status, 200)

        const refreshed = await post(service, '/api/v1/oauth/refresh/', {
          refresh_token: text(again, 'refresh_token'),
        })
        t.equal(refreshed.status, 200, 'the second refresh token is valid')
        expectProblem(
          t,
          await finish(service, login, headers),
          completed,
          'after a refresh the finish cannot be repeated',
        )
        t.equal((await me(refreshed)).status, 200, 'nothing is revoked')
      })

    t.test('a repeated finish with credentials is checked like the first', async (t) => {
      const login = await loginToFinish(service)
      t.equal((await finish(service, login, basic(site))).status, 200)
      const mismatch = (type: ExpectedProblem['type']) =>
        ({ status: 400, type, error: 'invalid_grant' }) as const
      expectProblem(t, await finish(service, { ...login, code: 'x' }, basic(site)), mismatch('code-mismatch'))
      expectProblem(
        t,
        await finish(service, { ...login, provider: 'mail' }, basic(site)),
        mismatch('provider-mismatch'),
      )
      const secret = { ...site, secret: 'wrong' }
      const wrong = { status: 401, type: 'wrong-credentials', error: 'invalid_client' } as const
      expectProblem(t, await finish(service, login, basic(secret)), wrong)
    })

    t.test(
      'a repeated finish without credentials is answered with login-completed and revokes nothing',
      async (t) => {
        const login = await loginToFinish(service)
        yandex.requests.length = 0
        const first = await finish(service, login)
        for (let n = 0; n < 3; n++) {
          const repeated = await finish(service, login)
          expectProblem(t, repeated, completed)
          t.notMatch(repeated.text, login.code)
        }
        t.equal(tokenRequests(), 1)
        t.equal((await me(first)).status, 200)
        t.equal(
          (await finish(service, login, basic(site))).status,
          200,
          'an authenticated one still succeeds',
        )
      },
    )

    const ends = {
      'is older than 60 s': `UPDATE sessions SET created_at = now() - interval '61 seconds' WHERE id = $1`,
      'was ended': 'UPDATE sessions SET revoked_at = now() WHERE id = $1',
      'ran out': 'UPDATE sessions SET expires_at = now() WHERE id = $1',
    }
    for (const [end, sql] of Object.entries(ends))
      t.test(`a repeated finish gets login-completed where its session ${end}`, async (t) => {
        const login = await loginToFinish(service)
        const first = await finish(service, login, basic(site))
        t.equal((await database.pool.query(sql, [sessionOf(first)])).rowCount, 1)
        expectProblem(t, await finish(service, login, basic(site)), completed)
      })

    t.test('a disabled user gets no session, neither by a new login nor by a repeated finish', async (t) => {
      const person = { id: '424242' }
      const opened = await loginToFinish(service, 'yandex', { person })
      const first = await finish(service, opened, basic(site))
      t.equal(first.status, 200)
      const disable = (at: string) =>
        database.pool.query(
          `UPDATE users SET disabled_at = ${at} WHERE id = (SELECT user_id FROM identities WHERE subject = $1)`,
          [person.id],
        )
      await disable('now()')
      expectProblem(t, await finish(service, opened, basic(site)), completed)
      const login = await loginToFinish(service, 'yandex', { person })
      const expected = { status: 400, type: 'user-disabled', error: 'access_denied' } as const
      expectProblem(t, await finish(service, login), expected)
      t.equal(
        await database.prisma.session.count({
          where: { user: { identities: { some: { subject: person.id } } } },
        }),
        1,
      )
      await disable('NULL')
      expectProblem(t, await finish(service, login), lost, 'the login is used up')
      t.equal((await finish(service, await loginToFinish(service, 'yandex', { person }))).status, 200)
    })

    t.test(
      'a finish whose client disconnects goes on, and an authenticated repeat gets its tokens',
      async (t) => {
        t.teardown(() => proxy.delay(0))
        const login = await loginToFinish(service)
        yandex.requests.length = 0
        proxy.delay(700)
        const impatient = new AbortController()
        const sent = fetch(`${service.url}/api/v1/oauth/authorize/`, {
          method: 'POST',
          body: new URLSearchParams(login),
          headers: basic(site),
          signal: impatient.signal,
        })
        await eventually(() => {
          if (tokenRequests() === 0) throw new Error('not sent yet')
        })
        impatient.abort()
        await t.rejects(sent)
        expectProblem(t, await finish(service, login, basic(site)), inProgress)
        expectProblem(t, await finish(service, login), inProgress, 'not authenticated')
        const again = await eventually(async () => {
          const answer = await finish(service, login, basic(site))
          if (answer.status !== 200) throw new Error(answer.text)
          return answer
        }, 5_000)
        t.equal((await me(again)).status, 200)
        t.equal(tokenRequests(), 1)
      },
    )

    t.test('a finish whose response is lost can be repeated, and gets the same session', async (t) => {
      const clientProxy = await startTcpProxy(t, service.url)
      const login = await loginToFinish(service)
      clientProxy.cutAtAnswer()
      await t.rejects(
        fetch(clientProxy.through(`${service.url}/api/v1/oauth/authorize/`), {
          method: 'POST',
          body: new URLSearchParams(login),
          headers: basic(site),
        }).then(readResponse),
      )
      const before = await database.prisma.session.count()
      t.equal((await finish(service, login, basic(site))).status, 200)
      t.equal(await database.prisma.session.count(), before, 'no session beside that of the first request')
    })
  })
