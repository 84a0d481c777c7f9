import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import t from 'tap'
import { namesOf } from '../../sandbox/doubles/index.ts'
import { deadlines } from '../../src/deadlines.ts'
import { openTestDatabase } from '../support/database.ts'
import { patient } from '../support/deadlines.ts'
import type { Answer, Encoding, ProviderName } from '../support/login-flow.ts'
import { basic, finish, get, loginToFinish, openCallback, post, start } from '../support/login-flow.ts'
import { eventually, listenOnLoopback } from '../support/process.ts'
import { startRedis, withoutRedis } from '../support/redis.ts'
import { redirectUrl, startDoubles, startTestService } from '../support/service.ts'

const person = {
  id: '5550001112223',
  login: 'marker.login',
  name: 'Marker Fullname',
  email: 'marker@email.example',
}
const verifier = 'marker-verifier-marker-verifier-marker-verifier'

t.test(
  'no secret and no personal data are in any log line, metric or error of logins and their failures',
  { skip: withoutRedis },
  async (t) => {
    const redis = await startRedis(t)
    const service = await startTestService(t, {
      redis: { url: redis.url, prefix: '' },
      deadlines: { ...patient, redisCommand: deadlines.redisCommand },
    })
    const { doubles, site } = service
    const markers = new Set<string>([
      ...Object.values(person),
      verifier,
      site.secret,
      'marker-secret',
      'marker-code',
    ])
    for (const { env, name } of Object.values(doubles)) {
      const secret = env[`${name.toUpperCase()}_CLIENT_SECRET`]
      if (secret !== undefined) markers.add(secret).add(Buffer.from(secret).toString('base64'))
    }
    const errors: Answer[] = []
    const seen = (answer: Answer) => {
      if (answer.status >= 400) errors.push(answer)
      for (const member of ['access_token', 'refresh_token', 'state']) {
        const value = answer.json[member]
        if (typeof value === 'string') markers.add(value)
      }
      return answer
    }
    const login = async (provider: ProviderName, headers = {}) => {
      const posted = await loginToFinish(service, provider, { person, headers })
      markers.add(posted.state).add(posted.code)
      return posted
    }

    for (const provider of namesOf(doubles)) {
      const double = doubles[provider]
      const good = await login(provider, basic(site))
      seen(await finish(service, good, basic(site)))
      const tokens = seen(await finish(service, good, basic(site)))
      t.equal(tokens.status, 200)
      seen(await finish(service, good))
      seen(await finish(service, await login(provider), basic({ ...site, secret: 'marker-secret' })))
      seen(await finish(service, { ...(await login(provider)), code: 'marker-code' }))
      seen(await finish(service, { ...(await login(provider)), code_verifier: verifier }))
      seen(await get(service, `/api/v1/oauth/callback/${provider}?state=${good.state}&code=marker-code`))
      seen(
        await get(service, `/api/v1/oauth/callback/${provider}?state=${good.state}&state=a&code=marker-code`),
      )
      seen(
        await openCallback(
          service,
          `http://127.0.0.1:3000/api/v1/oauth/callback/${provider}/x?state=${good.state}`,
        ),
      )
      for (const encoding of ['urlencoded', 'multipart', 'json'] satisfies Encoding[])
        seen(
          await post(
            service,
            '/api/v1/oauth/authorize/',
            [...Object.entries(good), ['code', 'marker-code']],
            {
              encoding,
            },
          ),
        )
      for (const fault of ['200-html', 'truncated-json', 'reset'] as const) {
        const spoiled = await login(provider)
        double.fault('token', fault, 1)
        seen(await finish(service, spoiled))
      }
      for (const { body } of double.requests)
        for (const [name, value] of new URLSearchParams(body))
          if (['code_verifier', 'client_secret', 'device_id', 'access_token', 'user'].includes(name))
            markers.add(value)
      const wrongUrl = { provider, client_redirect_url: `${redirectUrl}/marker-code` }
      seen(await post(service, '/api/v1/oauth/authorize-url/', wrongUrl, { headers: basic(site) }))
      seen(
        await post(service, '/api/v1/oauth/refresh/', {
          refresh_token: `${String(tokens.json.refresh_token)}x`,
        }),
      )
      seen(
        await get(service, '/api/v1/me/', { authorization: `Bearer ${String(tokens.json.access_token)}x` }),
      )
      seen(await get(service, `/api/v1/me/?access_token=${String(tokens.json.access_token)}`))
    }

    // A database that fails in an unexpected way, and a store that is away.
    const locker = openTestDatabase(t, { url: service.database.url, poolMax: 1 })
    const unsaved = await login('google')
    const broken = await startTestService(t, {
      database: { ...locker, url: service.database.url },
      doubles,
      site,
    })
    const spoiledLogin = await loginToFinish(broken, 'google', { person })
    markers.add(spoiledLogin.state).add(spoiledLogin.code)
    await service.database.pool.query(
      'ALTER TABLE users ADD CONSTRAINT no_markers CHECK (email IS NULL) NOT VALID',
    )
    const failed = seen(await finish(broken, spoiledLogin))
    t.equal(failed.status, 500, 'an unexpected error')
    await service.database.pool.query('ALTER TABLE users DROP CONSTRAINT no_markers')

    redis.pause()
    seen(await finish(service, unsaved))
    const callback = `/api/v1/oauth/callback/google?state=${unsaved.state}&code=${encodeURIComponent(unsaved.code)}`
    seen(await get(service, callback))
    seen(await get(service, callback, { accept: 'text/html' }))
    await t.rejects(start(service))
    redis.resume()
    await eventually(() => start(service))

    t.ok(errors.length > 50, `${errors.length} errors`)
    t.ok(markers.size > 60, `${markers.size} markers`)
    for (const { status, text } of errors) t.notOk(markerIn(text, markers), `an error ${status}: ${text}`)
    t.ok(service.log.length > 100, `${service.log.length} lines`)
    for (const line of [...service.log, ...broken.log]) {
      const found = markerIn(line, markers)
      if (found !== undefined) t.fail(`${found} in ${line}`)
    }
    for (const { metrics } of [service, broken]) {
      const text = await metrics.registry.metrics()
      t.match(text, /logins_finished_total\{/)
      t.equal(markerIn(text, markers), undefined)
      for (const label of [site.id, redirectUrl, new URL(redirectUrl).host]) t.notMatch(text, label)
    }
  },
)

t.test('the log has no secret of an error response that repeats everything that was sent', async (t) => {
  const sent = new Set<string>()
  const basic = new Set<string>()
  const repeat = async (request: IncomingMessage, response: ServerResponse) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const url = new URL(request.url ?? '', 'http://echo')
    for (const [name, value] of [...new URLSearchParams(body), ...url.searchParams])
      if (/^(code|code_verifier|client_secret|service_token|device_id|state|access_token)$/.test(name))
        sent.add(value)
    const credentials = request.headers.authorization?.replace(/^\w+ /, '')
    if (/^basic /i.test(request.headers.authorization ?? '')) basic.add(credentials ?? '')
    else if (credentials !== undefined) sent.add(credentials)
    // Short enough to be logged in full.
    const encoded = [...sent].map((value) => new URLSearchParams({ '': value }).toString())
    const description = `refused: ${[...sent, ...encoded, ...basic].join(' ')}`
    response.writeHead(400, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ error: 'strange', error_description: description }))
  }
  const echo = createServer((request, response) => void repeat(request, response))
  const origin = `http://127.0.0.1:${await listenOnLoopback(echo)}`
  t.teardown(() => echo.close())
  const doubles = await startDoubles(t)
  for (const endpoint of ['TOKEN', 'USERINFO']) {
    const variable = (name: ProviderName) => `${name.toUpperCase()}_${endpoint}_URL`
    const names = namesOf(doubles).filter((name) => variable(name) in doubles[name].env)
    const echoing = Object.fromEntries(names.map((name) => [variable(name), `${origin}/x`]))
    const env = { ...echoing, VKID_CLIENT_SECRET: 'the-service-token-of-vkid' }
    const service = await startTestService(t, { doubles, env })
    for (const name of names) {
      sent.clear()
      basic.clear()
      const answer = await finish(service, await loginToFinish(service, name, { code: '4/0A(x)*~ y+z' }))
      t.equal(answer.status, 502, answer.text)
      t.ok(sent.size + basic.size >= (endpoint === 'TOKEN' ? 3 : 1), `${name} was sent its secrets`)
      t.equal(markerIn(answer.text, sent), undefined)
      t.ok(
        service.log.some((line) => line.includes('refused:')),
        'the log has the words of the provider',
      )
      for (const line of service.log) {
        t.equal(markerIn(line, sent), undefined, line)
        t.equal(markerIn(line, basic), undefined, line)
      }
    }
  }
})

t.test('states and codes that came twice do not stand in the words beside them', async (t) => {
  const service = await startTestService(t)
  const living = await loginToFinish(service)
  for (const [name, value] of [
    ['state', living.state],
    ['code', 'marker-code-(x)*'],
  ] as const) {
    const query = new URLSearchParams([
      ['state', living.state],
      [name, value],
      [name, 'other-value'],
      ['error', `no ${value}`],
      ['error_description', `denied ${value} ${encodeURIComponent(value)}, not other-value`],
    ])
    t.equal((await get(service, `/api/v1/oauth/callback/yandex?${query.toString()}`)).status, 400)
    const line = service.log.findLast((one) => one.includes('provider refused'))
    t.match(line, /denied \[removed\] \[removed\], not \[removed\]/)
    t.notMatch(line, living.state)
    t.notMatch(line, 'marker-code')
  }
  const many = new URLSearchParams(
    Array.from({ length: 500 }, (_, n): [string, string] => ['code', `many-codes-${n}`]),
  )
  await get(service, `/api/v1/oauth/callback/yandex?error=many-codes-499&${many.toString()}`)
  t.notMatch(service.log.join(), 'many-codes', 'nor where they are too many to be looked for')
})

t.test(
  'an error as long as a request may be: the log keeps 200 characters of it, and no mark in a mark',
  async (t) => {
    const service = await startTestService(t)
    for (const [state, code, error] of [
      ['e', 'e', 'e'.repeat(31_000)],
      ['removed', 'eeeeee', 'eeeeee removed '.repeat(2_000)],
    ] as const) {
      const query = new URLSearchParams({ state, code, error })
      t.equal((await get(service, `/api/v1/oauth/callback/yandex?${query.toString()}`)).status, 400)
      const line = service.log.findLast((one) => one.includes('provider refused')) ?? ''
      const logged = String(JSON.parse(line).error)
      t.equal(logged.length, 200)
      t.notMatch(logged, /\[[^\]]*\[/)
    }
  },
)

/** Characters that are invisible, or that change how a line is displayed. */
const unprintable = [
  '\u0007',
  '\u001b[2J',
  '\u007f',
  '\u009b31m',
  '\u202e',
  '\u2066',
  '\u200b',
  '\u2028',
  '\u2029',
  '\ufeff',
]
const emails = [
  'ada@mail.example',
  'Ада.Л@почта.рф',
  'a+b@[192.0.2.1]',
  'grace%40mail.example',
  '"g h"@mail.example',
]
const words = `denied${unprintable.join('x')} for <${emails.join('>, ')}> ${'again '.repeat(500)}`

t.test('the words of a provider are logged in one short line without any email', async (t) => {
  const service = await startTestService(t)
  const isHarmless = (line: string | undefined) => {
    t.match(line, 'denied', 'the log has the words of the provider')
    t.ok((line?.length ?? 0) < 2_000, 'bounded')
    t.notMatch(line, /[\u007f-\u009f\u200b\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff]|\\u00[01]/)
    for (const word of ['ada', 'Ада', 'a+b', 'grace', 'mail.example', 'почта']) t.notMatch(line, word)
  }
  const find = (text: string) => service.log.findLast((line) => line.includes(text))

  const { state } = await start(service)
  const query = new URLSearchParams({
    state,
    error: words.slice(0, 200),
    error_description: `${state} ${words}`,
  })
  t.equal((await get(service, `/api/v1/oauth/callback/yandex?${query.toString()}`)).status, 303)
  isHarmless(find('provider refused'))
  t.notMatch(find('provider refused'), state)

  for (const endpoint of ['token', 'userinfo'] as const) {
    const body = JSON.stringify({ error: 'invalid_request', error_description: words })
    service.doubles.yandex.answer(endpoint, { status: 400, body }, 1)
    t.equal((await finish(service, await loginToFinish(service))).status, 502)
    isHarmless(find(`yandex ${endpoint}`))
  }
})

/** The first marker that a text contains, as it is or in one of the encodings of the web. */
function markerIn(text: string, markers: ReadonlySet<string>): string | undefined {
  return [...markers].find((marker) =>
    [
      marker,
      encodeURIComponent(marker),
      new URLSearchParams({ '': marker }).toString().slice(1),
      JSON.stringify(marker).slice(1, -1),
    ].some((form) => text.includes(form)),
  )
}
