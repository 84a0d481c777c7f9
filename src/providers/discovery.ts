import type { IdTokenAlgorithm } from './id-token.ts'
import { usableAlgorithms } from './id-token.ts'
import type { OAuthClient } from './oauth-client.ts'
import { ProviderFailure } from './provider.ts'
import type { JsonObject } from './response.ts'
import type { TokenAuth } from './settings.ts'
import { isProviderUrl } from './settings.ts'

/** What the metadata of an OpenID provider say (OpenID Connect Discovery §3), as far as a login needs it. */
export interface ProviderMetadata {
  readonly authorizeUrl: string
  readonly tokenUrl: string
  readonly jwksUrl: string
  /** Empty where it has none: then the ID token says everything. */
  readonly userinfoUrl: string
  readonly tokenAuth: TokenAuth
  /** What its ID tokens may be signed with. */
  readonly algorithms: readonly IdTokenAlgorithm[]
  /** Whether it sends `iss` with every authorization response (RFC 9207 §3). */
  readonly sendsIssuer: boolean
}

/**
 * Requests the metadata of an issuer.
 * @throws {ProviderFailure} also where they are those of another issuer, or name no address for a login
 */
export async function discover(
  client: OAuthClient,
  provider: string,
  issuer: string,
): Promise<ProviderMetadata> {
  const url = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  const json = await client.get('discovery', url, new AbortController().signal)
  return readMetadata(json, provider, issuer)
}

function readMetadata(json: JsonObject, provider: string, issuer: string): ProviderMetadata {
  const invalid = (what: string) => new ProviderFailure('invalid_response', `${provider} discovery: ${what}`)
  // OpenID Connect Discovery §4.3: otherwise one provider could speak for another.
  if (json.issuer !== issuer) throw invalid('another issuer than the one that is configured')
  const address = (name: string): string => {
    const value = json[name]
    // An address without TLS is as good as the issuer's own, which is on this machine then.
    if (typeof value !== 'string' || !isProviderUrl(value, issuer.startsWith('http:')))
      throw invalid(`no usable ${name}`)
    return value
  }
  const algorithms = usableAlgorithms(listOf(json.id_token_signing_alg_values_supported) ?? ['RS256'])
  if (algorithms.length === 0) throw invalid('ID tokens with no signature that can be verified')
  return {
    authorizeUrl: address('authorization_endpoint'),
    tokenUrl: address('token_endpoint'),
    jwksUrl: address('jwks_uri'),
    userinfoUrl: json.userinfo_endpoint === undefined ? '' : address('userinfo_endpoint'),
    tokenAuth: tokenAuthOf(listOf(json.token_endpoint_auth_methods_supported)),
    algorithms,
    sendsIssuer: json.authorization_response_iss_parameter_supported === true,
  }
}

/** The safest of the methods that both sides know; `client_secret_basic` is the one that a provider without a list has. */
function tokenAuthOf(methods: readonly unknown[] = ['client_secret_basic']): TokenAuth {
  if (methods.includes('client_secret_basic')) return 'basic'
  if (methods.includes('client_secret_post')) return 'body'
  return methods.includes('none') ? 'none' : 'basic'
}

function listOf(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined
}
