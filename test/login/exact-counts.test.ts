import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t from 'tap'
import { startRedis, withoutRedis } from '../support/redis.ts'

// Node's own functions are counted from before the service is loaded, which is why it is imported below.
const calls = { seals: 0, openings: 0, signatures: 0, verifications: 0, hmacs: 0, derivations: 0 }
function count(
  name: 'createCipheriv' | 'createDecipheriv' | 'sign' | 'verify' | 'createHmac' | 'hkdfSync',
  as: keyof typeof calls,
) {
  const original = crypto[name]
  Reflect.set(
    crypto,
    name,
    new Proxy(original, {
      apply(target, self, args) {
        calls[as]++
        return Reflect.apply(target, self, args)
      },
    }),
  )
}
count('createCipheriv', 'seals')
count('createDecipheriv', 'openings')
count('sign', 'signatures')
count('verify', 'verifications')
count('createHmac', 'hmacs')
count('hkdfSync', 'derivations')
syncBuiltinESMExports()
const { finish, get, locationFields, logIn, openCallback, post, start, text } = await import(
  '../support/login-flow.ts'
)
const { startTestService } = await import('../support/service.ts')

t.test(
  'each step seals, opens, signs and asks Redis exactly as often as it must',
  { skip: withoutRedis },
  async (t) => {
    // Of its own, and quiet when it is asked: ioredis takes a command that comes at the same time for the answer to MONITOR.
    const redis = { url: (await startRedis(t)).url, prefix: 'p:' }
    const service = await startTestService(t, { redis, env: { RATE_LIMIT: 'on' }, siteKept: 600_000 })
    await logIn(service)
    // The history of that login is written a moment later.
    await sleep(150)
    const client = new Redis(redis.url)
    const watcher = await client.monitor()
    t.teardown(() => {
      watcher.disconnect()
      client.disconnect()
    })
    let commands: string[] = []
    watcher.on('monitor', (_time, [name = '', ...args]: string[], source: string) => {
      // Commands within a script come from it and not over the network.
      if (source !== 'lua' && args.some((arg) => arg.startsWith(redis.prefix)))
        commands.push(args.some((arg) => arg.includes('history:')) ? 'history' : name.toLowerCase())
    })
    const take = async () => {
      await sleep(150)
      const taken = { ...calls, redis: commands.toSorted().join(' ') }
      commands = []
      for (const name of Object.keys(calls)) Reflect.set(calls, name, 0)
      return taken
    }
    const none = {
      seals: 0,
      openings: 0,
      signatures: 0,
      verifications: 0,
      hmacs: 0,
      derivations: 0,
      redis: '',
    }
    await take()

    const { authorizeUrl } = await start(service)
    t.strictSame(await take(), { ...none, seals: 1, redis: 'evalsha history' }, 'start: store')

    const back = await openCallback(service, await service.doubles.yandex.consent(authorizeUrl))
    t.strictSame(
      await take(),
      { ...none, seals: 1, openings: 1, redis: 'evalsha evalsha history hmget' },
      'callback: read, check, record',
    )

    const finished = await finish(service, locationFields(back))
    t.equal(finished.status, 200)
    t.strictSame(
      await take(),
      { ...none, openings: 2, signatures: 1, hmacs: 1, redis: 'evalsha evalsha history hmget' },
      'finish: read, check, claim',
    )

    const refreshed = await post(service, '/api/v1/oauth/refresh/', {
      refresh_token: text(finished, 'refresh_token'),
    })
    t.equal(refreshed.status, 200)
    t.strictSame(await take(), { ...none, signatures: 1, hmacs: 2 }, 'refresh')

    const authorization = `Bearer ${text(refreshed, 'access_token')}`
    t.equal((await get(service, '/api/v1/me/', { authorization })).status, 200)
    t.strictSame(await take(), { ...none, verifications: 1 }, 'me')
  },
)
