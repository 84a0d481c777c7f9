import { inspect } from 'node:util'
import type { Test } from 'tap'
import type { ProviderDouble } from '../../sandbox/doubles/double.ts'
import type { Fault } from '../../sandbox/doubles/faults.ts'
import { faults } from '../../sandbox/doubles/faults.ts'
import type { ProviderFailure, ProviderFailureKind } from '../../src/providers/provider.ts'
import type { ConformanceSubject } from './provider-conformance.ts'
import { consented, failureOf, identify, requestsAt, serve, shortTimeouts } from './provider-setup.ts'

/** Where each fault leads; at userinfo the kind is the same, but the code is spent. */
const expectations = {
  '500-json': 'unavailable',
  '502-html': 'unavailable',
  '503-html': 'unavailable',
  '200-html': 'invalid_response',
  '200-empty': 'invalid_response',
  'json-array': 'invalid_response',
  'json-null': 'invalid_response',
  'json-string': 'invalid_response',
  '429': 'rate_limited',
  'login-redirect': 'invalid_response',
  'truncated-json': 'invalid_response',
  'text-plain': 'success',
  'text-javascript': 'success',
  'huge-body': 'invalid_response',
  'gzip-bomb': 'invalid_response',
  'slow-headers': 'timeout',
  'slow-body': 'timeout',
  reset: 'unavailable',
  'reset-midway': 'unavailable',
  hang: 'timeout',
} as const satisfies Record<Fault, ProviderFailureKind | 'success'>

/** The faults that come with a status; the others are observed by their kind. */
const statuses: ReadonlyMap<Fault, number> = new Map([
  ['500-json', 500],
  ['502-html', 502],
  ['503-html', 503],
  ['200-html', 200],
  ['200-empty', 200],
  ['json-array', 200],
  ['json-null', 200],
  ['json-string', 200],
  ['429', 429],
  ['login-redirect', 302],
  ['truncated-json', 200],
])

/**
 * What becomes of a login when a provider's network or servers fail: the kind of the failure, whether the
 * code may be used again, and how many requests were made.
 */
export async function runTransportConformance(
  t: Test,
  subject: ConformanceSubject,
  double: ProviderDouble,
): Promise<void> {
  const { plugin, tokenIn } = subject
  const tokenRequests = () => requestsAt(double, 'TOKEN_URL')
  const userinfoRequests = () => requestsAt(double, 'USERINFO_URL')

  for (const fault of faults) {
    const expected = expectations[fault]
    const options = expected === 'timeout' ? { timeouts: shortTimeouts } : {}
    await t.test(`${fault} at the token endpoint`, async (t) => {
      const served = await serve(t, plugin, double, options)
      const grant = await consented(served, double)
      double.requests.length = 0
      double.fault('token', fault, 1)
      if (expected === 'success') {
        t.ok(await identify(served, grant))
        return
      }
      const started = performance.now()
      const failure = await failureOf(identify(served, grant))
      t.equal(failure.kind, expected)
      t.equal(failure.codeUnspent, fault === '429')
      t.equal(failure.retryAfter, fault === '429' ? 7 : undefined)
      t.equal(tokenRequests().length, 1, 'one request: not repeated')
      t.equal(userinfoRequests().length, 0)
      t.notOk(
        double.requests.some(({ path }) => path.endsWith('login-page')),
        'no redirect followed',
      )
      if (expected === 'timeout') t.ok(performance.now() - started < 3 * shortTimeouts.response)
      t.strictSame(
        served.observations
          .filter(({ endpoint }) => endpoint === 'token' || endpoint === 'userinfo')
          .map(({ endpoint, result }) => [endpoint, result]),
        [['token', statuses.get(fault) ?? expected]],
      )
      notIn(t, failure, [grant.code, grant.codeVerifier, served.settings.clientSecret])
    })

    if (tokenIn)
      await t.test(`${fault} at userinfo`, async (t) => {
        const served = await serve(t, plugin, double, options)
        const again = expected === 'unavailable' || expected === 'timeout'
        double.fault('userinfo', fault, again ? 2 : 1)
        if (expected === 'success') {
          t.ok(await identify(served, await consented(served, double)))
          return
        }
        const failure = await failureOf(identify(served, await consented(served, double)))
        t.equal(failure.kind, expected)
        t.equal(failure.codeUnspent, false)
        t.equal(tokenRequests().length, 1)
        t.equal(userinfoRequests().length, again ? 2 : 1)
        if (again)
          t.equal(userinfoRequests()[1]?.headers.connection, 'close', 'the second on a new connection')
        notIn(t, failure, [tokenIn(userinfoRequests()[0] ?? never()) ?? undefined])
        if (again) {
          double.fault('userinfo', fault, 1)
          t.ok(await identify(served, await consented(served, double)), 'the second attempt saves the login')
        }
      })
  }

  const unreachable = {
    'refused connection': 'http://127.0.0.1:1/token',
    'unknown host': 'https://provider.invalid/token',
    'TLS where there is none': `${double.origin.replace('http:', 'https:')}/token`,
  }
  for (const [title, tokenUrl] of Object.entries(unreachable))
    await t.test(`${title}: the code is unspent`, async (t) => {
      const served = await serve(t, plugin, double, { settings: { tokenUrl } })
      const grant = await consented(served, double)
      const failure = await failureOf(identify(served, grant))
      t.match(failure, { kind: 'unavailable', codeUnspent: true })
      if (tokenIn === undefined) return
      const userinfo = await serve(t, plugin, double, { settings: { userinfoUrl: tokenUrl } })
      t.match(await failureOf(identify(userinfo, grant)), { kind: 'unavailable', codeUnspent: false })
    })

  await t.test('the deadline of the whole request ends each step', async (t) => {
    const served = await serve(t, plugin, double)
    const grant = await consented(served, double)
    double.requests.length = 0
    const over = await failureOf(served.adapter.identify(grant, AbortSignal.abort()))
    t.match(over, { kind: 'timeout', codeUnspent: true })
    t.equal(double.requests.length, 0)
    double.fault('token', 'hang', 1)
    const early = await failureOf(served.adapter.identify(grant, AbortSignal.timeout(300)))
    t.match(early, { kind: 'timeout', codeUnspent: false })
    if (tokenIn === undefined) return
    double.fault('userinfo', 'hang', 2)
    const late = await failureOf(
      served.adapter.identify(await consented(served, double), AbortSignal.timeout(800)),
    )
    t.match(late, { kind: 'timeout', codeUnspent: false })
    t.equal(userinfoRequests().length, 1, 'no second attempt without time for it')
  })
}

function notIn(t: Test, failure: ProviderFailure, secrets: readonly (string | undefined)[]): void {
  const text = inspect(failure, { depth: 10 })
  for (const secret of secrets)
    if (secret !== undefined && secret !== '') t.notOk(text.includes(secret), 'no secret in the error')
}

function never(): never {
  throw new Error('The request did not arrive.')
}
