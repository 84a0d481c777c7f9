import type { Deadlines } from '../config.ts'
import type { Credentials } from '../http/basic-auth.ts'
import { Problem } from '../http/problem.ts'
import type { Counted, RateLimits } from '../http/rate-limit.ts'
import type { AuthorizationGrant } from '../providers/provider.ts'
import { ProviderFailure } from '../providers/provider.ts'
import type { ProviderRegistry, RegisteredProvider } from '../providers/registry.ts'
import type { OpenedSession, OpenSession, SessionOfLogin } from '../sessions/session.ts'
import { authenticate } from '../sites/authenticate.ts'
import type { Site, Sites } from '../sites/site.ts'
import type { TokenPair } from '../tokens/token-pair.ts'
import type { Claims, TakenLogin } from './claims.ts'
import type { Answer, Login } from './login.ts'
import type { Claim, LoginStore } from './login-store.ts'
import { admit, checkVerifier, sameDigest } from './prove-caller.ts'
import { refusalOf } from './provider-refusal.ts'
import { digest, isState, loginHash } from './state.ts'
import type { Trail } from './trail.ts'

/** What the site's backend posts. */
export interface FinishRequest {
  readonly provider: string
  readonly state: string
  /** Absent where the provider sent an error in its place. */
  readonly code?: string
  readonly codeVerifier?: string
  readonly credentials?: Credentials
  /** The caller's network address, for the limits. */
  readonly address: string
}

/** What finish stands on. */
export interface FinishServices {
  readonly logins: Pick<LoginStore, 'find'>
  readonly claims: Claims
  readonly sites: Sites
  readonly providers: ProviderRegistry
  readonly limits: RateLimits
  readonly callbackUrl: (provider: string) => string
  /** One statement, repeated after a failed write until `signal` fires; the login's hash keeps it single. */
  readonly openSession: (session: OpenSession, signal: AbortSignal) => Promise<OpenedSession>
  readonly sessionOfLogin: (loginHash: Buffer) => Promise<SessionOfLogin | undefined>
  readonly issueTokens: (session: SessionOfLogin) => TokenPair
  readonly deadlines: Pick<Deadlines, 'finish' | 'databaseAcquire' | 'databaseStatement'>
}

/** Milliseconds: for so long a proved caller may ask for a lost answer. */
const repeatWithin = 60_000

/** Milliseconds: the client of PostgreSQL gives a statement up so long after the server should have. */
const statementSlack = 500

/**
 * Trades a login for the tokens of one session. No failed check uses the login up: it is claimed only when
 * everything that the caller brings is right, and given back only where the provider cannot have used the code.
 * @param signal the request's deadline, which a client's disconnect does not bring forward
 * @throws {Problem} as design section 3 lists them
 * @throws {StoreUnavailable} the login is as it was, or soon will be again
 */
export async function finish(
  request: FinishRequest,
  services: FinishServices,
  signal: AbortSignal,
  trail: Trail,
): Promise<TokenPair> {
  const checked = await check(request, services, trail).catch(async (error: unknown) => {
    await countFailure(error, request.address, services.limits)
    throw error
  })
  await admitFinish(checked, services.limits)

  const taken = await services.claims.take(request.state)
  if (taken === undefined) throw new Problem('unknown-login')
  if (!taken.won) return await repeat(request.state, checked.proved, taken, services)
  trail.mark('claimed')

  try {
    const tokens = await trade(request.state, checked, services, signal, trail)
    if (tokens !== undefined) return tokens
  } catch (error) {
    if (error instanceof ProviderFailure)
      return await afterFailure(error, request.state, checked, taken, services)
    // A write whose COMMIT got no answer may have opened the session, or may still.
    if (error instanceof Problem && error.type !== 'login-incomplete') await taken.fail()
    throw error
  }
  return await repeat(request.state, checked.proved, taken, services)
}

/** What a login and its caller bring, found right. */
interface Checked {
  readonly login: Login
  readonly site: Site
  readonly answer: CodeAnswer
  readonly code: string
  readonly provider: RegisteredProvider
  /** By the site's secret or the verifier. */
  readonly proved: boolean
}

type CodeAnswer = Extract<Answer, { readonly kind: 'code' }>

/** Everything that can be wrong with what the caller brings, before anything is used up. */
async function check(request: FinishRequest, services: FinishServices, trail: Trail): Promise<Checked> {
  const { login, answer } = await findLogin(request, services, trail)
  const provider = services.providers.get(login.provider)
  const site = await services.sites.byId(login.siteId)
  if (site === undefined) throw new Problem('site-disabled')
  if (provider === undefined)
    throw new Problem('provider-not-allowed', { values: { provider: login.provider } })
  const caller = await authenticate(request.credentials, request.address, services)
  admit(site, login.provider, caller)
  if (request.provider !== login.provider) throw new Problem('provider-mismatch')
  const bound = checkVerifier(login, request.codeVerifier)
  const proved = bound || caller !== undefined
  return { login, site, provider, proved, ...checkCode(request.code, answer, login.provider) }
}

async function findLogin(
  { state }: FinishRequest,
  { logins }: FinishServices,
  trail: Trail,
): Promise<{ login: Login; answer: Answer }> {
  const found = isState(state) ? await logins.find(state) : undefined
  if (found === undefined) throw new Problem('unknown-login')
  const { login, answer, claimed } = found
  trail.follows(state, login)
  const by = answer?.kind === 'code' ? answer.finishBy : login.answerBy
  // A repeat is told what became of the first finish, however late that one was.
  if (!claimed && Date.now() > by) throw new Problem('login-expired')
  if (answer === undefined) throw new Problem('login-unanswered')
  return { login, answer }
}

/** A finish counts against whoever started the login: its site where that authenticated then, else the network. */
function startedBy({ startedFrom }: Login): Counted {
  return startedFrom === undefined ? { by: 'site' } : { by: 'address', address: startedFrom }
}

/** Neither bucket ever refuses a finish that passes its checks: nobody can lock a site out with junk. */
async function countFailure(error: unknown, address: string, limits: RateLimits): Promise<void> {
  if (!(error instanceof Problem) || error.status !== 400) return
  await (error.type === 'unknown-login' ? limits.unknownState(address) : limits.failedFinish(address))
}

/** Two counters, one trip: whoever started the login, and the network whose browser brought the code. */
async function admitFinish({ login, site, answer: { from } }: Checked, limits: RateLimits) {
  await Promise.all([
    limits.admit('finish', site, startedBy(login)),
    from === undefined ? undefined : limits.admitCode(from),
  ])
}

/** The code must be the one that came back at the callback: no other may be injected (RFC 9700 §4.5). */
function checkCode(
  code: string | undefined,
  answer: Answer,
  provider: string,
): { code: string; answer: CodeAnswer } {
  if (answer.kind === 'error') {
    if (answer.error === 'access_denied') throw new Problem('access-denied', { values: { provider } })
    throw new Problem('provider-declined', { error: answer.error, values: { provider, error: answer.error } })
  }
  if (code === undefined) throw new Problem('missing-parameter', { values: { parameter: 'code' } })
  if (!sameDigest(digest(code), answer.codeDigest))
    throw new Problem('code-mismatch', { values: { came: 'other-code' } })
  return { code, answer }
}

/**
 * Code → profile → person and session → tokens.
 * @returns undefined where the login has opened its session before: a Redis that lost the claim in a failover let this
 *   finish in, and the session's own row is the second barrier
 * @throws {ProviderFailure} the code may be unspent
 */
async function trade(
  state: string,
  { login, answer, code, provider: { adapter, guard } }: Checked,
  services: FinishServices,
  signal: AbortSignal,
  trail: Trail,
): Promise<TokenPair | undefined> {
  const grant: AuthorizationGrant = {
    code,
    kept: answer.kept,
    redirectUri: services.callbackUrl(login.provider),
    nonce: login.nonce,
    onExchanged: () => trail.mark('exchanged'),
    ...(login.codeVerifier !== undefined && { codeVerifier: login.codeVerifier }),
  }
  const profile = await guard.execute(() => adapter.identify(grant, signal))
  trail.mark('profile')
  const session = await services.openSession(
    { profile, provider: login.provider, siteId: login.siteId, loginHash: loginHash(state) },
    signal,
  )
  if (session.kind === 'site-gone') throw new Problem('site-disabled')
  if (session.kind === 'disabled') throw new Problem('user-disabled')
  if (session.kind === 'exists') return undefined
  trail.mark('session')
  return services.issueTokens(session)
}

/** Gives the login back where the code is unspent; a used code may be this login's own, its answer lost. */
async function afterFailure(
  failure: ProviderFailure,
  state: string,
  { login, answer, proved }: Checked,
  taken: TakenLogin & { readonly won: true },
  services: FinishServices,
): Promise<TokenPair> {
  if (failure.kind === 'invalid_grant' && proved) {
    const session = await services.sessionOfLogin(loginHash(state))
    if (session !== undefined && repeatable(session)) return services.issueTokens(session)
  }
  if (failure.codeRefused && answer.from !== undefined) await services.limits.codeRejected(answer.from)
  await (failure.codeUnspent ? taken.giveBack() : taken.fail())
  throw refusalOf(failure, login.provider)
}

/**
 * A login that is finished already, or at this moment: whoever proved to be its caller gets a lost answer again. While
 * nobody knows how the first finish ends, nobody is told that it has ended.
 */
async function repeat(
  state: string,
  proved: boolean,
  claim: Claim,
  services: FinishServices,
): Promise<TokenPair> {
  const session = await services.sessionOfLogin(loginHash(state))
  if (session !== undefined) {
    if (proved && repeatable(session)) return services.issueTokens(session)
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

function repeatable(session: SessionOfLogin): boolean {
  return session.living && session.generation === 0 && session.ageSeconds * 1000 <= repeatWithin
}
