import { Redis } from 'ioredis'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { basic, finish, get, logIn, loginToFinish, post } from '../support/login-flow.ts'
import { startRedis, withoutRedis } from '../support/redis.ts'
import { startTestService } from '../support/service.ts'
import { codeBlocks, readText } from './markdown.ts'

// The Redis user of the operators' guide, made by its own line, can do all that the service does.

const Log = Type.Array(Type.Array(Type.Unknown()))

await t.test(
  'the Redis user of the guide is sufficient for whole logins',
  { skip: withoutRedis },
  async (t) => {
    const server = await startRedis(t)
    const admin = new Redis(server.url)
    t.teardown(() => admin.disconnect())
    const line = codeBlocks(await readText('docs/en/operators.md')).find(({ text }) =>
      text.startsWith('ACL SETUSER '),
    )
    const [, ...words] = (line?.text ?? '').replace('PASSWORD', 'test-only').trim().split(' ')
    await admin.call('ACL', words)

    const url = server.url.replace('redis://', 'redis://auth-movies:test-only@')
    const service = await startTestService(t, { redis: { url, prefix: 'auth-movies:' } })
    const tokens = await logIn(service, 'google')
    const refreshed = await post(service, '/api/v1/oauth/refresh/', [['refresh_token', tokens.refreshToken]])
    t.equal(refreshed.status, 200)
    // A 429 at the token endpoint leaves the code unspent: the login is given back.
    const answered = await loginToFinish(service, 'mail')
    service.doubles.mail.answer('token', { status: 429, body: '' }, 1)
    t.equal((await finish(service, answered)).status, 503)
    const logins = await get(service, '/api/v1/site/logins/', basic(service.site))
    t.equal(logins.status, 200)

    const denied = Value.Parse(Log, await admin.call('ACL', 'LOG')).map((entry) => {
      const at = entry.indexOf('object')
      return String(entry[at + 1]).split('|', 1)[0]
    })
    t.strictSame(new Set(denied), new Set(['info', 'config']), 'only what the guide says may be missing')
  },
)
