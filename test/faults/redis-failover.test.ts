import { Redis } from 'ioredis'
import { decodeJwt } from 'jose'
import type { Test } from 'tap'
import t from 'tap'
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
import { eventually } from '../support/process.ts'
import { startRedis, withoutRedis } from '../support/redis.ts'
import type { RedisServer } from '../support/redis-server.ts'
import { startDoubles, startTestService } from '../support/service.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { holdProfiles } from './held-profiles.ts'

function administer(t: Test, server: RedisServer): Redis {
  const client = new Redis(server.url)
  t.teardown(() => client.disconnect())
  return client
}

/**
 * A service on a master with a replica, and the failover that loses the latest writes: the replica is cut off
 * first and becomes the master with its data; then the old master is demoted, and the proxy leads to the new one.
 */
async function stage(t: Test) {
  const quick = ['--repl-diskless-sync-delay', '0']
  const [one, two] = [await startRedis(t, quick), await startRedis(t, quick)]
  const [master, replica] = [administer(t, one), administer(t, two)]
  await replica.replicaof('127.0.0.1', one.port)
  /** WAIT covers only writes of the same connection; after this write, all earlier ones have arrived too. */
  const replicated = () =>
    eventually(async () => {
      await master.set('barrier', '1')
      if ((await master.wait(1, 1_000)) !== 1) throw new Error('not replicated yet')
    })
  await replicated()
  const proxy = await startTcpProxy(t, one.url)
  const doubles = await startDoubles(t)
  const { toProfile, exchanged, env } = await holdProfiles(t, doubles)
  const service = await startTestService(t, {
    doubles,
    redis: { url: proxy.through(one.url), prefix: '' },
    env,
  })
  return {
    service,
    yandex: doubles.yandex,
    toProfile,
    cutReplicaOff: async () => {
      await replicated()
      await replica.replicaof('NO', 'ONE')
    },
    failOver: async () => {
      await master.replicaof('127.0.0.1', two.port)
      proxy.leadTo(two.port)
      const asked = performance.now()
      await eventually(() => start(service), 5_000)
      t.ok(performance.now() - asked < 5_000, 'it finds the new master without a restart')
    },
    exchanged,
  }
}

const sessionIn = (answer: Answer) => decodeJwt(text(answer, 'access_token')).sid

t.test('a failover that loses the claim of a running finish', { skip: withoutRedis }, async (t) => {
  const { service, yandex, toProfile, cutReplicaOff, failOver, exchanged } = await stage(t)
  const { prisma } = service.database
  const login = await loginToFinish(service, 'yandex', { person: { id: '1001' } })
  await cutReplicaOff()
  yandex.requests.length = 0
  toProfile.pause()
  const unproved = finish(service, login)
  await exchanged(1)
  await failOver()

  // The new master has no claim, and this provider accepts a used code again, so both finishes succeed.
  yandex.answer('token', {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ access_token: 'x', token_type: 'bearer', expires_in: 3600 }),
  })
  yandex.answer('userinfo', {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: '1001', login: 'anna', client_id: yandex.env.YANDEX_CLIENT_ID }),
  })
  const proved = finish(service, login, basic(service.site))
  await exchanged(2)
  toProfile.resume()
  const [first, second] = [await unproved, await proved]
  yandex.answer('token', undefined)
  yandex.answer('userinfo', undefined)
  t.equal(second.status, 200, `the proved caller gets it, whoever was first: ${second.text}`)
  if (first.status === 200) t.equal(sessionIn(first), sessionIn(second))
  else expectProblem(t, first, { status: 400, type: 'login-completed', error: 'invalid_grant' })
  t.equal(await prisma.session.count(), 1)
  t.equal(await prisma.user.count(), 1)
  const authorization = `Bearer ${text(second, 'access_token')}`
  t.equal((await get(service, '/api/v1/me/', { authorization })).status, 200)
  t.ok(await logIn(service))
})

t.test('a failover that restores a finished login as new', { skip: withoutRedis }, async (t) => {
  const { service, yandex, cutReplicaOff, failOver } = await stage(t)
  const unbound = await loginToFinish(service)
  const login = { ...(await loginToFinish(service, 'yandex', { fields: bound })), code_verifier: verifier }
  await cutReplicaOff()
  const answers = [await finish(service, unbound), await finish(service, login)]
  for (const { status } of answers) t.equal(status, 200)
  yandex.requests.length = 0
  await failOver()
  expectProblem(t, await finish(service, unbound), {
    status: 400,
    type: 'code-rejected',
    error: 'invalid_grant',
  })
  const again = await finish(service, login)
  t.equal(again.status, 200, `proved by its verifier: ${again.text}`)
  t.equal(answers[1] && sessionIn(answers[1]), sessionIn(again))
  t.equal(
    yandex.requests.filter(({ path }) => path === '/token').length,
    2,
    'the provider refused both codes',
  )
  t.equal(await service.database.prisma.session.count(), 2)
})

t.test('a login that a failover lost must be started again', { skip: withoutRedis }, async (t) => {
  const { service, cutReplicaOff, failOver } = await stage(t)
  await cutReplicaOff()
  const lost = await loginToFinish(service)
  await failOver()
  expectProblem(t, await finish(service, lost), {
    status: 400,
    type: 'unknown-login',
    error: 'invalid_grant',
  })
  t.ok(await logIn(service))
})
