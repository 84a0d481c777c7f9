import type { Endpoint, HttpClient, HttpResponse } from './http-client.ts'
import type { AuthorizationGrant, AuthorizationRequest } from './provider.ts'
import { ProviderFailure } from './provider.ts'
import type { ErrorKinds, JsonObject } from './response.ts'
import {
  describeErrorResponse,
  errorResponseKind,
  formEncode,
  isErrorResponse,
  parseJsonObject,
  retryAfterOf,
} from './response.ts'
import type { ProviderSettings } from './settings.ts'

/** A successful token response (RFC 6749 §5.1). It never leaves its adapter. */
export interface TokenResponse {
  /** Printable ASCII, so that it can be put into a header. */
  readonly accessToken: string
  /** The whole response, for further members that a plugin needs (`id_token`). */
  readonly json: JsonObject
}

/** A userinfo request. Each provider expects the access token in another place. */
export interface ProfileRequest {
  readonly accessToken: string
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
}

/** The OAuth 2.0 client (RFC 6749, RFC 7636) that every plugin is built on. It throws only ProviderFailure. */
export interface OAuthClient {
  /**
   * The authorization URL (RFC 6749 §4.1.1). It keeps the query of the configured URL.
   * @param extra the provider's own parameters; undefined ones are left out
   */
  authorizeUrl(request: AuthorizationRequest, extra?: Readonly<Record<string, string | undefined>>): URL
  /** Exchanges the code for tokens (RFC 6749 §4.1.3). Sent only once: a second request could find the code used. */
  exchange(grant: AuthorizationGrant, signal: AbortSignal): Promise<TokenResponse>
  /** Requests the profile. After a failed connection or a 5xx it is requested once more, within the deadline. */
  profile(request: ProfileRequest, signal: AbortSignal): Promise<JsonObject>
  /** Requests another JSON object by GET, with the same limits and the same second attempt. */
  get(endpoint: Endpoint, url: URL, signal: AbortSignal): Promise<JsonObject>
}

/** What an OAuth client is made from. */
export interface OAuthClientOptions {
  readonly provider: string
  readonly settings: ProviderSettings
  readonly http: HttpClient
  /** Values of `error` that the token endpoint sends beyond those of RFC 6749 §5.2. */
  readonly tokenErrors?: ErrorKinds
}

/** An OAuth client for one provider. */
export function createOAuthClient({
  provider,
  settings,
  http,
  tokenErrors = {},
}: OAuthClientOptions): OAuthClient {
  const failureText = (endpoint: Endpoint, status: number, what: string) =>
    `${provider} ${endpoint}: HTTP ${status}${what === '' ? '' : `, ${what}`}`

  /** What all endpoints have in common: the statuses that mean "not now", and a JSON object as the body. */
  const read = (endpoint: Endpoint, { status, headers, body }: HttpResponse): JsonObject => {
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
    const json = parseJsonObject(body)
    if (json === undefined)
      throw new ProviderFailure('invalid_response', failureText(endpoint, status, 'no JSON object'), {
        codeRefused: endpoint === 'token' && status >= 400,
      })
    return json
  }

  const getOnce = async (
    endpoint: Endpoint,
    url: URL,
    signal: AbortSignal,
    request: Partial<ProfileRequest>,
    fresh: boolean,
  ): Promise<JsonObject> => {
    const { headers = {} } = request
    const response = await http.send({ endpoint, method: 'GET', url, headers, fresh }, signal)
    const json = read(endpoint, response)
    if (isErrorResponse(json) || response.status >= 400) {
      const words = describeErrorResponse(json, [request.accessToken, settings.clientSecret])
      throw new ProviderFailure('invalid_response', failureText(endpoint, response.status, words))
    }
    return json
  }

  const get = async (
    endpoint: Endpoint,
    url: URL,
    signal: AbortSignal,
    request: Partial<ProfileRequest> = {},
  ): Promise<JsonObject> => {
    try {
      return await getOnce(endpoint, url, signal, request, false)
    } catch (error) {
      const temporary =
        error instanceof ProviderFailure && (error.kind === 'unavailable' || error.kind === 'timeout')
      if (!temporary || signal.aborted) throw error
      // If one kept-alive connection was lost, the others most likely were, too: use a new one.
      return getOnce(endpoint, url, signal, request, true)
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

    async exchange(grant, signal) {
      const { headers, body } = tokenRequest(grant, settings)
      const url = new URL(settings.tokenUrl)
      const response = await http.send({ endpoint: 'token', method: 'POST', url, headers, body }, signal)
      const json = read('token', response)
      if (isErrorResponse(json) || response.status >= 400) {
        const basic = headers.authorization?.replace('Basic ', '')
        const words = describeErrorResponse(json, [
          grant.code,
          grant.codeVerifier,
          settings.clientSecret,
          basic,
        ])
        const kind = errorResponseKind(json, response.status, tokenErrors)
        throw new ProviderFailure(kind, failureText('token', response.status, words), {
          codeRefused: kind === 'invalid_grant' || kind === 'invalid_response',
        })
      }
      const flaw = tokenResponseFlaw(json)
      if (flaw !== undefined || typeof json.access_token !== 'string')
        throw new ProviderFailure('invalid_response', failureText('token', response.status, flaw ?? ''))
      grant.onExchanged?.()
      return { accessToken: json.access_token, json }
    },

    profile: (request, signal) =>
      get('userinfo', withQuery(settings.userinfoUrl, request.query ?? {}), signal, request),

    get,
  }
}

/** The request of RFC 6749 §4.1.3 with the client authentication of §2.3.1 and the verifier of RFC 7636 §4.5. */
function tokenRequest(grant: AuthorizationGrant, settings: ProviderSettings) {
  const { clientId, clientSecret, tokenAuth } = settings
  const form = new URLSearchParams({
    grant_type: 'authorization_code',
    code: grant.code,
    redirect_uri: grant.redirectUri,
  })
  if (grant.codeVerifier !== undefined) form.set('code_verifier', grant.codeVerifier)
  const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' }
  if (tokenAuth === 'basic') {
    // RFC 6749 §2.3.1: form-encoded before Base64.
    const credentials = `${formEncode(clientId)}:${formEncode(clientSecret)}`
    headers.authorization = `Basic ${Buffer.from(credentials).toString('base64')}`
  } else {
    form.set('client_id', clientId)
    form.set('client_secret', clientSecret)
  }
  return { headers, body: form.toString() }
}

/** Why a token response cannot be used (RFC 6749 §5.1; appendix A.12: a token is printable ASCII). */
function tokenResponseFlaw({ access_token: token, token_type: type }: JsonObject): string | undefined {
  if (typeof token !== 'string' || !/^[\x20-\x7e]{1,8192}$/.test(token)) return 'no usable access_token'
  // Mail leaves token_type out. A type other than Bearer would require a proof of possession, which is not supported.
  if (typeof type === 'string' && type !== '' && type.toLowerCase() !== 'bearer')
    return 'a token_type other than Bearer'
  return undefined
}

function withQuery(base: string, parameters: Readonly<Record<string, string | undefined>>): URL {
  const url = new URL(base)
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined) url.searchParams.set(name, value)
  return url
}
