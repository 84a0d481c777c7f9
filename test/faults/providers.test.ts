import t from 'tap'
import type { Endpoint, Fault } from '../../sandbox/doubles/faults.ts'
import { namesOf } from '../../sandbox/doubles/index.ts'
import { patient } from '../support/deadlines.ts'
import type { ExpectedProblem } from '../support/expect-problem.ts'
import { expectProblem } from '../support/expect-problem.ts'
import { finish, get, loginToFinish, post } from '../support/login-flow.ts'
import { redirectUrl, startTestService } from '../support/service.ts'

// The same faults at every provider, and what its site is told: a hang, a 5xx, rubbish, a lost connection, a 429.

const service = await startTestService(t, { deadlines: { ...patient, providerResponse: 300 } })

const bad = (type: ExpectedProblem['type'], status = 502) =>
  ({ status, type, error: 'server_error' }) as const
const lost = { status: 400, type: 'login-lost', error: 'invalid_grant' } as const
const away = { status: 503, type: 'provider-unavailable', error: 'temporarily_unavailable' } as const

const faults: readonly (readonly [Fault, ExpectedProblem])[] = [
  ['503-html', bad('provider-error')],
  ['reset', bad('provider-error')],
  ['hang', bad('provider-timeout', 504)],
  ['200-html', bad('provider-invalid-response')],
]

for (const provider of namesOf(service.doubles)) {
  const double = service.doubles[provider]
  const hasProfile = `${provider.toUpperCase()}_USERINFO_URL` in double.env
  const endpoints: readonly Endpoint[] = hasProfile ? ['token', 'userinfo'] : ['token']
  const works = async () => (await finish(service, await loginToFinish(service, provider))).status === 200

  for (const endpoint of endpoints)
    t.test(`${provider}: a fault at ${endpoint} uses the login up, and the next one succeeds`, async (t) => {
      for (const [fault, expected] of faults) {
        const login = await loginToFinish(service, provider)
        // A profile is asked for twice.
        double.fault(endpoint, fault, endpoint === 'token' ? 1 : 2)
        expectProblem(t, await finish(service, login), expected, fault)
        double.fault(endpoint, undefined)
        expectProblem(t, await finish(service, login), lost, fault)
        t.ok(await works(), `after ${fault}`)
      }
    })

  t.test(
    `${provider}: a refused code is code-rejected, a refused client provider-misconfigured`,
    async (t) => {
      const [late, refused] = [await loginToFinish(service, provider), await loginToFinish(service, provider)]
      double.switches.codeLifetime = 0
      const rejected = { status: 400, type: 'code-rejected', error: 'invalid_grant' } as const
      expectProblem(t, await finish(service, late), rejected)
      double.switches.codeLifetime = 600
      double.switches.forgetClient = true
      expectProblem(t, await finish(service, refused), bad('provider-misconfigured'))
      double.switches.forgetClient = false
      t.ok(await works())
    },
  )

  t.test(`${provider}: after a 429 it is left alone, and the login may be finished later`, async (t) => {
    const login = await loginToFinish(service, provider)
    double.fault('token', '429', 1)
    expectProblem(t, await finish(service, login), { ...away, retryAfter: [7, 7] })
    double.requests.length = 0
    expectProblem(t, await finish(service, login), { ...away, retryAfter: [1, 7] })
    const fields = { provider, client_redirect_url: redirectUrl }
    expectProblem(t, await post(service, '/api/v1/oauth/authorize-url/', fields), {
      ...away,
      retryAfter: [1, 7],
    })
    t.strictSame(double.requests, [], 'nothing is sent meanwhile')
    const { providers } = (await get(service, '/api/v1/oauth/providers/')).json
    t.match([providers].flat(), [{ name: String }])
    service.managed.providers.get(provider)?.guard.reset()
    t.equal((await finish(service, login)).status, 200, 'the same login')
  })
}
