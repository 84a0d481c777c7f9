import type { CommonSwitches, ConsentOptions, DoublePerson, RedirectUris, SpoiledCallback } from './double.ts'
import { people } from './people.ts'
import type { AuthorizationFlaw, Context, Rules } from './rules.ts'

/** An authorization request that client and redirect URI entitle to an answer. */
export interface Authorization {
  readonly request: URLSearchParams
  readonly redirectUri: string
  readonly scopes: readonly string[]
  /** To be told to the client at once, without a page. */
  readonly error?: { readonly error: string; readonly description?: string }
}

/** Where the browser would see an error page at the provider, and nobody is redirected (RFC 6749 §4.1.2.1). */
export class AuthorizationRefused extends Error {
  override readonly name = 'AuthorizationRefused'
  readonly status: number

  constructor(page: string, status: number) {
    super(page)
    this.status = status
  }
}

/**
 * Checks an authorization request: client and redirect URI before anything else, since neither may be trusted
 * with a redirect until both are known (RFC 6749 §3.1.2.4).
 * @throws {AuthorizationRefused}
 */
export function authorize<S extends CommonSwitches>(
  request: URLSearchParams,
  rules: Rules<S>,
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

/** Mints a code and gives the address to which "Allow" leads. */
export function allow<S extends CommonSwitches>(
  authorization: Authorization,
  options: ConsentOptions,
  rules: Rules<S>,
  context: Context<S>,
): string {
  const person: DoublePerson = { ...people.anna, ...options.person, ...context.switches.person }
  const { request, scopes } = authorization
  const grant = context.grants.add({ code: options.code ?? rules.mintCode(), request, scopes, person })
  const replaced = new Set(options.extra?.map(([name]) => name))
  const usual = withState(rules.callback(grant, context), request)
  const parameters = [...usual.filter(([name]) => !replaced.has(name)), ...(options.extra ?? [])]
  return appendQuery(authorization.redirectUri, spoil(parameters, context.switches))
}

/** The address to which "Deny", or an error for the client, leads. */
export function deny<S extends CommonSwitches>(
  authorization: Authorization,
  error: string,
  description: string | undefined,
  rules: Rules<S>,
): string {
  return appendQuery(
    authorization.redirectUri,
    withState(rules.refusal(error, description), authorization.request),
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

/** Keeps a query that the registered address has (RFC 6749 §3.1.2). */
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
