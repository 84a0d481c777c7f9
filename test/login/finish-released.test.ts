import { createServer } from 'node:http'
import t from 'tap'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import { finish, loginToFinish, post, start } from '../support/login-flow.ts'
import { eventually, listenOnLoopback } from '../support/process.ts'
import { redirectUrl, startDoubles, startTestService } from '../support/service.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

// Where the provider cannot have used the code, the login is given back.
const service = await startTestService(t)
const { mail } = service.doubles
const unavailable = (seconds: readonly [number, number]): ExpectedProblem => ({
  status: 503,
  type: 'provider-unavailable',
  error: 'temporarily_unavailable',
  retryAfter: seconds,
})
const tokenRequests = () => mail.requests.filter(({ path }) => path === '/token').length

t.test(
  'after a 429 of the token endpoint the login is given back, and no request is sent for as long as the provider says',
  async (t) => {
    const { database, doubles, site } = service
    const own = await startTestService(t, { database, doubles, site })
    const tooMany = (seconds: string) => ({ status: 429, headers: { 'retry-after': seconds }, body: '{}' })
    const [login, waiting] = [await loginToFinish(own, 'mail'), await loginToFinish(own, 'mail')]
    mail.requests.length = 0
    mail.answer('token', tooMany('1'), 1)
    expectProblem(t, await finish(own, login), unavailable([1, 1]))
    const body = { provider: 'mail', client_redirect_url: redirectUrl }
    expectProblem(t, await post(own, '/api/v1/oauth/authorize-url/', body), unavailable([1, 1]), 'at start')
    expectProblem(t, await finish(own, waiting), unavailable([1, 1]), 'no token request meanwhile')
    t.equal(tokenRequests(), 1)
    t.ok((await start(own, 'yandex')).state, 'other providers are not affected')
    await new Promise((resolve) => setTimeout(resolve, 1_050))
    t.equal((await finish(own, login)).status, 200)
    t.equal((await finish(own, waiting)).status, 200)
    t.equal(tokenRequests(), 3)
    const last = await loginToFinish(own, 'mail')
    mail.answer('token', tooMany('3600'), 1)
    expectProblem(t, await finish(own, last), unavailable([59, 60]), 'an hour is cut to a minute')
  },
)

t.test('a login is given back each time that the provider cannot be connected to', async (t) => {
  const plain = createServer((_request, response) => response.end('{}'))
  const port = await listenOnLoopback(plain)
  t.teardown(() => plain.close())
  const { database, doubles, site } = service
  for (const tokenUrl of [
    'http://127.0.0.1:1/token',
    `https://127.0.0.1:${port}/token`,
    'https://nobody.invalid/token',
  ]) {
    const env = { YANDEX_TOKEN_URL: tokenUrl }
    const unconnected = await startTestService(t, { database, doubles, site, env })
    const login = await loginToFinish(unconnected)
    for (const attempt of ['first', 'second', 'third'])
      expectProblem(t, await finish(unconnected, login), unavailable([1, 1]), `${tokenUrl} ${attempt}`)
  }
})

t.test(
  'a finish above the concurrency limit is answered at once with provider-unavailable, and can be repeated',
  async (t) => {
    const doubles = await startDoubles(t)
    const proxy = await startTcpProxy(t, doubles.yandex.origin)
    const env = { YANDEX_TOKEN_URL: proxy.through(doubles.yandex.env.YANDEX_TOKEN_URL ?? '') }
    const busy = await startTestService(t, { doubles, env })
    const logins = await Promise.all(Array.from({ length: 105 }, () => loginToFinish(busy)))
    // The responses of the provider wait until every finish above the limit has been answered.
    proxy.pause()
    let unavailableCount = 0
    const finishing = logins.map(async (login) => {
      const answer = await finish(busy, login)
      if (answer.status !== 200) unavailableCount += 1
      return answer
    })
    await eventually(() => {
      if (unavailableCount < 5) throw new Error(`${unavailableCount} of 5`)
    })
    proxy.resume()
    const answers = await Promise.all(finishing)
    const aboveLimit = answers.flatMap((answer, n) =>
      answer.status === 200 ? [] : [[answer, logins[n]] as const],
    )
    t.equal(answers.filter(({ status }) => status === 200).length, 100)
    t.equal(aboveLimit.length, 5)
    for (const [answer, login] of aboveLimit) {
      expectProblem(t, answer, unavailable([1, 1]))
      t.equal((await finish(busy, login ?? {})).status, 200)
    }
  },
)
