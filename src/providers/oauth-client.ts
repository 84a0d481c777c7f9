import type { Endpoint, HttpClient, HttpRequest, HttpResponse } from './http-client.ts'
import type { AuthorizationGrant, AuthorizationRequest } from './provider.ts'
import { ProviderFailure } from './provider.ts'
import type { ErrorKinds, JsonObject } from './response.ts'
import {
  describeErrorResponse,
  errorResponseKind,
  formEncode,
  isErrorResponse,
  isJsonObject,
  parseJson,
  parseJsonObject,
  retryAfterOf,
} from './response.ts'
import type { ProviderSettings } from './settings.ts'

/** A successful token response (RFC 6749 §5.1). It never leaves its adapter. */
export interface TokenResponse {
  /** Printable ASCII, so that it can be put into a header. Empty only where `TokenRules.accessToken` lets it be missing. */
  readonly accessToken: string
  /** The whole response, for further members that a plugin needs (`id_token`). */
  readonly json: JsonObject
}

/** In what the token responses of one provider differ from RFC 6749 §5.1. */
export interface TokenRules {
  /** `optional`: the access token may be missing, because the ID token says everything. */
  readonly accessToken?: 'optional'
  /** Values of `token_type` that stand for Bearer, beside that one. */
  readonly tokenTypes?: readonly string[]
}

/** What a provider wants in a token request beside RFC 6749. All values are kept out of the log, as secrets are. */
export interface TokenRequestExtras {
  /** Fields of the form; each replaces one of the same name. */
  readonly fields?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
}

/** A userinfo request. Each provider expects the access token in another place. */
export interface ProfileRequest {
  readonly accessToken: string
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  /** Makes it a POST of this form. */
  readonly form?: Readonly<Record<string, string>>
}

/** The OAuth 2.0 client (RFC 6749, RFC 7636) that every plugin is built on. It throws only ProviderFailure. */
export interface OAuthClient {
  /**
   * The authorization URL (RFC 6749 §4.1.1). It keeps the query of the configured URL.
   * @param extra the provider's own parameters; undefined ones are left out
   */
  authorizeUrl(request: AuthorizationRequest, extra?: Readonly<Record<string, string | undefined>>): URL
  /** Exchanges the code for tokens (RFC 6749 §4.1.3). Sent only once: a second request could find the code used. */
  exchange(
    grant: AuthorizationGrant,
    signal: AbortSignal,
    extras?: TokenRequestExtras,
  ): Promise<TokenResponse>
  /** Requests the profile. After a failed connection or a 5xx it is requested once more, within the deadline. */
  profile(request: ProfileRequest, signal: AbortSignal): Promise<JsonObject>
  /** Requests a JSON list that belongs to the profile, such as one of emails, with the same limits and second attempt. */
  list(
    endpoint: Endpoint,
    url: URL,
    request: ProfileRequest,
    signal: AbortSignal,
  ): Promise<readonly unknown[]>
  /** Requests another JSON object by GET, with the same limits and the same second attempt. */
  get(endpoint: Endpoint, url: URL, signal: AbortSignal): Promise<JsonObject>
  /** The same client with other settings, such as the addresses that discovery told. */
  with(settings: Partial<ProviderSettings>): OAuthClient
}

/** What an OAuth client is made from. */
export interface OAuthClientOptions {
  readonly provider: string
  readonly settings: ProviderSettings
  readonly http: HttpClient
  /** What its error responses mean beyond RFC 6749 §5.2. */
  readonly tokenErrors?: ErrorKinds
  readonly tokenRules?: TokenRules
}

/** An OAuth client for one provider. */
export function createOAuthClient(options: OAuthClientOptions): OAuthClient {
  const { provider, settings, http, tokenErrors = {}, tokenRules = {} } = options
  const failureText = (endpoint: Endpoint, status: number, what: string) =>
    `${provider} ${endpoint}: HTTP ${status}${what === '' ? '' : `, ${what}`}`

  /** What all endpoints have in common: the statuses that mean "not now", and JSON as the body. */
  const read = <T>(
    endpoint: Endpoint,
    { status, headers, body }: HttpResponse,
    { parse, expected }: Body<T>,
  ): T => {
    if (status === 429) {
      const retryAfter = retryAfterOf(headers['retry-after'])
      throw new ProviderFailure('rate_limited', failureText(endpoint, status, ''), {
        codeUnspent: endpoint === 'token',
        ...(retryAfter !== undefined && { retryAfter }),
      })
    }
    if (status >= 500) throw new ProviderFailure('unavailable', failureText(endpoint, status, ''))
    if (status >= 300 && status < 400)
      throw new ProviderFailure(
        'invalid_response',
        failureText(endpoint, status, 'a redirect is not followed'),
      )
    const json = parse(body)
    if (json === undefined)
      throw new ProviderFailure('invalid_response', failureText(endpoint, status, expected), {
        codeRefused: endpoint === 'token' && status >= 400,
      })
    return json
  }

  const readOnce = async <T>(
    endpoint: Endpoint,
    url: URL,
    signal: AbortSignal,
    request: Partial<ProfileRequest>,
    expected: Body<T>,
    fresh: boolean,
  ): Promise<T> => {
    const { accessToken, headers = {}, form } = request
    const response = await http.send({ endpoint, url, fresh, ...formRequest(headers, form) }, signal)
    const refusal = (json: JsonObject) => {
      const secrets = [accessToken, settings.clientSecret, ...Object.values(form ?? {})]
      const words = describeErrorResponse(json, secrets)
      return new ProviderFailure('invalid_response', failureText(endpoint, response.status, words))
    }
    // An error response is an object, whatever was asked for.
    if (response.status >= 400) throw refusal(read(endpoint, response, object))
    const json = read(endpoint, response, expected)
    if (isJsonObject(json) && isErrorResponse(json)) throw refusal(json)
    return json
  }

  /** Reading changes nothing, so it may be repeated, also where it is a POST. */
  const readTwice = async <T>(
    endpoint: Endpoint,
    url: URL,
    signal: AbortSignal,
    request: Partial<ProfileRequest>,
    expected: Body<T>,
  ): Promise<T> => {
    try {
      return await readOnce(endpoint, url, signal, request, expected, false)
    } catch (error) {
      const temporary =
        error instanceof ProviderFailure && (error.kind === 'unavailable' || error.kind === 'timeout')
      if (!temporary || signal.aborted) throw error
      // If one kept-alive connection was lost, the others most likely were, too: use a new one.
      return readOnce(endpoint, url, signal, request, expected, true)
    }
  }

  return {
    authorizeUrl({ state, redirectUri, codeChallenge }, extra = {}) {
      return withQuery(settings.authorizeUrl, {
        response_type: 'code',
        client_id: settings.clientId,
        redirect_uri: redirectUri,
        scope: settings.scope === '' ? undefined : settings.scope,
        state,
        code_challenge: codeChallenge,
        code_challenge_method: codeChallenge === undefined ? undefined : 'S256',
        ...extra,
      })
    },

    async exchange(grant, signal, extras = {}) {
      const { headers, body } = tokenRequest(grant, settings, extras)
      const url = new URL(settings.tokenUrl)
      const response = await http.send({ endpoint: 'token', method: 'POST', url, headers, body }, signal)
      const json = read('token', response, object)
      if (isErrorResponse(json) || response.status >= 400) {
        const words = describeErrorResponse(json, [
          grant.code,
          grant.codeVerifier,
          settings.clientSecret,
          headers.authorization?.replace('Basic ', ''),
          ...Object.values({ ...extras.fields, ...extras.headers }),
        ])
        const kind = errorResponseKind(json, response.status, tokenErrors)
        throw new ProviderFailure(kind, failureText('token', response.status, words), {
          codeRefused: kind === 'invalid_grant' || kind === 'invalid_response',
          codeUnspent: kind === 'rate_limited',
        })
      }
      const flaw = tokenResponseFlaw(json, tokenRules)
      if (flaw !== undefined)
        throw new ProviderFailure('invalid_response', failureText('token', response.status, flaw))
      grant.onExchanged?.()
      return { accessToken: typeof json.access_token === 'string' ? json.access_token : '', json }
    },

    profile: (request, signal) =>
      readTwice('userinfo', withQuery(settings.userinfoUrl, request.query ?? {}), signal, request, object),

    list: (endpoint, url, request, signal) => readTwice(endpoint, url, signal, request, list),

    get: (endpoint, url, signal) => readTwice(endpoint, url, signal, {}, object),

    with: (changes) => createOAuthClient({ ...options, settings: { ...settings, ...changes } }),
  }
}

/** What a response must be, and how the log calls one that is not. */
interface Body<T> {
  readonly parse: (bytes: Uint8Array) => T | undefined
  readonly expected: string
}

const object: Body<JsonObject> = { parse: parseJsonObject, expected: 'no JSON object' }
const list: Body<readonly unknown[]> = {
  parse: (bytes) => {
    const value = parseJson(bytes)
    return Array.isArray(value) ? value : undefined
  },
  expected: 'no JSON list',
}

/** A GET, or the POST of a form. */
function formRequest(
  headers: Readonly<Record<string, string>>,
  form: Readonly<Record<string, string>> | undefined,
): Pick<HttpRequest, 'method' | 'headers' | 'body'> {
  if (form === undefined) return { method: 'GET', headers }
  return { method: 'POST', headers: { ...formType, ...headers }, body: new URLSearchParams(form).toString() }
}

const formType = { 'content-type': 'application/x-www-form-urlencoded' }

/**
 * The request of RFC 6749 §4.1.3 with the client authentication of §2.3.1, the verifier of RFC 7636 §4.5, and what the provider
 * wants beside them.
 */
function tokenRequest(
  grant: AuthorizationGrant,
  { clientId, clientSecret, tokenAuth }: ProviderSettings,
  extras: TokenRequestExtras,
) {
  const form = new URLSearchParams({
    grant_type: 'authorization_code',
    code: grant.code,
    redirect_uri: grant.redirectUri,
  })
  if (grant.codeVerifier !== undefined) form.set('code_verifier', grant.codeVerifier)
  const headers: Record<string, string> = { ...formType }
  if (tokenAuth === 'body' || tokenAuth === 'none') {
    form.set('client_id', clientId)
    if (tokenAuth === 'body') form.set('client_secret', clientSecret)
  } else {
    // RFC 6749 §2.3.1: form-encoded before Base64.
    const credentials = `${formEncode(clientId)}:${formEncode(clientSecret)}`
    headers.authorization = `Basic ${Buffer.from(credentials).toString('base64')}`
  }
  for (const [name, value] of Object.entries(extras.fields ?? {})) form.set(name, value)
  return { headers: { ...headers, ...extras.headers }, body: form.toString() }
}

/** Why a token response cannot be used (RFC 6749 §5.1; appendix A.12: a token is printable ASCII). */
function tokenResponseFlaw(
  { access_token: token, token_type: type }: JsonObject,
  { accessToken, tokenTypes = [] }: TokenRules,
): string | undefined {
  const missing = accessToken === 'optional' && (token === undefined || token === null || token === '')
  if (!missing && (typeof token !== 'string' || !/^[\x20-\x7e]{1,8192}$/.test(token)))
    return 'no usable access_token'
  // Mail leaves token_type out. A type other than Bearer would require a proof of possession, which is not supported.
  if (typeof type === 'string' && type !== '' && !['bearer', ...tokenTypes].includes(type.toLowerCase()))
    return 'a token_type other than Bearer'
  return undefined
}

function withQuery(base: string, parameters: Readonly<Record<string, string | undefined>>): URL {
  const url = new URL(base)
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined) url.searchParams.set(name, value)
  return url
}
