import { finishWithin, rememberExpired } from '../config.ts'
import type { Credentials } from '../http/basic-auth.ts'
import { Problem } from '../http/problem.ts'
import type { RateLimits } from '../http/rate-limit.ts'
import type { AuthorizationGrant, ProviderProfile } from '../providers/provider.ts'
import { ProviderFailure } from '../providers/provider.ts'
import type { ProviderRegistry, RegisteredProvider } from '../providers/registry.ts'
import type { OpenedSession, OpenSession, SessionOfLogin } from '../sessions/session.ts'
import { authenticate } from '../sites/authenticate.ts'
import type { Sites } from '../sites/site.ts'
import type { TokenPair } from '../tokens/token-pair.ts'
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
  readonly logins: LoginStore
  readonly sites: Sites
  readonly providers: ProviderRegistry
  readonly limits: RateLimits
  readonly callbackUrl: (provider: string) => string
  /** One statement, repeated after a failed write until `signal` fires; the login's hash keeps it single. */
  readonly openSession: (session: OpenSession, signal: AbortSignal) => Promise<OpenedSession>
  readonly sessionOfLogin: (loginHash: Buffer) => Promise<SessionOfLogin | undefined>
  readonly issueTokens: (session: SessionOfLogin) => TokenPair
}

/** Milliseconds: for so long a proved caller may ask for a lost answer, and a claim counts as being at work. */
const repeatWithin = 60_000
const claimWorks = 10_000

/**
 * Trades a login for the tokens of one session. No failed check uses the login up: it is claimed only when
 * everything that the caller brings is right, and given back only where the provider cannot have used the code.
 * @param signal the request's deadline, which a client's disconnect does not bring forward
 * @throws {Problem} as design section 3 lists them
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
  const { login, provider, proved } = checked
  const { siteId, startedFrom } = login
  await services.limits.admit('finish', siteId, startedFrom ?? '', startedFrom === undefined)

  const claim = await services.logins.claim(request.state)
  if (claim === undefined) throw new Problem('unknown-login')
  if (!claim.won) return await repeat(request.state, proved, claim, services)
  trail.mark('claimed')

  const grant: AuthorizationGrant = {
    code: checked.code,
    kept: checked.kept,
    redirectUri: services.callbackUrl(login.provider),
    nonce: login.nonce,
    onExchanged: () => trail.mark('exchanged'),
    ...(login.codeVerifier !== undefined && { codeVerifier: login.codeVerifier }),
  }
  const profile = await identify(grant, provider, signal)
  if (profile instanceof ProviderFailure) return await afterFailure(profile, request, login, proved, services)
  trail.mark('profile')
  const session = await services.openSession(
    { profile, provider: login.provider, siteId: login.siteId, loginHash: loginHash(request.state) },
    signal,
  )
  if (session.kind === 'site-gone') throw new Problem('site-disabled')
  if (session.kind === 'disabled') throw new Problem('user-disabled')
  // A Redis that lost the claim in a failover: the session's own row is the second barrier.
  if (session.kind === 'exists') return await repeat(request.state, proved, claim, services)
  trail.mark('session')
  return services.issueTokens(session)
}

/** Everything that can be wrong with what the caller brings, before anything is used up. */
async function check(request: FinishRequest, services: FinishServices, trail: Trail) {
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
  const { code, kept } = checkCode(request.code, answer, login.provider)
  return { login, provider, caller, code, kept, proved: bound || caller !== undefined }
}

async function findLogin(
  { state }: FinishRequest,
  { logins }: FinishServices,
  trail: Trail,
): Promise<{ login: Login; answer: Answer }> {
  const found = isState(state) ? await logins.find(state) : undefined
  if (found === undefined) throw new Problem('unknown-login')
  const { login, answer } = found
  trail.follows(state, login)
  const by = answer?.kind === 'code' ? answer.finishBy : login.answerBy
  if (Date.now() > by) throw new Problem('login-expired')
  if (answer === undefined) throw new Problem('login-unanswered')
  return { login, answer }
}

/** Neither bucket ever refuses a finish that passes its checks: nobody can lock a site out with junk. */
async function countFailure(error: unknown, address: string, limits: RateLimits): Promise<void> {
  if (!(error instanceof Problem) || error.status !== 400) return
  await (error.type === 'unknown-login' ? limits.unknownState(address) : limits.failedFinish(address))
}

/** The code must be the one that came back at the callback: no other may be injected (RFC 9700 §4.5). */
function checkCode(code: string | undefined, answer: Answer, provider: string) {
  if (answer.kind === 'error') {
    if (answer.error === 'access_denied') throw new Problem('access-denied', { values: { provider } })
    throw new Problem('provider-declined', { error: answer.error, values: { provider, error: answer.error } })
  }
  if (code === undefined) throw new Problem('missing-parameter', { values: { parameter: 'code' } })
  if (!sameDigest(digest(code), answer.codeDigest)) throw new Problem('code-mismatch')
  return { code, kept: answer.kept }
}

async function identify(
  grant: AuthorizationGrant,
  { adapter, guard }: RegisteredProvider,
  signal: AbortSignal,
): Promise<ProviderProfile | ProviderFailure> {
  try {
    return await guard.execute(() => adapter.identify(grant, signal))
  } catch (error) {
    if (error instanceof ProviderFailure) return error
    throw error
  }
}

/** Gives the login back where the code is unspent; a used code may be this login's own, its answer lost. */
async function afterFailure(
  failure: ProviderFailure,
  { state }: FinishRequest,
  login: Login,
  proved: boolean,
  services: FinishServices,
): Promise<TokenPair> {
  if (failure.codeUnspent) await services.logins.release(state, (finishWithin + rememberExpired) / 1000)
  if (failure.kind === 'invalid_grant' && proved) {
    const session = await services.sessionOfLogin(loginHash(state))
    if (session !== undefined && repeatable(session)) return services.issueTokens(session)
  }
  throw refusalOf(failure, login.provider)
}

/** A login that is finished already, or at this moment: whoever proved to be its caller gets a lost answer again. */
async function repeat(
  state: string,
  proved: boolean,
  claim: Claim,
  services: FinishServices,
): Promise<TokenPair> {
  if (!proved) throw new Problem('login-completed')
  const session = await services.sessionOfLogin(loginHash(state))
  if (session !== undefined) {
    if (repeatable(session)) return services.issueTokens(session)
    throw new Problem('login-completed')
  }
  if (claim.now.getTime() - claim.at.getTime() < claimWorks)
    throw new Problem('login-in-progress', { retryAfter: 1 })
  throw new Problem('login-lost')
}

function repeatable(session: SessionOfLogin): boolean {
  return session.living && session.generation === 0 && session.ageSeconds * 1000 <= repeatWithin
}
