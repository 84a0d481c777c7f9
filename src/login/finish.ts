import type { Deadlines } from '../deadlines.ts'
import type { Counted, RateLimits } from '../http/rate-limit.ts'
import type { LoginProgress } from '../login-history/progress.ts'
import { Problem } from '../problems/problem.ts'
import type { ProblemName } from '../problems/table.ts'
import type { AuthorizationGrant, ProviderFailureKind } from '../providers/provider.ts'
import { ProviderFailure } from '../providers/provider.ts'
import type { OpenedSession, OpenSession, SessionOfLogin } from '../sessions/session.ts'
import type { CheckedFinish, CheckServices, FinishRequest } from './check-request.ts'
import { checkFinish } from './check-request.ts'
import type { Login } from './login.ts'
import { loginHash } from './login.ts'
import type { Claim } from './login-store.ts'
import type { Claims, TakenLogin } from './outage-safe-claims.ts'

/** What finish needs besides the services of its checks. */
export interface FinishServices extends CheckServices {
  readonly claims: Claims
  readonly callbackUrl: (provider: string) => string
  /** One statement, repeated after a failed write until `signal` fires; the login's hash makes it take effect once. */
  readonly openSession: (session: OpenSession, signal: AbortSignal) => Promise<OpenedSession>
  readonly sessionOfLogin: (loginHash: Buffer) => Promise<SessionOfLogin | undefined>
  readonly deadlines: Pick<Deadlines, 'finish' | 'databaseAcquire' | 'databaseStatement'>
}

/** A login that is finished, from which the door signs its tokens. */
export interface FinishedLogin {
  readonly session: SessionOfLogin
  readonly checked: CheckedFinish
}

/** Milliseconds in which an authenticated caller may repeat a finish whose tokens did not reach it. */
const repeatWithin = 60_000

/** Milliseconds: the client of PostgreSQL gives a statement up so long after the server should have. */
const statementSlack = 500

/** The problems that a finish may be answered with, in the order of the OpenAPI document, besides those of every body. */
export const finishProblems = [
  'unknown-provider',
  'unknown-login',
  'login-expired',
  'login-unanswered',
  'login-completed',
  'login-in-progress',
  'login-lost',
  'login-incomplete',
  'site-disabled',
  'provider-not-allowed',
  'secret-required',
  'wrong-credentials',
  'secret-not-accepted',
  'site-mismatch',
  'provider-mismatch',
  'code-mismatch',
  'other-door',
  'verifier-missing',
  'verifier-unexpected',
  'verifier-mismatch',
  'access-denied',
  'provider-declined',
  'user-disabled',
  'code-rejected',
  'provider-unavailable',
  'provider-error',
  'provider-timeout',
  'provider-invalid-response',
  'provider-misconfigured',
] as const satisfies readonly ProblemName[]

/**
 * Exchanges a login for one session, whose tokens the caller signs. No failed check uses the login up: it is claimed only when
 * everything that the caller brings is right, and given back only where the provider cannot have used the code.
 * @param signal the request's deadline, which a client's disconnect does not bring forward
 * @throws {Problem} those of `finishProblems`, missing-parameter, rate-limited
 * @throws {StoreUnavailable} the login is as it was before, or soon will be again
 */
export async function finish(
  request: FinishRequest,
  services: FinishServices,
  signal: AbortSignal,
  progress: LoginProgress,
): Promise<FinishedLogin> {
  const checked = await checkFinish(request, services, progress).catch(async (error: unknown) => {
    await countFailure(error, request.ip, services.limits)
    throw error
  })
  await countFinish(checked, services.limits)

  const taken = await services.claims.take(request.state)
  if (taken === undefined) throw new Problem('unknown-login')
  if (!taken.won) return await repeat(request.state, checked, taken, services)
  progress.mark('claimed')

  try {
    const finished = await exchange(request.state, checked, services, signal, progress)
    if (finished !== undefined) return finished
  } catch (error) {
    if (error instanceof ProviderFailure)
      return await afterFailure(error, request.state, checked, taken, services)
    // After login-incomplete the session may exist or still come to exist: its COMMIT got no reply.
    if (error instanceof Problem && error.type !== 'login-incomplete') await taken.fail()
    throw error
  }
  return await repeat(request.state, checked, taken, services)
}

/** A finish counts against the site if the site authenticated at the start of the login, else against the network. */
function startedBy({ startedFrom }: Login): Counted {
  return startedFrom === undefined ? { by: 'site' } : { by: 'address', address: startedFrom }
}

/**
 * Counts a finish that failed its checks. Neither bucket ever rejects a finish that passes them, so that nobody can lock
 * a site out with junk.
 */
async function countFailure(error: unknown, ip: string, limits: RateLimits): Promise<void> {
  if (!(error instanceof Problem) || error.status !== 400) return
  await (error.type === 'unknown-login' ? limits.unknownState(ip) : limits.failedFinish(ip))
}

/** Counts against who started the login and against the network whose browser brought the code: two counters, one trip. */
async function countFinish({ login, site, response: { from } }: CheckedFinish, limits: RateLimits) {
  await Promise.all([
    limits.countRequest('finish', site, startedBy(login)),
    from === undefined ? undefined : limits.checkRejectedCodes(from),
  ])
}

/**
 * Code → profile → person and session.
 * @returns undefined where the login has opened its session before: a Redis that lost the claim in a failover let this
 *   finish pass, and the row of the session is the second barrier
 * @throws {ProviderFailure} the code may be unspent
 */
async function exchange(
  state: string,
  checked: CheckedFinish,
  services: FinishServices,
  signal: AbortSignal,
  progress: LoginProgress,
): Promise<FinishedLogin | undefined> {
  const { login, response, code, provider } = checked
  const { adapter, guard } = provider
  const grant: AuthorizationGrant = {
    code,
    state,
    callbackParameters: response.kept,
    redirectUri: services.callbackUrl(login.provider),
    nonce: login.nonce,
    onExchanged: () => progress.mark('exchanged'),
    ...(login.codeVerifier !== undefined && { codeVerifier: login.codeVerifier }),
  }
  const profile = await guard.execute(() => adapter.identify(grant, signal))
  progress.mark('profile')
  const session = await services.openSession(
    {
      profile,
      provider: login.provider,
      siteId: login.siteId,
      loginHash: loginHash(state),
      ...(login.openid !== undefined && { scope: login.openid.scope }),
    },
    signal,
  )
  if (session.kind === 'site-gone') throw new Problem('site-disabled')
  if (session.kind === 'disabled') throw new Problem('user-disabled')
  if (session.kind === 'exists') return undefined
  progress.mark('session')
  return { session, checked }
}

/**
 * Gives the login back where the code is unspent. A code that the provider calls used may have opened this very login's
 * session, in a finish whose response was lost: then the same session is returned again.
 * @throws {Problem} where the login failed
 */
async function afterFailure(
  failure: ProviderFailure,
  state: string,
  checked: CheckedFinish,
  taken: TakenLogin & { readonly won: true },
  services: FinishServices,
): Promise<FinishedLogin> {
  const { login, response } = checked
  if (failure.kind === 'invalid_grant' && checked.repeatable) {
    const session = await services.sessionOfLogin(loginHash(state))
    if (session !== undefined && isFresh(session)) return { session, checked }
  }
  if (failure.codeRefused && response.from !== undefined)
    await services.limits.countRejectedCode(response.from)
  await (failure.codeUnspent ? taken.giveBack() : taken.fail())
  throw providerProblem(failure, login.provider)
}

/**
 * Handles a finish of a login that another finish has claimed. An authenticated caller gets tokens of the same session
 * again, as the first response may have been lost. Until it is known how the first finish ended, no caller is told
 * that it has.
 */
async function repeat(
  state: string,
  checked: CheckedFinish,
  claim: Claim,
  services: FinishServices,
): Promise<FinishedLogin> {
  const session = await services.sessionOfLogin(loginHash(state))
  if (session !== undefined) {
    if (checked.repeatable && isFresh(session)) return { session, checked }
    throw new Problem('login-completed')
  }
  const age = claim.now.getTime() - claim.at.getTime()
  if (!claim.failed && age < longestFinish(services.deadlines))
    throw new Problem('login-in-progress', { retryAfter: 1 })
  throw new Problem('login-lost')
}

/**
 * Milliseconds from a claim to the last moment at which its finish can open a session: the last attempt to write one may
 * begin at the deadline, and then has the time of a connection and a statement.
 */
function longestFinish({ finish, databaseAcquire, databaseStatement }: FinishServices['deadlines']): number {
  return finish + databaseAcquire + databaseStatement + statementSlack
}

function isFresh(session: SessionOfLogin): boolean {
  return session.living && session.generation === 0 && session.ageSeconds * 1000 <= repeatWithin
}

/** What a caller is told of each failure once the code may be spent: "start again". */
const spent: Readonly<Record<ProviderFailureKind, ProblemName>> = {
  invalid_grant: 'code-rejected',
  timeout: 'provider-timeout',
  invalid_response: 'provider-invalid-response',
  misconfigured: 'provider-misconfigured',
  rate_limited: 'provider-error',
  unavailable: 'provider-error',
}

/** A provider's failure as a problem; where the code is unspent, the caller may repeat the same request. */
function providerProblem(failure: ProviderFailure, provider: string): Problem {
  if (failure.codeUnspent)
    return new Problem('provider-unavailable', {
      values: { provider },
      retryAfter: failure.retryAfter ?? 1,
      cause: failure,
    })
  return new Problem(spent[failure.kind], { values: { provider }, cause: failure })
}
