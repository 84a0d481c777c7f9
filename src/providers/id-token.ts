import { createHash } from 'node:crypto'
import type { JWTPayload } from 'jose'
import { createRemoteJWKSet, customFetch, errors, jwtVerify } from 'jose'
import type { OAuthClient, Tokens } from './oauth-client.ts'
import { ProviderFailure } from './provider.ts'

/** What an ID token is checked against. */
export interface IdTokenOptions {
  readonly provider: string
  readonly issuer: string
  readonly clientId: string
  readonly jwksUrl: string
  /** The keys come through it, so that proxy, size cap, deadlines and metrics hold for them too. */
  readonly client: OAuthClient
}

/** Checks the ID token that came with an access token, in full, and gives its claims. */
export type IdTokenVerifier = (tokens: Tokens, nonce: string, signal: AbortSignal) => Promise<IdTokenClaims>

/** The claims of a verified ID token. */
export interface IdTokenClaims extends JWTPayload {
  readonly sub: string
}

/** OpenID Connect Discovery §3: every provider must offer RS256; a token cannot choose another. */
const algorithms = ['RS256']

/** Seconds: how far two clocks may differ, and how old a token fresh from the token endpoint may be. */
const leeway = 60
const oldest = 600

/** Milliseconds: how long keys are kept, and how soon an unknown `kid` may ask for them again. */
const keysLive = 3_600_000
const keysRest = 5_000

/** Milliseconds. Ours end sooner; jose's own limit is never to be the one that strikes. */
const never = 60_000

/**
 * A verifier of one provider's ID tokens (OpenID Connect Core §3.1.3.7). Throws only ProviderFailure: what is
 * wrong with a token is `invalid_response`; keys that cannot be fetched are `unavailable` or `timeout`.
 */
export function createIdTokenVerifier(options: IdTokenOptions): IdTokenVerifier {
  const { provider, issuer, clientId } = options
  const keys = createKeys(options)
  const refuse = (what: string, cause?: unknown) =>
    new ProviderFailure('invalid_response', `${provider} ID token: ${what}`, { cause })

  return async ({ accessToken, answer: { id_token: idToken } }, nonce, signal) => {
    if (typeof idToken !== 'string') throw refuse('missing')
    const { payload } = await jwtVerify(
      idToken,
      (header, token) => orAborted(keys(header, token), signal, provider),
      {
        algorithms,
        issuer,
        audience: clientId,
        requiredClaims: ['sub', 'exp'],
        maxTokenAge: oldest,
        clockTolerance: leeway,
      },
    ).catch((error: unknown) => {
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
}

/** One fetch of the keys serves every login that waits for them, so none of their deadlines may end it. */
function createKeys({ jwksUrl, client }: IdTokenOptions) {
  return createRemoteJWKSet(new URL(jwksUrl), {
    cacheMaxAge: keysLive,
    cooldownDuration: keysRest,
    timeoutDuration: never,
    [customFetch]: async (url: string, { signal }: { signal: AbortSignal }) =>
      Response.json(await client.get('jwks', new URL(url), signal)),
  })
}

/** OpenID Connect Core §3.1.3.6: the left half of the hash that the signature's algorithm uses, here SHA-256. */
function accessTokenHash(accessToken: string): string {
  return createHash('sha256').update(accessToken).digest().subarray(0, 16).toString('base64url')
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal, provider: string): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const abort = () =>
    reject(new ProviderFailure('timeout', `${provider} jwks: the time for the whole request is over`))
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  return promise
}
