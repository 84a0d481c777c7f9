import type { Endpoint, HttpAnswer, HttpClient } from './http-client.ts'
import type { JsonObject } from './json.ts'
import { parseJsonObject } from './json.ts'
import type { AuthorizationGrant, AuthorizationRequest } from './provider.ts'
import { ProviderFailure } from './provider.ts'
import type { Refusals } from './refusal.ts'
import { describeRefusal, formEncode, isRefusal, refusalKind, retryAfterOf } from './refusal.ts'
import type { ProviderSettings } from './settings.ts'

/** A successful answer of the token endpoint. It never leaves its adapter. */
export interface Tokens {
  /** Printable ASCII: it can stand in a header. */
  readonly accessToken: string
  /** Everything that came, for what a plugin needs besides (`id_token`). */
  readonly answer: JsonObject
}

/** How a profile is asked for: each provider wants its access token in another place. */
export interface ProfileRequest {
  readonly accessToken: string
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
}

/** The OAuth 2.0 client (RFC 6749, 7636) that every plugin is built on. Throws only ProviderFailure. */
export interface OAuthClient {
  /**
   * The authorization URL (RFC 6749 §4.1.1); the query of the configured address stays.
   * @param extra the provider's own parameters; an undefined one is left out
   */
  authorizeUrl(request: AuthorizationRequest, extra?: Readonly<Record<string, string | undefined>>): URL
  /** Code → tokens (RFC 6749 §4.1.3). Sent once and never again: a second request could find the code used. */
  exchange(grant: AuthorizationGrant, signal: AbortSignal): Promise<Tokens>
  /** The profile; asked for once more where the connection failed or a 5xx came, within the deadline. */
  profile(request: ProfileRequest, signal: AbortSignal): Promise<JsonObject>
  /** Another JSON object by GET, with the same limits and the same second attempt. */
  get(endpoint: Endpoint, url: URL, signal: AbortSignal): Promise<JsonObject>
}

/** What an OAuth client is made of. */
export interface OAuthClientOptions {
  readonly provider: string
  readonly settings: ProviderSettings
  readonly http: HttpClient
  /** The provider's own words at the token endpoint, beyond those of RFC 6749. */
  readonly refusals?: Refusals
}

/** An OAuth client for one provider. */
export function createOAuthClient({
  provider,
  settings,
  http,
  refusals = {},
}: OAuthClientOptions): OAuthClient {
  const failed = (endpoint: Endpoint, status: number, what: string) =>
    `${provider} ${endpoint}: HTTP ${status}${what === '' ? '' : `, ${what}`}`

  /** What is common to all answers: the statuses that say "not now", and JSON by its content. */
  const read = (endpoint: Endpoint, { status, headers, body }: HttpAnswer): JsonObject => {
    if (status === 429) {
      const retryAfter = retryAfterOf(headers['retry-after'])
      throw new ProviderFailure('rate_limited', failed(endpoint, status, ''), {
        codeUnspent: endpoint === 'token',
        ...(retryAfter !== undefined && { retryAfter }),
      })
    }
    if (status >= 500) throw new ProviderFailure('unavailable', failed(endpoint, status, ''))
    if (status >= 300 && status < 400)
      throw new ProviderFailure('invalid_response', failed(endpoint, status, 'a redirect is not followed'))
    const json = parseJsonObject(body)
    if (json === undefined)
      throw new ProviderFailure('invalid_response', failed(endpoint, status, 'no JSON object'), {
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
    const answer = await http.send({ endpoint, method: 'GET', url, headers, fresh }, signal)
    const json = read(endpoint, answer)
    if (isRefusal(json) || answer.status >= 400) {
      const words = describeRefusal(json, [request.accessToken, settings.clientSecret])
      throw new ProviderFailure('invalid_response', failed(endpoint, answer.status, words))
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
      const passing =
        error instanceof ProviderFailure && (error.kind === 'unavailable' || error.kind === 'timeout')
      if (!passing || signal.aborted) throw error
      // Whatever took one kept connection away has most likely taken the others, too.
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
      const answer = await http.send({ endpoint: 'token', method: 'POST', url, headers, body }, signal)
      const json = read('token', answer)
      if (isRefusal(json) || answer.status >= 400) {
        const basic = headers.authorization?.replace('Basic ', '')
        const words = describeRefusal(json, [grant.code, grant.codeVerifier, settings.clientSecret, basic])
        const kind = refusalKind(json, answer.status, refusals)
        throw new ProviderFailure(kind, failed('token', answer.status, words), {
          codeRefused: kind === 'invalid_grant' || kind === 'invalid_response',
        })
      }
      const problem = tokenProblem(json)
      if (problem !== undefined || typeof json.access_token !== 'string')
        throw new ProviderFailure('invalid_response', failed('token', answer.status, problem ?? ''))
      grant.onExchanged?.()
      return { accessToken: json.access_token, answer: json }
    },

    profile: (request, signal) =>
      get('userinfo', withQuery(settings.userinfoUrl, request.query ?? {}), signal, request),

    get,
  }
}

/** RFC 6749 §4.1.3 with the client authentication of §2.3.1 and the verifier of RFC 7636 §4.5. */
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

/** What keeps a token answer from being used (RFC 6749 §5.1; A.12: a token is printable ASCII). */
function tokenProblem({ access_token: token, token_type: type }: JsonObject): string | undefined {
  if (typeof token !== 'string' || !/^[\x20-\x7e]{1,8192}$/.test(token)) return 'no usable access_token'
  // One provider leaves token_type out; any other type than Bearer would need a proof that we cannot give.
  if (typeof type === 'string' && type !== '' && type.toLowerCase() !== 'bearer')
    return 'a token_type other than Bearer'
  return undefined
}

function withQuery(address: string, parameters: Readonly<Record<string, string | undefined>>): URL {
  const url = new URL(address)
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined) url.searchParams.set(name, value)
  return url
}
