import { Redis } from 'ioredis'
import type { Test } from 'tap'
import t from 'tap'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import type { Answer } from '../support/login-flow.ts'
import { finish, get, locationFields, openCallback, start } from '../support/login-flow.ts'
import { loginStores } from '../support/login-stores.ts'
import type { TestService } from '../support/service.ts'
import { startTestService } from '../support/service.ts'

// A stranger can start logins through the button of a site and send invented codes to the callback. They must not reach
// the provider without limit, as its 429 would stop the logins of everybody.

const from = (ip: string) => ({ 'x-forwarded-for': ip })
/** The backend of the site, from which all starts and finishes come. */
const backend = from('198.51.100.1')
const limited: ExpectedProblem = {
  status: 429,
  type: 'rate-limited',
  error: 'temporarily_unavailable',
  retryAfter: [1, 60],
}
const rejected = { status: 400, type: 'code-rejected', error: 'invalid_grant' } as const
const path = '/api/v1/oauth/callback/yandex'
const tokenRequests = (service: TestService) =>
  service.doubles.yandex.requests.filter((request) => request.path === '/token').length

async function sendInventedCode(service: TestService, browser: Record<string, string>): Promise<Answer> {
  const { state } = await start(service, 'yandex', {}, backend)
  return await get(service, `${path}?state=${state}&code=junk`, browser)
}

/** Checks that a whole login from this network succeeds. */
async function succeeds(t: Test, service: TestService, browser: Record<string, string>) {
  const { authorizeUrl } = await start(service, 'yandex', {}, backend)
  const back = await openCallback(service, await service.doubles.yandex.consent(authorizeUrl), browser)
  const answer = await finish(service, locationFields(back), backend)
  t.equal(answer.status, 200, answer.text)
}

t.jobs = loginStores.length
for (const { store, skip, options } of loginStores)
  t.test(`codes that the provider rejects, counted in ${store}`, { skip, buffered: true }, async (t) => {
    const env = { TRUST_PROXY: '1' }
    const { redis } = await options(t)
    const service = await startTestService(t, { ...(redis && { redis }), env })

    t.test('of 60 invented codes from one network 31 reach the provider within a minute', async (t) => {
      const browser = from('203.0.113.9')
      service.doubles.yandex.requests.length = 0
      let limitedCount = 0
      for (let n = 0; n < 60; n++) {
        const back = await sendInventedCode(service, browser)
        if (back.status === 303)
          expectProblem(t, await finish(service, locationFields(back), backend), rejected)
        else {
          expectProblem(t, back, limited)
          limitedCount++
        }
      }
      t.equal(tokenRequests(service), 31)
      t.equal(limitedCount, 29)
      await succeeds(t, service, from('203.0.113.10'))
      await succeeds(t, service, backend)
    })

    t.test('a person in that network is shown what to do, with a link to the site', async (t) => {
      const texts = {
        en: /wait a minute.*network of this browser/s,
        ru: /[Пп]одождите.*сети этого браузера/s,
      }
      for (const [language, text] of Object.entries(texts)) {
        const headers = { accept: 'text/html', 'accept-language': language, ...from('203.0.113.9') }
        const page = await sendInventedCode(service, headers)
        t.equal(page.status, 429)
        t.match(page.headers.get('content-type'), /^text\/html/)
        t.match(page.headers.get('retry-after'), /^[1-9]\d?$/)
        t.equal(page.headers.get('location'), null)
        t.match(page.text, text)
        t.match(page.text, '<a href="https://client.example">')
      }
    })

    t.test('codes that all came before the first is rejected are limited at the finish', async (t) => {
      // Two IP addresses of one /64 network.
      const browsers = [from('2001:db8:1:2::1'), from('2001:db8:1:2:ffff::2')]
      const backs: Answer[] = []
      for (let n = 0; n < 60; n++) backs.push(await sendInventedCode(service, browsers[n % 2] ?? {}))
      service.doubles.yandex.requests.length = 0
      const answers: Answer[] = []
      for (const back of backs) answers.push(await finish(service, locationFields(back), backend))
      for (const [n, answer] of answers.entries()) expectProblem(t, answer, n < 31 ? rejected : limited)
      t.equal(tokenRequests(service), 31)
      await succeeds(t, service, from('2001:db8:1:3::1'))
    })

    if (redis !== undefined)
      t.test('no key in Redis contains the IP address of a browser', async (t) => {
        const client = new Redis(redis.url)
        t.teardown(() => client.disconnect())
        const keys = await client.keys(`${redis.prefix}*rejected-code*`)
        t.ok(keys.length > 0)
        t.notMatch(keys.join(), /203\.0\.113|2001:db8/)
      })
  })

t.test('whatever words the provider refuses a code in, it counts', async (t) => {
  const env = { TRUST_PROXY: '1' }
  const service = await startTestService(t, { env })
  const json = (error: string) => JSON.stringify({ error })
  for (const [n, [what, answer, counts]] of (
    [
      ['invalid_request', { status: 400, body: json('invalid_request') }, true],
      ['a word of its own', { status: 400, body: json('no_such_code') }, true],
      ['a refusal with a 200', { status: 200, body: json('invalid_request') }, true],
      ['a page', { status: 403, body: '<html>' }, true],
      ['our own credentials', { status: 401, body: json('invalid_client') }, false],
      ['a success that cannot be used', { status: 200, body: '{}' }, false],
    ] as const
  ).entries()) {
    const browser = from(`203.0.113.${n}`)
    service.doubles.yandex.answer('token', answer, 31)
    for (let one = 0; one < 31; one++) {
      const answered = await finish(
        service,
        locationFields(await sendInventedCode(service, browser)),
        backend,
      )
      t.equal(answered.status, 502, what)
    }
    t.equal((await sendInventedCode(service, browser)).status, counts ? 429 : 303, what)
  }
})

t.test('RATE_LIMIT=off limits no codes', async (t) => {
  const service = await startTestService(t, { env: { RATE_LIMIT: 'off' } })
  for (let n = 0; n < 40; n++) {
    const back = await sendInventedCode(service, {})
    expectProblem(t, await finish(service, locationFields(back)), rejected)
  }
})
