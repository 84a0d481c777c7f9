import { mkdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import t from 'tap'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import { finish, get, logIn, loginToFinish, openCallback, post, start } from '../support/login-flow.ts'
import { startTestManagement } from '../support/management.ts'
import { eventually } from '../support/process.ts'
import { startRedis, withoutRedis } from '../support/redis.ts'
import { redirectUrl, startTestService } from '../support/service.ts'

const away: ExpectedProblem = {
  status: 503,
  type: 'dependency-unavailable',
  error: 'temporarily_unavailable',
  retryAfter: [1, 30],
}

/** A service with its own Redis, whose faults are switched by `admin`. */
async function stage(t: Test) {
  const server = await startRedis(t, ['--enable-debug-command', 'yes'])
  const setUp = new Redis(server.url)
  await setUp.acl('SETUSER', 'admin', 'on', '>admin', '~*', '&*', '+@all')
  setUp.disconnect()
  const admin = new Redis(server.url.replace('//', '//admin:admin@'))
  t.teardown(() => admin.disconnect())
  return { server, admin }
}

/** The ways in which a running Redis can refuse commands: how each begins, and how it ends. */
const refusals: readonly {
  readonly name: string
  readonly begin: (admin: Redis) => Promise<unknown>
  readonly end: (admin: Redis) => Promise<unknown>
}[] = [
  {
    name: 'OOM: no room, and nothing evicted',
    begin: (admin) => admin.config('SET', 'maxmemory', '1'),
    end: (admin) => admin.config('SET', 'maxmemory', '0'),
  },
  {
    name: 'MISCONF: its own snapshots fail',
    async begin(admin) {
      // The snapshot cannot replace a folder.
      await mkdir(await snapshotOf(admin))
      await admin.config('SET', 'save', '3600 1')
      await admin.call('BGSAVE')
      await eventually(async () => {
        const info = await admin.info('persistence')
        if (!info.includes('rdb_last_bgsave_status:err')) throw new Error(info)
      })
    },
    async end(admin) {
      await rmdir(await snapshotOf(admin))
      await admin.config('SET', 'save', '')
    },
  },
  {
    name: 'NOAUTH: it demands a password since the last restart',
    async begin(admin) {
      await admin.config('SET', 'requirepass', 'new')
      await admin.client('KILL', 'USER', 'default')
    },
    end: (admin) => admin.config('SET', 'requirepass', ''),
  },
  {
    name: 'NOPERM: what the user may do was taken away',
    begin: (admin) => admin.acl('SETUSER', 'default', '-@all'),
    end: (admin) => admin.acl('SETUSER', 'default', '+@all'),
  },
  {
    name: 'READONLY: it was made a replica',
    begin: (admin) => admin.replicaof('127.0.0.1', '1'),
    end: (admin) => admin.replicaof('NO', 'ONE'),
  },
]

async function snapshotOf(admin: Redis): Promise<string> {
  const answer: unknown = await admin.config('GET', 'dir')
  if (!Array.isArray(answer) || typeof answer[1] !== 'string') throw new Error('Redis has a folder.')
  return join(answer[1], 'dump.rdb')
}

t.test('a Redis that replies but refuses commands', { skip: withoutRedis }, async (t) => {
  const { server, admin } = await stage(t)
  const { service, url: managementUrl } = await startTestManagement(t, {
    redis: { url: server.url, prefix: '' },
  })
  const shown = (state: string) =>
    eventually(async () => {
      const { json } = await get({ url: managementUrl }, '/health/ready')
      t.match(json, { ready: true })
      if (JSON.stringify(json.dependencies).includes(`"redis":"${state}"`)) return
      throw new Error(JSON.stringify(json))
    }, 5_000)
  const { yandex } = service.doubles
  const { accessToken } = await logIn(service)
  const startBody = { provider: 'yandex', client_redirect_url: redirectUrl }

  for (const { name, begin, end } of refusals)
    t.test(name, async (t) => {
      const { authorizeUrl } = await start(service)
      const callbackUrl = await yandex.consent(authorizeUrl)
      const login = await loginToFinish(service)
      yandex.requests.length = 0
      await begin(admin)
      const asked = performance.now()
      expectProblem(t, await post(service, '/api/v1/oauth/authorize-url/', startBody), away, 'start')
      expectProblem(t, await openCallback(service, callbackUrl), away, 'no redirect whose code is not kept')
      expectProblem(t, await finish(service, login), away, 'finish')
      t.ok(performance.now() - asked < 3_000)
      t.strictSame(yandex.requests, [], 'the provider was not asked')
      const authorization = `Bearer ${accessToken}`
      t.equal(
        (await get(service, '/api/v1/me/', { authorization })).status,
        200,
        'what needs no Redis goes on',
      )
      await shown('down')

      await end(admin)
      await eventually(() => start(service), 5_000)
      await shown('up')
      t.equal((await openCallback(service, callbackUrl)).status, 303, 'every login is as it was')
      t.equal((await finish(service, login)).status, 200)
    })

  t.test('LOADING while it reads its snapshot', async (t) => {
    const login = await loginToFinish(service)
    await admin.eval(`for i = 1, 1500 do redis.call('SET', 'filling:' .. i, string.rep('x', 64)) end`, 0)
    await admin.config('SET', 'loading-process-events-interval-bytes', '1024')
    // Microseconds per key.
    await admin.config('SET', 'key-load-delay', '1000')
    await admin.config('SET', 'save', '3600 1')
    let loaded = false
    const reload = admin.call('DEBUG', 'RELOAD').finally(() => {
      loaded = true
    })
    const answer = await eventually(async () => {
      const refused = await post(service, '/api/v1/oauth/authorize-url/', startBody)
      if (refused.status === 200 && !loaded) throw new Error('not loading yet')
      return refused
    })
    expectProblem(t, answer, away, 'start')
    expectProblem(t, await finish(service, login), away, 'finish')
    t.notOk(loaded, 'all that while it was loading')
    await admin.config('SET', 'key-load-delay', '0').catch(() => {})
    await reload
    await eventually(() => start(service), 5_000)
    t.equal((await finish(service, login)).status, 200, 'the login was in the snapshot')
  })
})

t.test(
  'logins succeed again after the password of Redis was changed and restored',
  { skip: withoutRedis },
  async (t) => {
    const { server, admin } = await stage(t)
    await admin.acl('SETUSER', 'service', 'on', '>first-w0rd', '~*', '+@all')
    const url = server.url.replace('//', '//service:first-w0rd@')
    const service = await startTestService(t, { redis: { url, prefix: '' } })
    const login = await loginToFinish(service)
    await admin.acl('SETUSER', 'service', 'resetpass', '>other-w0rd')
    await admin.client('KILL', 'USER', 'service')
    for (let n = 0; n < 3; n++) expectProblem(t, await finish(service, login), away, 'WRONGPASS')
    await admin.acl('SETUSER', 'service', '>first-w0rd')
    await eventually(() => start(service), 5_000)
    t.equal((await finish(service, login)).status, 200)
    t.notMatch(service.log.join('\n'), /w0rd/)
  },
)
