import t from 'tap'
import type { Answer } from '../support/login-flow.ts'
import {
  basic,
  bound,
  finish,
  locationFields,
  loginToFinish,
  openCallback,
  post,
  start,
  text,
  verifier,
} from '../support/login-flow.ts'
import { redirectUrl, startTestService } from '../support/service.ts'
import { loginOf, loginsOf, stepsOf, urn, wholeLogin } from './site-logins.ts'

const service = await startTestService(t)
const { yandex } = service.doubles

const postStart = () =>
  post(service, '/api/v1/oauth/authorize-url/', { provider: 'yandex', client_redirect_url: redirectUrl })
const fieldsOf = (started: Answer, callback: Answer) => ({
  provider: 'yandex',
  state: text(started, 'state'),
  code: Object.fromEntries(locationFields(callback)).code ?? '',
})
/** A login after its start and its callback. */
async function afterCallback(code?: string) {
  const started = await postStart()
  const url = await yandex.consent(text(started, 'authorize_url'), code === undefined ? {} : { code })
  const callback = await openCallback(service, url)
  return { started, callback, url, fields: fieldsOf(started, callback) }
}

t.test('a login is shown with every step, its times and the ids of its requests', async (t) => {
  const before = Date.now()
  const { started, callback, fields } = await afterCallback()
  const finished = await finish(service, fields)
  t.equal(finished.status, 200)
  const login = await loginOf(service, finished)
  t.match(login, { provider: 'yandex', outcome: 'success', problem: null, id: /^[0-9a-f]{20}$/ })
  t.strictSame(stepsOf(login), wholeLogin)
  t.strictSame(
    login?.requests.map(({ request, request_id, problem }) => [request, request_id, problem]),
    [
      ['start', started.headers.get('x-request-id'), null],
      ['callback', callback.headers.get('x-request-id'), null],
      ['finish', finished.headers.get('x-request-id'), null],
    ],
  )
  const times = login?.steps.map(({ at }) => Date.parse(at)) ?? []
  t.strictSame(
    times,
    times.toSorted((one, other) => one - other),
  )
  t.ok(times.every((time) => time >= before - 1 && time <= Date.now() + 1))
  t.ok(login !== undefined && login.duration_ms >= 0 && login.duration_ms <= Date.now() - before + 2)
  for (const answer of [started, callback])
    t.equal((await loginOf(service, answer))?.id, login?.id, 'found by each of them')
})

t.test('it tells by what the server of the site has proved itself', async (t) => {
  for (const [proof, fields, headers, again] of [
    ['none', {}, {}, {}],
    ['secret', {}, basic(service.site), {}],
    ['challenge', bound, {}, { code_verifier: verifier }],
    ['secret', bound, basic(service.site), { code_verifier: verifier }],
  ] as const) {
    const login = await loginToFinish(service, 'yandex', { fields, headers })
    const finished = await finish(service, { ...login, ...again }, headers)
    t.equal(finished.status, 200, finished.text)
    t.strictSame(
      (await loginOf(service, finished))?.requests.map((one) => one.proof),
      [proof, undefined, proof],
    )
  }
  const refused = await finish(service, await loginToFinish(service), basic({ ...service.site, secret: 'x' }))
  t.equal((await loginOf(service, refused))?.requests.at(-1)?.proof, undefined, 'nothing was proved')
})

t.test('logins through Google and Mail have the same steps', async (t) => {
  for (const provider of ['google', 'mail'] as const) {
    const { state, authorizeUrl } = await start(service, provider)
    const callback = await openCallback(service, await service.doubles[provider].consent(authorizeUrl))
    const { code = '' } = Object.fromEntries(locationFields(callback))
    t.strictSame(
      stepsOf(await loginOf(service, await finish(service, { provider, state, code }))),
      wholeLogin,
    )
  }
})

t.test('a login is found by a request id that the caller chose', async (t) => {
  await start(service, 'yandex', {}, { 'x-request-id': 'order-4711' })
  t.equal((await loginsOf(service, '?request_id=order-4711')).length, 1)
})

t.test('each login is shown with its last step and its problem', async (t) => {
  const endsWith = async (
    name: string,
    answer: Answer,
    expected: { outcome: string; problem: string | null; last: string | undefined },
  ) => {
    const login = await loginOf(service, answer)
    t.equal(login?.outcome, expected.outcome, name)
    t.equal(login?.problem, expected.problem && urn(expected.problem), name)
    t.equal(login?.steps.at(-1)?.step, expected.last, name)
  }
  await endsWith('never came back', await postStart(), {
    outcome: 'pending',
    problem: null,
    last: 'sent_to_provider',
  })
  await endsWith('never finished', (await afterCallback()).callback, {
    outcome: 'pending',
    problem: null,
    last: 'came_back',
  })

  const refusedStart = await postStart()
  const refused = await openCallback(service, await yandex.refuse(text(refusedStart, 'authorize_url')))
  await endsWith('refused', refused, { outcome: 'refused', problem: 'access-denied', last: 'came_back' })
  await finish(service, { provider: 'yandex', state: text(refusedStart, 'state') })
  await endsWith('refused and finished', refusedStart, {
    outcome: 'refused',
    problem: 'access-denied',
    last: 'came_back',
  })

  const early = await postStart()
  await finish(service, { provider: 'yandex', state: text(early, 'state'), code: 'x' })
  await endsWith('finished too early', early, {
    outcome: 'failed',
    problem: 'login-unanswered',
    last: 'sent_to_provider',
  })

  const other = await afterCallback()
  await endsWith('a wrong code', await finish(service, { ...other.fields, code: 'wrong' }), {
    outcome: 'failed',
    problem: 'code-mismatch',
    last: 'came_back',
  })
  t.equal((await finish(service, other.fields)).status, 200)
  await endsWith('the right one after it', other.started, {
    outcome: 'success',
    problem: null,
    last: 'session',
  })

  for (const { endpoint, problem, last } of [
    { endpoint: 'token', problem: 'provider-error', last: 'claimed' },
    { endpoint: 'userinfo', problem: 'provider-error', last: 'exchanged' },
  ] as const) {
    const { fields } = await afterCallback()
    yandex.fault(endpoint, '503-html', 2)
    const failed = await finish(service, fields)
    yandex.fault(endpoint, undefined)
    await endsWith(`${endpoint} fails`, failed, { outcome: 'failed', problem, last })
    t.equal((await finish(service, fields)).status, 400)
    await endsWith('and the site tries again', failed, { outcome: 'failed', problem, last })
  }
})

t.test('the request id on the page of the callback finds the login', async (t) => {
  const { url, fields, started } = await afterCallback()
  t.equal((await finish(service, fields)).status, 200)
  const page = await openCallback(service, url, { accept: 'text/html' })
  t.equal(page.status, 400)
  const id = page.headers.get('x-request-id') ?? 'none'
  t.ok(page.text.includes(`<code>${id}</code>`), 'the page shows the id of its own request')
  const login = await loginOf(service, page)
  t.equal(login?.id, (await loginOf(service, started))?.id)
  t.equal(login?.outcome, 'success', 'a second click does not change the outcome')
  t.match(login?.requests.at(-1), { request: 'callback', request_id: id, problem: urn('login-completed') })
})

t.test('the metrics have every step, and no site', async (t) => {
  const metrics = await service.metrics.registry.metrics()
  for (const step of wholeLogin)
    t.match(metrics, `login_step_duration_seconds_count{provider="yandex",step="${step}"}`)
  t.notMatch(metrics, service.site.id)
})
