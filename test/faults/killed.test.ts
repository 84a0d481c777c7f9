import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import { decodeJwt } from 'jose'
import type { Test } from 'tap'
import t from 'tap'
import { testDatabase } from '../support/database.ts'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import type { Answer } from '../support/login-flow.ts'
import {
  basic,
  bound,
  finish,
  get,
  logIn,
  loginToFinish,
  start,
  text,
  verifier,
} from '../support/login-flow.ts'
import { emptyFolder } from '../support/npm-start.ts'
import { end, eventually } from '../support/process.ts'
import { startProcess } from '../support/process-service.ts'
import { testRedis, withoutRedis } from '../support/redis.ts'
import { redirectUrl, registerSite, startDoubles } from '../support/service.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { holdProfiles } from './held-profiles.ts'

t.jobs = 2
const refused = (type: ExpectedProblem['type']) => ({ status: 400, type, error: 'invalid_grant' }) as const
const inProgress: ExpectedProblem = {
  status: 409,
  type: 'login-in-progress',
  error: 'temporarily_unavailable',
  retryAfter: [1, 1],
}
const loginHash = (state: string) => createHash('sha256').update(state).digest()

/** Starts real storage and doubles behind proxies, and gives a function that runs the service on them. */
async function stage(t: Test) {
  const database = await testDatabase(t)
  const redis = await testRedis(t)
  const doubles = await startDoubles(t)
  const site = await registerSite(database, redirectUrl)
  const folder = await emptyFolder(t)
  const toDatabase = await startTcpProxy(t, database.url)
  const { toProfile, exchanges, exchanged, env } = await holdProfiles(t, doubles)
  const service = (options: { directly: boolean }) =>
    startProcess(t, {
      databaseUrl: options.directly ? database.url : toDatabase.through(database.url),
      redis,
      doubles,
      folder,
      env: options.directly ? {} : env,
    })
  const sessionOf = (state: string) =>
    database.prisma.session.findUnique({ where: { loginHash: loginHash(state) } })
  return { database, redis, doubles, site, toDatabase, toProfile, service, exchanged, exchanges, sessionOf }
}

/** Checks that its access token is valid and belongs to this session. */
async function holds(t: Test, service: { url: string }, answer: Answer, sessionId: string | undefined) {
  t.equal(answer.status, 200, answer.text)
  const token = text(answer, 'access_token')
  t.equal(decodeJwt(token).sid, sessionId)
  t.equal((await get(service, '/api/v1/me/', { authorization: `Bearer ${token}` })).status, 200)
}

t.test(
  'a finish killed after COMMIT gives its caller the same session when repeated',
  { skip: withoutRedis, buffered: true },
  async (t) => {
    const { doubles, site, toDatabase, service, exchanges, sessionOf } = await stage(t)
    const first = await service({ directly: false })
    const bySecret = await loginToFinish(first)
    const byVerifier = {
      ...(await loginToFinish(first, 'yandex', { fields: bound })),
      code_verifier: verifier,
    }
    doubles.yandex.requests.length = 0
    toDatabase.withholdAnswersTo(/INSERT INTO sessions/)
    const outcomes = Promise.allSettled([finish(first, bySecret, basic(site)), finish(first, byVerifier)])
    const rows = await Promise.all(
      [bySecret, byVerifier].map(({ state }) =>
        eventually(async () => {
          const row = await sessionOf(state)
          if (row === null) throw new Error('not committed yet')
          return row
        }),
      ),
    )
    await end(first.started.child, 'SIGKILL')
    for (const { status } of await outcomes) t.equal(status, 'rejected', 'nobody got an answer')

    const second = await service({ directly: true })
    expectProblem(t, await finish(second, bySecret), refused('login-completed'), 'unproved')
    const { code_verifier: _, ...withoutVerifier } = byVerifier
    expectProblem(t, await finish(second, withoutVerifier), refused('verifier-missing'))
    await holds(t, second, await finish(second, bySecret, basic(site)), rows[0]?.id)
    await holds(t, second, await finish(second, byVerifier), rows[1]?.id)
    await holds(t, second, await finish(second, byVerifier), rows[1]?.id)
    t.equal(exchanges(), 2, 'one token request a login in all')
    for (const [index, { state }] of [bySecret, byVerifier].entries())
      t.match(await sessionOf(state), { id: rows[index]?.id, generation: 0, revokedAt: null })
  },
)

t.test(
  'a finish killed before COMMIT gets 409 until the claim is 13.5 s old, then 400, and no session',
  { skip: withoutRedis, buffered: true },
  async (t) => {
    const { database, redis, doubles, site, toProfile, service, exchanged, exchanges } = await stage(t)
    const first = await service({ directly: false })
    // It starts before the claim is made, because on a busy machine a start may take longer than the claim's 11 s.
    const second = await service({ directly: true })
    const login = await loginToFinish(first)
    doubles.yandex.requests.length = 0
    toProfile.pause()
    const outcome = Promise.allSettled([finish(first, login, basic(site))])
    await exchanged(1)
    await end(first.started.child, 'SIGKILL')
    t.match(await outcome, [{ status: 'rejected' }])

    const client = new Redis(redis.url)
    t.teardown(() => client.disconnect())
    const key = `${redis.prefix}login:${loginHash(login.state).toString('base64url')}`
    /** Milliseconds by Redis's own clock, by which the claim is judged. */
    const age = async () => {
      const [seconds, micros] = await client.time()
      return Number(seconds) * 1000 + Number(micros) / 1000 - Number(await client.hget(key, 'claim'))
    }
    expectProblem(t, await finish(second, login, basic(site)), inProgress)
    expectProblem(t, await finish(second, login), inProgress, 'unproved')
    let working = 0
    const lost = await eventually(async () => {
      const before = await age()
      const answer = await finish(second, login, basic(site))
      if (answer.status === 409) working = before
      // On a busy machine Redis may time out, which says nothing about the login.
      if (answer.status === 409 || answer.status === 503) throw new Error(answer.text)
      return { answer, at: await age() }
    }, 15_000)
    expectProblem(t, lost.answer, refused('login-lost'))
    t.ok(working > 12_000 && working < 13_500, `still 409 at ${working} ms`)
    t.ok(lost.at >= 13_500, `400 at ${lost.at} ms`)
    expectProblem(t, await finish(second, login), refused('login-lost'), 'unproved')
    t.equal(exchanges(), 1)
    t.equal(await database.prisma.session.count(), 0)
    t.equal(await database.prisma.user.count(), 0, 'and nobody')
    t.ok(await logIn(second), 'started anew, it works')
  },
)

t.test(
  'a finish whose client disconnects opens its session, which the verifier gets',
  { skip: withoutRedis, buffered: true },
  async (t) => {
    const { doubles, toProfile, service, exchanged, exchanges, sessionOf } = await stage(t)
    const running = await service({ directly: false })
    const proxy = await startTcpProxy(t, running.url)
    const login = { ...(await loginToFinish(running, 'yandex', { fields: bound })), code_verifier: verifier }
    doubles.yandex.requests.length = 0
    toProfile.pause()
    const far = { ...running, url: proxy.through(running.url) }
    const outcome = Promise.allSettled([finish(far, login)])
    await exchanged(1)
    proxy.cut()
    t.match(await outcome, [{ status: 'rejected' }])
    expectProblem(t, await finish(running, login), inProgress)
    toProfile.resume()
    const row = await eventually(async () => {
      const found = await sessionOf(login.state)
      if (found === null) throw new Error('not committed yet')
      return found
    })
    await holds(t, running, await finish(running, login), row.id)
    t.equal(exchanges(), 1)
    t.ok(await start(running), 'and the service goes on')
  },
)
