import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import t from 'tap'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import type { Answer } from '../support/login-flow.ts'
import {
  basic,
  finish,
  get,
  locationFields,
  loginToFinish,
  openCallback,
  start,
  text,
} from '../support/login-flow.ts'
import { loginStores } from '../support/login-stores.ts'
import { testRedis, withoutRedis } from '../support/redis.ts'
import type { TestService } from '../support/service.ts'
import { startTestService } from '../support/service.ts'

const completed = { status: 400, type: 'login-completed', error: 'invalid_grant' } as const
const inProgress: ExpectedProblem = {
  status: 409,
  type: 'login-in-progress',
  error: 'temporarily_unavailable',
  retryAfter: [1, 1],
}
/** Checks the response of a finish that lost the race: login-in-progress, or login-completed once the winner is done. */
const expectLostRace = (t: Test, answer: Answer) =>
  expectProblem(t, answer, answer.status === 409 ? inProgress : completed)
const times = <T>(n: number, work: (n: number) => Promise<T>) =>
  Promise.all(Array.from({ length: n }, (_, i) => work(i)))
const tokenRequests = (service: TestService) =>
  service.doubles.yandex.requests.filter(({ path }) => path === '/token').length
const profileOf = async (service: TestService, accessToken: string) =>
  (await get(service, '/api/v1/me/', { authorization: `Bearer ${accessToken}` })).json

for (const { store, skip, options } of loginStores)
  t.test(`logins in ${store}`, { skip }, async (t) => {
    const service = await startTestService(t, await options(t))
    const { prisma } = service.database

    t.test(
      'of 50 finishes at the same time one succeeds, with one session and one token request',
      async (t) => {
        const login = await loginToFinish(service)
        const [sessions] = [await prisma.session.count()]
        service.doubles.yandex.requests.length = 0
        const answers = await times(50, () => finish(service, login))
        t.equal(answers.filter(({ status }) => status === 200).length, 1)
        for (const answer of answers.filter(({ status }) => status !== 200)) expectLostRace(t, answer)
        expectProblem(t, await finish(service, login), completed, 'afterwards')
        t.equal(tokenRequests(service), 1)
        t.equal(await prisma.session.count(), sessions + 1)
      },
    )

    t.test(
      '50 authenticated finishes at the same time get the same session or login-in-progress',
      async (t) => {
        const login = await loginToFinish(service)
        service.doubles.yandex.requests.length = 0
        const answers = await times(50, () => finish(service, login, basic(service.site)))
        t.ok(answers.some(({ status }) => status === 200))
        for (const answer of answers) if (answer.status !== 200) expectProblem(t, answer, inProgress)
        t.equal(tokenRequests(service), 1)
        const loginHash = createHash('sha256').update(login.state).digest()
        t.equal(await prisma.session.count({ where: { loginHash } }), 1)
      },
    )

    t.test('50 first logins of one person at the same time make 50 sessions and one user', async (t) => {
      const person = { id: '77', email: 'first@mail.example' }
      const logins = await times(50, () => loginToFinish(service, 'yandex', { person }))
      const answers = await times(50, (n) => finish(service, logins[n] ?? {}))
      for (const answer of answers) t.equal(answer.status, 200, answer.text)
      const people = await prisma.user.findMany({
        where: { email: person.email },
        include: { sessions: true },
      })
      t.equal(people.length, 1)
      t.equal(people[0]?.sessions.length, 50)
    })

    t.test(
      'of ten callbacks with different codes one is redirected, and its code finishes the login',
      async (t) => {
        const { authorizeUrl } = await start(service)
        const urls = await times(10, (n) =>
          service.doubles.yandex.consent(authorizeUrl, { code: `code-${n}` }),
        )
        const backs = await times(10, (n) => openCallback(service, urls[n] ?? ''))
        const redirected = backs.filter(({ status }) => status === 303)
        t.equal(redirected.length, 1)
        for (const answer of backs.filter(({ status }) => status !== 303))
          expectProblem(t, answer, { status: 400, type: 'code-mismatch', error: 'invalid_grant' })
        const [back] = redirected
        t.equal(back && (await finish(service, locationFields(back))).status, 200)
      },
    )
  })

t.test('a user is found by provider and subject, never by email', async (t) => {
  const service = await startTestService(t)
  const logInAs = async (provider: 'yandex' | 'google' | 'mail', person: object) => {
    const answer = await finish(service, await loginToFinish(service, provider, { person }))
    return profileOf(service, text(answer, 'access_token'))
  }
  const email = 'same@mail.example'
  const [yandex, google, mail] = [
    await logInAs('yandex', { id: '1', email, name: 'Anna One' }),
    await logInAs('google', { id: '1', email, emailVerified: true }),
    await logInAs('mail', { id: '1', email }),
  ]
  t.strictSame([yandex.email, google.email, mail.email], [email, email, email])
  t.equal(
    new Set([yandex.id, google.id, mail.id]).size,
    3,
    'neither the same email nor the same id at another provider is the same user',
  )
  const renamed = await logInAs('yandex', { id: '1', email: 'new@mail.example', name: 'Anna Two' })
  t.match(renamed, { id: yandex.id, name: 'Anna Two', email: 'new@mail.example' })
  const withdrawn = await logInAs('yandex', { id: '1', email: null, name: 'Anna Two' })
  t.match(withdrawn, { id: yandex.id, email: null }, 'an email that the provider no longer sends is removed')
  t.not((await logInAs('yandex', { id: '10' })).id, yandex.id)
})

t.test('two replicas over one Redis and one database', { skip: withoutRedis }, async (t) => {
  const redis = await testRedis(t)
  const one = await startTestService(t, { redis })
  const { database, doubles, site } = one
  const two = await startTestService(t, { redis, database, doubles, site })

  t.test(
    'a login that starts at one replica, returns to the other and is finished at both makes one session',
    async (t) => {
      for (let round = 0; round < 20; round++) {
        const { authorizeUrl } = await start(one)
        const back = await openCallback(two, await doubles.yandex.consent(authorizeUrl))
        doubles.yandex.requests.length = 0
        const answers = await times(6, (n) => finish(n % 2 === 0 ? one : two, locationFields(back)))
        t.equal(answers.filter(({ status }) => status === 200).length, 1)
        for (const answer of answers.filter(({ status }) => status !== 200)) expectLostRace(t, answer)
        t.equal(tokenRequests(one), 1)
      }
    },
  )

  t.test('a finished login that a failover of Redis restored opens no second session', async (t) => {
    const client = new Redis(redis.url)
    t.teardown(() => client.disconnect())
    const restorable = async (t: Test) => {
      const login = await loginToFinish(one)
      const key = `${redis.prefix}login:${createHash('sha256').update(login.state).digest('base64url')}`
      const before = await client.dumpBuffer(key)
      t.equal((await finish(one, login)).status, 200)
      return { login, restore: () => client.restore(key, 600_000, before, 'REPLACE') }
    }
    const loginHash = (state: string) => createHash('sha256').update(state).digest()
    const sessions = (state: string) =>
      database.prisma.session.count({ where: { loginHash: loginHash(state) } })
    // The provider rejects a used code; where it does not, the row of the session rejects a second one.
    for (const codeValidAgain of [false, true]) {
      const { login, restore } = await restorable(t)
      const prepare = async () => {
        await restore()
        if (!codeValidAgain) return
        const { authorizeUrl } = await start(one)
        const url = new URL(authorizeUrl)
        // The double makes the same code valid restore, without a challenge, so that any verifier passes.
        url.searchParams.delete('code_challenge')
        url.searchParams.delete('code_challenge_method')
        await doubles.yandex.consent(url.href, { code: login.code })
      }
      await prepare()
      const rejected = { status: 400, type: 'code-rejected', error: 'invalid_grant' } as const
      expectProblem(t, await finish(two, login), codeValidAgain ? completed : rejected)
      await prepare()
      const authenticated = await finish(two, login, basic(site))
      t.equal(authenticated.status, 200, authenticated.text)
      t.equal(await sessions(login.state), 1)
    }
  })
})
