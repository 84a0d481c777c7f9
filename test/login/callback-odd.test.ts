import type { Test } from 'tap'
import t from 'tap'
import type { Answer } from '../support/login-flow.ts'
import {
  finish,
  get,
  locationFields,
  loginToFinish,
  openCallback,
  readResponse,
  start,
} from '../support/login-flow.ts'
import { sendBytes } from '../support/send-bytes.ts'
import { startTestService } from '../support/service.ts'

// Callbacks that are neither a plain code nor a plain error.
const service = await startTestService(t)
const base = '/api/v1/oauth/callback/'
const browser = { accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8' }
const russian = { ...browser, 'accept-language': 'ru' }
type Pair = readonly [string, string]

const callBack = (
  provider: string,
  parameters: readonly Pair[],
  headers: Readonly<Record<string, string>> = browser,
) =>
  get(
    service,
    `${base}${provider}?${parameters.map((pair) => pair.map(encodeURIComponent).join('=')).join('&')}`,
    headers,
  )

function isPage(t: Test, answer: Answer, status: number, heading: string, sentence: RegExp): void {
  t.equal(answer.status, status, answer.text)
  t.match(answer.headers.get('content-type'), /^text\/html/)
  t.equal(answer.headers.get('location'), null)
  t.match(answer.headers.get('content-security-policy'), /default-src 'none'/)
  t.match(answer.text, `<h1>${heading}</h1>`)
  t.match(answer.text, sentence)
}

const linked = /<a href="https:\/\/client\.example">/
const logged = () => service.log.map((line): Record<string, unknown> => JSON.parse(line))
const loggedError = (provider: string, error: string) =>
  logged().some(
    (line) => line.msg === 'provider refused' && line.provider === provider && line.error === error,
  )

t.test('an error without a state is shown to the person and named in the log', async (t) => {
  const cancelled = await callBack('yandex', [['error', 'access_denied']])
  isPage(t, cancelled, 400, 'The login was cancelled', /The login through Yandex was cancelled/)
  t.notMatch(cancelled.text, /<a |POST/)
  const inRussian = await callBack('google', [['error', 'access_denied']], russian)
  isPage(t, inRussian, 400, 'Вход отменён', /Вход через Google отменён/)
  t.ok(loggedError('yandex', 'access_denied') && loggedError('google', 'access_denied'))
  const failed = await callBack('mail', [
    ['error', 'invalid_scope'],
    ['state', ''],
  ])
  isPage(t, failed, 400, 'The login did not succeed', /The login through Mail\.ru did not succeed/)
  t.ok(loggedError('mail', 'invalid_scope'))
  const program = await callBack('yandex', [['error', 'access_denied']], {})
  t.match(program.json, {
    type: 'urn:auth-movies:problem:access-denied',
    status: 400,
    error: 'access_denied',
  })
})

t.test(
  'a callback without a state and an error asks the person to log in once more, and the small print names the parameter',
  async (t) => {
    for (const parameters of [
      [['code', 'c']],
      [],
      [
        ['state', ''],
        ['code', 'c'],
      ],
    ] as const)
      isPage(
        t,
        await callBack('yandex', parameters),
        400,
        'The login did not succeed',
        /please log in once more/,
      )
    const { text } = await callBack('yandex', [])
    t.match(text, /: state; the provider/)
    t.notMatch(text, /POST/)
    const repeated = await callBack(
      'yandex',
      [
        ['code', 'c'],
        ['code', 'd'],
      ],
      russian,
    )
    t.equal(repeated.text.match(/Параметр передан/g)?.length, 1, 'the page says what happened only once')
  },
)

t.test('an empty parameter counts as omitted', async (t) => {
  const { state } = await start(service)
  const answer = await callBack('yandex', [
    ['state', state],
    ['code', 'c'],
    ['error', ''],
    ['error_description', ''],
  ])
  t.equal(answer.status, 303, answer.text)
  t.strictSame(locationFields(answer), [
    ['provider', 'yandex'],
    ['state', state],
    ['code', 'c'],
  ])
})

t.test('an error is passed on to the site, however long it is and however often it comes', async (t) => {
  const long = 'x'.repeat(5_000)
  for (const [parameters, passedOn] of [
    [
      [
        ['error', 'access_denied'],
        ['error_description', long],
      ],
      'access_denied',
    ],
    [[['error', long]], 'server_error'],
    [
      [
        ['error', 'access_denied'],
        ['error', 'access_denied'],
      ],
      'access_denied',
    ],
    [
      [
        ['error', 'access_denied'],
        ['error', 'server_error'],
      ],
      'server_error',
    ],
    [
      [
        ['error', 'access_denied'],
        ['error_description', 'a'],
        ['error_description', 'b'],
      ],
      'access_denied',
    ],
    [
      [
        ['error', 'access_denied'],
        ['code', ''],
      ],
      'access_denied',
    ],
  ] as const) {
    const { state } = await start(service)
    const answer = await callBack('yandex', [['state', state], ...parameters])
    t.equal(answer.status, 303, answer.text)
    t.match(Object.fromEntries(locationFields(answer)), { state, error: passedOn })
  }
  t.notOk(
    service.log.some((line) => line.includes('x'.repeat(300))),
    'the log cuts long words of a provider',
  )
})

t.test(
  'a response that contradicts itself gets a page with a link to the site, and the login stays usable',
  async (t) => {
    const { state, authorizeUrl } = await start(service)
    for (const parameters of [
      [
        ['code', 'a'],
        ['code', 'b'],
      ],
      [
        ['code', 'a'],
        ['error', 'access_denied'],
      ],
      [['code', 'c'.repeat(4_097)]],
      [],
    ] as const) {
      const answer = await callBack('yandex', [['state', state], ...parameters])
      isPage(t, answer, 400, 'The login did not succeed', linked)
      t.notMatch(answer.text, /POST/)
    }
    const back = await openCallback(service, await service.doubles.yandex.consent(authorizeUrl))
    t.equal((await finish(service, locationFields(back))).status, 200)
  },
)

t.test('a code that is no UTF-8 is refused, not passed on as another one; the login lives', async (t) => {
  const { state, authorizeUrl } = await start(service)
  for (const code of ['%E0%A0', 'a%FFb', '%EF%BF%BD', '%ED%A0%80']) {
    const answer = await get(service, `${base}yandex?state=${state}&code=${code}`, browser)
    isPage(t, answer, 400, 'The login did not succeed', linked)
    t.match(answer.text, /parameter code is not acceptable/)
  }
  const back = await openCallback(
    service,
    await service.doubles.yandex.consent(authorizeUrl, { code: '%E0%zz' }),
  )
  t.match(back.headers.get('location'), /&code=%25E0%25zz$/, 'percent signs that were meant are kept')
  t.equal((await finish(service, locationFields(back))).status, 200)
})

t.test('a late refusal is told as what it is, not as a wrong code', async (t) => {
  const { state } = await loginToFinish(service)
  const late: readonly Pair[] = [
    ['state', state],
    ['error', 'access_denied'],
  ]
  const english = await callBack('yandex', late)
  t.match(english.text, /the provider sent an error afterwards, which changes nothing/)
  t.notMatch(english.text, /without decoding it twice/)
  t.match((await callBack('yandex', late, russian)).text, /провайдер прислал ошибку уже после кода/)
  const other: readonly Pair[] = [
    ['state', state],
    ['code', 'another'],
  ]
  t.match((await callBack('yandex', other)).text, /pass code on exactly as it came/)
  t.match((await callBack('yandex', other, russian)).text, /передавайте code ровно таким/)
})

t.test('a callback with two different states is shown a page without a link to any site', async (t) => {
  const { state } = await start(service)
  const answer = await callBack('yandex', [
    ['state', state],
    ['state', 'x'],
    ['code', 'c'],
  ])
  isPage(t, answer, 400, 'The login did not succeed', /log in once more/)
  t.notMatch(answer.text, linked)
})

t.test('an issuer that comes twice is answered with issuer-mismatch', async (t) => {
  const issuer = service.doubles.google.env.GOOGLE_ISSUER ?? ''
  const both = [
    ['iss', issuer],
    ['iss', issuer],
  ] as const
  const { state } = await start(service, 'google')
  const answer = await callBack('google', [['state', state], ['code', 'c'], ...both], {})
  t.match(answer.json, { status: 400, type: 'urn:auth-movies:problem:issuer-mismatch' })
  const other = await start(service)
  t.equal((await callBack('yandex', [['state', other.state], ['code', 'c'], ...both])).status, 303)
})

t.test('the page of a completed login and of an answered one have headings of their own', async (t) => {
  const login = await loginToFinish(service)
  await finish(service, login)
  const again: readonly Pair[] = [
    ['state', login.state],
    ['code', login.code],
  ]
  isPage(t, await callBack('yandex', again), 400, 'The login is already completed', linked)
  isPage(t, await callBack('yandex', again, russian), 400, 'Вход уже завершён', /скорее всего, вы вошли/)
  const withCode = await loginToFinish(service)
  const late: readonly Pair[] = [
    ['state', withCode.state],
    ['error', 'access_denied'],
  ]
  isPage(t, await callBack('yandex', late), 400, 'The login has already been answered', linked)
})

t.test('another method or an unknown path below the callback shows a page to a browser', async (t) => {
  const nowhere = 'There is nothing at this address'
  const posted = await readResponse(
    await fetch(`${service.url}${base}yandex?state=a`, { method: 'POST', headers: browser }),
  )
  isPage(t, posted, 405, nowhere, /cannot be opened in this way/)
  t.equal(posted.headers.get('allow'), 'GET')
  const head = await fetch(`${service.url}${base}yandex?state=a`, { method: 'HEAD', headers: browser })
  t.match([head.status, head.headers.get('content-type'), await head.text()], [405, /^text\/html/, ''])
  isPage(t, await get(service, `${base}nobody`, browser), 404, nowhere, /go back to the site/)
  isPage(t, await get(service, `${base}nobody/at/all`, browser), 404, nowhere, /go back to the site/)
  for (const path of ['%zz', 'yandex%', '%ff'])
    t.match(
      await sendBytes(service, [
        `GET ${base}${path} HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nConnection: close\r\n\r\n`,
      ]),
      nowhere,
    )
  const query = await sendBytes(service, [
    `GET ${base}yandex?state=%&code=%zz HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nConnection: close\r\n\r\n`,
  ])
  t.match(query, /^HTTP\/1\.1 400 [^]*<h1>The login did not succeed/)
  const program = await readResponse(await fetch(`${service.url}${base}yandex`, { method: 'POST' }))
  t.match(program.headers.get('content-type'), /problem\+json/)
})

t.test(
  'more cookies than 32 kB show a page that names them, write a log line and count in the metrics',
  async (t) => {
    const cookie = Array.from({ length: 10 }, (_, index) => `c${index}=${'x'.repeat(3_900)}`).join('; ')
    const { state, authorizeUrl } = await start(service)
    const answer = await callBack(
      'yandex',
      [
        ['state', state],
        ['code', 'c'],
      ],
      { ...browser, cookie },
    )
    isPage(t, answer, 431, 'Too many cookies', /too many cookies for 127\.0\.0\.1; please delete them/)
    const inRussian = await callBack('yandex', [['state', state]], { ...russian, cookie })
    isPage(t, inRussian, 431, 'Слишком много файлов cookie', /для 127\.0\.0\.1; удалите их/)
    t.ok(logged().some((line) => line.problem === 'headers-too-large' && Number(line.bytes) > 39_000))
    const metrics = await service.metrics.registry.metrics()
    t.match(metrics, /http_server_request_duration_seconds_count\{[^}]*callback\/yandex"[^}]*"431"\} 2/)
    t.equal(
      (await get(service, '/api/v1/oauth/providers/', { ...browser, cookie })).json.status,
      431,
      'any other path answers with JSON',
    )
    const fewer = { ...browser, cookie: cookie.slice(0, 5 * 3_905) }
    const back = await openCallback(service, await service.doubles.yandex.consent(authorizeUrl), fewer)
    t.equal(back.status, 303, 'five large cookies are accepted')
  },
)
