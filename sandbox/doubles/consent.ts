import type { LoginFault } from './login-fault.ts'
import type { DoublePerson } from './people.ts'
import { people } from './people.ts'
import type {
  AuthorizationFlaw,
  CommonSwitches,
  Context,
  ProviderRules,
  SpoiledCallback,
} from './provider-rules.ts'

/** The redirect URIs registered at the provider: compared exactly, or checked by a function. */
export type RedirectUris = readonly string[] | ((redirectUri: string) => boolean)

/** How a person consents. */
export interface ConsentOptions {
  readonly person?: Partial<DoublePerson>
  readonly code?: string
  readonly extra?: readonly (readonly [string, string])[]
  /** What goes wrong with this login. */
  readonly fault?: LoginFault
}

/** An authorization request whose client and redirect URI are valid, so that the browser may be redirected. */
export interface Authorization {
  readonly request: URLSearchParams
  readonly redirectUri: string
  readonly scopes: readonly string[]
  /** An error for the client: redirects at once, without a page. */
  readonly error?: { readonly error: string; readonly description?: string }
}

/** The provider shows an error page and does not redirect (RFC 6749 §4.1.2.1). */
export class AuthorizationRefused extends Error {
  override readonly name = 'AuthorizationRefused'
  readonly status: number

  constructor(page: string, status: number) {
    super(page)
    this.status = status
  }
}

/**
 * Checks an authorization request. Client and redirect URI come first: no redirect may happen before both are known to be
 * valid (RFC 6749 §3.1.2.4).
 * @throws {AuthorizationRefused}
 */
export function authorize<S extends CommonSwitches>(
  request: URLSearchParams,
  rules: ProviderRules<S>,
  context: Context<S>,
  redirectUris: RedirectUris,
): Authorization {
  if (request.get('client_id') !== context.client.id) refuse(rules.pages.client)
  const asked = request.get('redirect_uri')
  const redirectUri = asked ?? onlyOne(redirectUris)
  if (asked === null && !rules.redirectUriOptional) refuse(rules.pages.redirectUri)
  if (redirectUri === undefined || !isRegistered(redirectUri, redirectUris)) refuse(rules.pages.redirectUri)
  const flaw = rules.flaw(request, context)
  if (flaw !== undefined && 'page' in flaw) refuse(flaw)
  const asksFor = request.get('scope')?.split(' ').filter(Boolean)
  const authorization = { request, redirectUri, scopes: asksFor ?? rules.defaultScopes }
  return flaw === undefined ? authorization : { ...authorization, error: flaw }
}

/** Issues a code and returns the URL to which "Allow" redirects. */
export function allow<S extends CommonSwitches>(
  authorization: Authorization,
  options: ConsentOptions,
  rules: ProviderRules<S>,
  context: Context<S>,
): string {
  const { fault } = options
  const person: DoublePerson = {
    ...people.anna,
    ...options.person,
    ...context.switches.person,
    ...fault?.person,
  }
  const { request, scopes } = authorization
  const code = options.code ?? fault?.code ?? rules.mintCode()
  const grant = context.grants.add({ code, request, scopes, person, ...(fault && { fault }) })
  if (fault?.codeSpent === true) grant.used = true
  const replaced = new Set(options.extra?.map(([name]) => name))
  const usual = withState(rules.callback(grant, context), request)
  const parameters = [...usual.filter(([name]) => !replaced.has(name)), ...(options.extra ?? [])]
  return appendQuery(authorization.redirectUri, spoil(parameters, context.switches))
}

/** The URL to which "Deny", or an error for the client, redirects. */
export function deny<S extends CommonSwitches>(
  authorization: Authorization,
  error: string,
  description: string | undefined,
  rules: ProviderRules<S>,
): string {
  return appendQuery(
    authorization.redirectUri,
    withState(rules.errorParameters(error, description), authorization.request),
  )
}

type Parameters = readonly (readonly [string, string])[]

function withState(parameters: Parameters, request: URLSearchParams): Parameters {
  const state = request.get('state')
  return state === null ? parameters : [...parameters, ['state', state]]
}

function spoil(parameters: Parameters, { callback }: CommonSwitches): Parameters {
  if (callback === undefined) return parameters
  const without = (name: string) => parameters.filter((parameter) => parameter[0] !== name)
  const spoiled: Record<SpoiledCallback, Parameters> = {
    'no-state': without('state'),
    'changed-state': [...without('state'), ['state', 'another-state-than-the-one-that-was-sent-here']],
    'repeated-state': [...parameters, ...parameters.filter(([name]) => name === 'state')],
    'repeated-code': [...parameters, ['code', 'a-second-code']],
    'code-and-error': [...parameters, ['error', 'access_denied']],
    neither: without('code'),
  }
  return spoiled[callback]
}

/** Appends to the query that the redirect URI may already have (RFC 6749 §3.1.2). */
function appendQuery(redirectUri: string, parameters: Parameters): string {
  const query = parameters.map((pair) => pair.map(formEncode).join('=')).join('&')
  return redirectUri + (redirectUri.includes('?') ? '&' : '?') + query
}

/** application/x-www-form-urlencoded, which is what RFC 6749 §4.1.2 names. */
function formEncode(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}

function isRegistered(redirectUri: string, registered: RedirectUris): boolean {
  return typeof registered === 'function' ? registered(redirectUri) : registered.includes(redirectUri)
}

function onlyOne(registered: RedirectUris): string | undefined {
  return typeof registered === 'function' ? undefined : registered[0]
}

function refuse(flaw: AuthorizationFlaw): never {
  if ('page' in flaw) throw new AuthorizationRefused(flaw.page, flaw.status)
  throw new AuthorizationRefused(flaw.error, 400)
}
