import t from 'tap'
import type { Answer } from '../support/login-flow.ts'
import { basic, finish, get, loginToFinish, post, text } from '../support/login-flow.ts'
import { redirectUrl, startTestService } from '../support/service.ts'

t.test('the log line of a request has its problem, its site and its provider', async (t) => {
  const service = await startTestService(t, { env: { RATE_LIMIT: 'off' } })
  const { id: site } = service.site
  /** The members of the line that differ between requests. */
  const lineOf = async (ask: () => Promise<Answer>) => {
    const { headers } = await ask()
    const own = service.log
      .map((line): Record<string, unknown> => JSON.parse(line))
      .filter(({ msg, requestId }) => msg === 'answered' && requestId === headers.get('x-request-id'))
    t.equal(own.length, 1, 'one line')
    const {
      level: _level,
      time: _time,
      pid: _pid,
      hostname: _hostname,
      ms,
      requestId: _id,
      msg: _msg,
      ...rest
    } = own[0] ?? {}
    t.type(ms, 'number')
    return rest
  }
  const start = (fields: Readonly<Record<string, string>>, headers = {}) =>
    post(
      service,
      '/api/v1/oauth/authorize-url/',
      { provider: 'yandex', client_redirect_url: redirectUrl, ...fields },
      { headers },
    )
  const login = await loginToFinish(service)
  const tokens = await finish(service, login)
  const refresh = (token: string) => post(service, '/api/v1/oauth/refresh/', { refresh_token: token })

  const [startRoute, finishRoute] = ['/api/v1/oauth/authorize-url/', '/api/v1/oauth/authorize/']
  const callbackRoute = '/api/v1/oauth/callback/yandex'
  const cases: readonly [() => Promise<Answer>, object][] = [
    [
      () => get(service, '/nowhere?state=MARKER'),
      { method: 'GET', route: 'unknown', status: 404, problem: 'not-found' },
    ],
    [
      () => get(service, '/api/v1/oauth/providers/'),
      { method: 'GET', route: '/api/v1/oauth/providers/', status: 200 },
    ],
    [
      () => start({ provider: 'MARKER' }),
      { method: 'POST', route: startRoute, status: 400, problem: 'unknown-provider' },
    ],
    [
      () => start({ client_redirect_url: 'https://marker.example/MARKER' }),
      { method: 'POST', route: startRoute, status: 400, problem: 'redirect-url-unknown', provider: 'yandex' },
    ],
    [() => start({}), { method: 'POST', route: startRoute, status: 200, provider: 'yandex', site }],
    [
      () => finish(service, login),
      {
        method: 'POST',
        route: finishRoute,
        status: 400,
        problem: 'login-completed',
        provider: 'yandex',
        site,
      },
    ],
    [
      () => get(service, `${callbackRoute}?state=MARKER&code=MARKER`, { accept: 'text/html' }),
      { method: 'GET', route: callbackRoute, status: 400, problem: 'unknown-login', provider: 'yandex' },
    ],
    [
      () => refresh('MARKER'),
      { method: 'POST', route: '/api/v1/oauth/refresh/', status: 400, problem: 'refresh-token-invalid' },
    ],
    [
      () => refresh(text(tokens, 'refresh_token')),
      { method: 'POST', route: '/api/v1/oauth/refresh/', status: 200, site },
    ],
    [
      () => get(service, '/api/v1/site/', basic(service.site)),
      { method: 'GET', route: '/api/v1/site/', status: 200, site },
    ],
  ]
  for (const [ask, line] of cases) t.strictSame(await lineOf(ask), line)
  t.notMatch(service.log.join(''), 'MARKER')
})
