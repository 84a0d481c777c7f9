import { createHash } from 'node:crypto'
import type { JWTPayload } from 'jose'
import { errors, jwtVerify } from 'jose'
import type { OAuthClient, Tokens } from './oauth-client.ts'
import { ProviderFailure } from './provider.ts'
import { createProviderKeys } from './provider-keys.ts'

/** What an ID token is checked against. */
export interface IdTokenOptions {
  readonly provider: string
  readonly issuer: string
  readonly clientId: string
  readonly jwksUrl: string
  /** The keys come through it, so that proxy, size cap, deadlines and metrics hold for them too. */
  readonly client: OAuthClient
}

/** Checks ID tokens. Throws only ProviderFailure. */
export interface IdTokenVerifier {
  /**
   * Waits until there are keys to check by. Asked before the code is traded: should they not come, the code is unspent
   * (the failure says so), and the login may be finished again.
   */
  ready(signal: AbortSignal): Promise<void>
  /** Checks the ID token that came with an access token, in full, and gives its claims. */
  verify(tokens: Tokens, nonce: string, signal: AbortSignal): Promise<IdTokenClaims>
  /** Fetches the keys ahead of time, so that no login waits for them. */
  refreshKeys(): Promise<void>
}

/** The claims of a verified ID token. */
export interface IdTokenClaims extends JWTPayload {
  readonly sub: string
}

/** OpenID Connect Discovery §3: every provider must offer RS256; a token cannot choose another. */
const algorithms = ['RS256']

/** Seconds: how far two clocks may differ, and how old a token fresh from the token endpoint may be. */
const leeway = 60
const oldest = 600

/**
 * A verifier of one provider's ID tokens (OpenID Connect Core §3.1.3.7). What is wrong with a token is
 * `invalid_response`; keys that cannot be fetched are mostly `unavailable` or `timeout`.
 */
export function createIdTokenVerifier(options: IdTokenOptions): IdTokenVerifier {
  const { provider, issuer, clientId, jwksUrl, client } = options
  const keys = createProviderKeys({
    provider,
    fetch: () => client.get('jwks', new URL(jwksUrl), new AbortController().signal),
  })
  const refuse = (what: string, cause?: unknown) =>
    new ProviderFailure('invalid_response', `${provider} ID token: ${what}`, { cause })

  const verify: IdTokenVerifier['verify'] = async (
    { accessToken, answer: { id_token: idToken } },
    nonce,
    signal,
  ) => {
    if (typeof idToken !== 'string') throw refuse('missing')
    const { payload } = await jwtVerify(idToken, (header, token) => keys.find(header, token, signal), {
      algorithms,
      issuer,
      audience: clientId,
      requiredClaims: ['sub', 'exp'],
      maxTokenAge: oldest,
      clockTolerance: leeway,
    }).catch((error: unknown) => {
      if (error instanceof ProviderFailure) throw error
      // jose's messages name the claim; its errors carry the payload, so they are not kept as the cause.
      throw refuse(error instanceof errors.JOSEError ? error.message : 'unreadable')
    })
    // jose has no options for these four.
    if (payload.nonce !== nonce) throw refuse('unexpected "nonce" claim value')
    const severalAudiences = Array.isArray(payload.aud) && payload.aud.length > 1
    if (payload.azp === undefined ? severalAudiences : payload.azp !== clientId)
      throw refuse('unexpected "azp" claim value')
    if (payload.at_hash !== undefined && payload.at_hash !== accessTokenHash(accessToken))
      throw refuse('unexpected "at_hash" claim value')
    const { sub } = payload
    if (typeof sub !== 'string' || sub === '') throw refuse('no usable "sub" claim')
    return { ...payload, sub }
  }
  return {
    verify,
    ready: (signal) => keys.ready(signal).catch(unspent),
    refreshKeys: () => keys.refresh(),
  }
}

/** The same failure, but before the code went anywhere. */
function unspent(error: unknown): never {
  if (!(error instanceof ProviderFailure)) throw error
  const { kind, message, retryAfter, cause } = error
  throw new ProviderFailure(kind, message, {
    codeUnspent: true,
    cause,
    ...(retryAfter !== undefined && { retryAfter }),
  })
}

/** OpenID Connect Core §3.1.3.6: the left half of the hash that the signature's algorithm uses, here SHA-256. */
function accessTokenHash(accessToken: string): string {
  return createHash('sha256').update(accessToken).digest().subarray(0, 16).toString('base64url')
}
