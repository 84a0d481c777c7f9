import { timingSafeEqual } from 'node:crypto'
import type { Credentials } from '../http/credentials.ts'
import { unauthorized } from '../http/credentials.ts'
import type { RateLimits } from '../http/rate-limit.ts'
import type { LoginProgress } from '../login-history/progress.ts'
import { Problem } from '../problems/problem.ts'
import type { ProviderRegistry, RegisteredProvider } from '../providers/registry.ts'
import { authenticate, refuseNativeSecret } from '../sites/authenticate.ts'
import type { Sites } from '../sites/lookup.ts'
import type { Site } from '../sites/site.ts'
import type { AuthorizationResponse, Login } from './login.ts'
import { digest, isState, loginId } from './login.ts'
import type { LoginStore } from './login-store.ts'

/** What the site's backend posts to finish a login. */
export interface FinishRequest {
  readonly provider: string
  readonly state: string
  /** Absent where the provider sent an error in its place. */
  readonly code?: string
  readonly codeVerifier?: string
  readonly credentials?: Credentials
  /** The caller's IP address, for the limits. */
  readonly ip: string
  /** What a token request of a standard client has besides (RFC 6749 §4.1.3); its presence says which door it came to. */
  readonly openid?: { readonly clientId: string; readonly redirectUri: string }
}

/** What the checks of a finish need. */
export interface CheckServices {
  readonly logins: Pick<LoginStore, 'find'>
  readonly sites: Sites
  readonly providers: ProviderRegistry
  readonly limits: RateLimits
}

/** A finish whose checks have all passed. */
export interface CheckedFinish {
  readonly login: Login
  readonly site: Site
  readonly response: CodeResponse
  readonly code: string
  readonly provider: RegisteredProvider
  /**
   * Whether a repeated finish may get tokens of the same session again: the caller is known to be the one that started the
   * login, by the site's secret or by the verifier, and it came to the guide's door. A code of RFC 6749 is good once (§4.1.2).
   */
  readonly repeatable: boolean
}

type CodeResponse = Extract<AuthorizationResponse, { readonly kind: 'code' }>

/**
 * Checks everything that the caller of a finish brings, before anything is used up: the login, the site's access, the
 * provider, the credentials, the verifier and the code.
 * @throws {Problem} those of checkDoor, checkAccess, checkVerifier and authenticate; unknown-login, login-expired,
 *   login-unanswered, provider-mismatch, access-denied, provider-declined, missing-parameter, code-mismatch
 * @throws {StoreUnavailable}
 */
export async function checkFinish(
  request: FinishRequest,
  services: CheckServices,
  progress: LoginProgress,
): Promise<CheckedFinish> {
  const { login, response } = await findLogin(request, services, progress)
  checkDoor(login, request)
  const provider = services.providers.get(login.provider)
  const site = await services.sites.byId(login.siteId)
  if (site === undefined) throw new Problem('site-disabled')
  if (provider === undefined)
    throw new Problem('provider-not-allowed', { values: { provider: login.provider } })
  const caller = await authenticate(request.credentials, request.ip, services)
  progress.provenBy({ secret: caller !== undefined, challenge: request.codeVerifier !== undefined })
  checkAccess(site, login.provider, caller)
  if (request.openid !== undefined && request.openid.clientId !== site.id) throw new Problem('site-mismatch')
  if (request.provider !== login.provider) throw new Problem('provider-mismatch')
  const bound = checkVerifier(login, request.codeVerifier)
  const authenticated = bound || caller !== undefined
  if (request.openid !== undefined && !authenticated) throw unauthorized('secret-required')
  const repeatable = authenticated && request.openid === undefined
  return { login, site, provider, repeatable, ...checkCode(request.code, response, login.provider) }
}

/**
 * A login ends at the door where it began: what one door demands (PKCE or the secret, the redirect URI, a single use) could
 * otherwise be got round by the other.
 * @throws {Problem} other-door, redirect-url-mismatch
 */
function checkDoor({ openid, redirectUrl }: Login, request: FinishRequest): void {
  if ((openid === undefined) !== (request.openid === undefined)) throw new Problem('other-door')
  if (request.openid !== undefined && request.openid.redirectUri !== redirectUrl)
    throw new Problem('redirect-url-mismatch')
}

async function findLogin(
  { state }: FinishRequest,
  { logins }: CheckServices,
  progress: LoginProgress,
): Promise<{ login: Login; response: AuthorizationResponse }> {
  const found = isState(state) ? await logins.find(state) : undefined
  if (found === undefined) throw new Problem('unknown-login')
  const { login, response, claimed } = found
  progress.isAbout({ ...login, id: loginId(state) })
  const by = response?.kind === 'code' ? response.finishBy : login.answerBy
  // A claimed login does not expire here: a repeated finish is told how the first one ended, however late it comes.
  if (!claimed && Date.now() > by) throw new Problem('login-expired')
  if (response === undefined) throw new Problem('login-unanswered')
  return { login, response }
}

/**
 * Checks whether a site may use a provider now, and whether this caller may act for the site. Asked at the start and
 * again at the finish, so that a change between the two takes effect.
 * @param caller the site that authenticated; undefined where no credentials were sent
 * @throws {Problem} site-disabled, provider-not-allowed, secret-required, secret-not-accepted, site-mismatch
 */
export function checkAccess(site: Site, provider: string, caller: Site | undefined): void {
  if (site.disabled) throw new Problem('site-disabled')
  if (!site.providers.includes(provider)) throw new Problem('provider-not-allowed', { values: { provider } })
  refuseNativeSecret(caller)
  if (caller === undefined && site.requireSecret) throw unauthorized('secret-required')
  if (caller !== undefined && caller.id !== site.id) throw new Problem('site-mismatch')
}

/**
 * Checks a `code_verifier` against the challenge of the start (RFC 7636 §4.6). A verifier without a challenge is
 * rejected too: it would hide a downgrade (RFC 9700 §4.8.2).
 * @returns whether the login is bound by a challenge, whose verifier the caller has then shown
 * @throws {Problem} verifier-missing, verifier-unexpected, verifier-mismatch
 */
function checkVerifier(login: Login, verifier: string | undefined): boolean {
  if (login.codeChallenge === undefined) {
    if (verifier !== undefined) throw new Problem('verifier-unexpected')
    return false
  }
  if (verifier === undefined) throw new Problem('verifier-missing')
  if (!sameDigest(digest(verifier), login.codeChallenge)) throw new Problem('verifier-mismatch')
  return true
}

/** The code must be the one that came to the callback, so that no other can be injected (RFC 9700 §4.5). */
function checkCode(
  code: string | undefined,
  response: AuthorizationResponse,
  provider: string,
): { code: string; response: CodeResponse } {
  if (response.kind === 'error') {
    const { error } = response
    if (error === 'access_denied') throw new Problem('access-denied', { values: { provider } })
    throw new Problem('provider-declined', { error, values: { provider, error } })
  }
  if (code === undefined) throw new Problem('missing-parameter', { values: { parameter: 'code' } })
  if (!sameDigest(digest(code), response.codeDigest))
    throw new Problem('code-mismatch', { values: { came: 'other-code' } })
  return { code, response }
}

/** Compares two digests in constant time; a different length is a difference, not an error. */
function sameDigest(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
