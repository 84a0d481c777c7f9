import { createHash } from 'node:crypto'
import type { CompactJWSHeaderParameters, FlattenedJWSInput, JSONWebKeySet, LocalJWKSet } from 'jose'
import { createLocalJWKSet, errors, jwtVerify } from 'jose'
import type { OAuthClient, TokenResponse } from './oauth-client.ts'
import { ProviderFailure } from './provider.ts'
import type { JsonObject } from './response.ts'
import { isJsonObject, parseJsonObject } from './response.ts'

/** What an ID token is checked against. */
export interface IdTokenOptions {
  readonly provider: string
  readonly issuer: string
  readonly clientId: string
  readonly jwksUrl: string
  /** Those that the provider may sign with; RS256 where absent. A token cannot choose another one. */
  readonly algorithms?: readonly IdTokenAlgorithm[]
  /** `if-present`: a token without a nonce is accepted, one with another nonce is not. Required where absent. */
  readonly nonce?: 'required' | 'if-present'
  /** Also fetches the keys, so that proxy, size limit, deadlines and metrics apply to them, too. */
  readonly client: OAuthClient
}

/** Verifies ID tokens. It throws only ProviderFailure. */
export interface IdTokenVerifier {
  /**
   * Waits until the keys are there. Call it before the code is exchanged: if the keys cannot be fetched, the failure says
   * that the code is unspent, and the login may be finished again.
   */
  ready(signal: AbortSignal): Promise<void>
  /** Verifies the ID token of a token response in full, and returns its claims. */
  verify(tokens: TokenResponse, nonce: string, signal: AbortSignal): Promise<IdTokenClaims>
  /** Fetches the keys ahead of time, so that no login waits for them. */
  refreshKeys(): Promise<void>
}

/** The claims of a verified ID token. Of the others, the type of each must still be checked. */
export type IdTokenClaims = JsonObject & { readonly sub: string }

/** The signatures of ID tokens that can be verified, with the type of key and the hash that each uses. */
const known = {
  RS256: { kty: 'RSA', hash: 'sha256' },
  RS384: { kty: 'RSA', hash: 'sha384' },
  RS512: { kty: 'RSA', hash: 'sha512' },
  PS256: { kty: 'RSA', hash: 'sha256' },
  PS384: { kty: 'RSA', hash: 'sha384' },
  PS512: { kty: 'RSA', hash: 'sha512' },
  ES256: { kty: 'EC', hash: 'sha256' },
  ES384: { kty: 'EC', hash: 'sha384' },
  ES512: { kty: 'EC', hash: 'sha512' },
  EdDSA: { kty: 'OKP', hash: 'sha512' },
  Ed25519: { kty: 'OKP', hash: 'sha512' },
} as const

/** An algorithm of RFC 7518 or RFC 8037, by its name. */
export type IdTokenAlgorithm = keyof typeof known

/** Those of the names that can be verified. */
export function usableAlgorithms(names: readonly unknown[]): IdTokenAlgorithm[] {
  return names.filter(isAlgorithm)
}

function isAlgorithm(name: unknown): name is IdTokenAlgorithm {
  return typeof name === 'string' && Object.hasOwn(known, name)
}

/** Seconds by which two clocks may differ. */
const leeway = 60

/** Seconds since a token was issued: it comes directly from the token endpoint. */
const maxAge = 600

/**
 * A verifier of one provider's ID tokens (OpenID Connect Core §3.1.3.7). An invalid token is `invalid_response`; keys that
 * cannot be fetched are mostly `unavailable` or `timeout`.
 */
export function createIdTokenVerifier(options: IdTokenOptions): IdTokenVerifier {
  const { provider, issuer, clientId, jwksUrl, client } = options
  // OpenID Connect Discovery §3: every provider must support RS256.
  const { algorithms = ['RS256'], nonce: nonceRule = 'required' } = options
  const keys = createProviderKeys({
    provider,
    types: algorithms.map((name) => known[name].kty),
    fetch: () => client.get('jwks', new URL(jwksUrl), new AbortController().signal),
  })
  const invalid = (what: string) => new ProviderFailure('invalid_response', `${provider} ID token: ${what}`)

  const verify: IdTokenVerifier['verify'] = async (
    { accessToken, json: { id_token: idToken } },
    nonce,
    signal,
  ) => {
    if (typeof idToken !== 'string') throw invalid('missing')
    const { protectedHeader } = await jwtVerify(
      idToken,
      (header, token) => keys.find(header, token, signal),
      {
        algorithms: [...algorithms],
        issuer,
        requiredClaims: ['sub', 'exp', 'aud'],
        maxTokenAge: maxAge,
        clockTolerance: leeway,
      },
    ).catch((error: unknown) => {
      if (error instanceof ProviderFailure) throw error
      // jose's messages name the claim. Its errors contain the payload, so they are not kept as the cause.
      throw invalid(error instanceof errors.JOSEError ? error.message : 'unreadable')
    })
    // Read again, because jose rounds long numbers: the ids of two people could become equal.
    const payload = parseJsonObject(Buffer.from(idToken.split('.')[1] ?? '', 'base64url')) ?? {}
    const flaw = flawOfClaims(payload, { clientId, nonce, nonceRule })
    if (flaw !== undefined) throw invalid(flaw)
    const { sub, at_hash: hash } = payload
    if (hash !== undefined && accessToken !== '' && hash !== hashOf(accessToken, protectedHeader.alg))
      throw invalid('unexpected "at_hash" claim value')
    if (typeof sub !== 'string' || sub === '') throw invalid('no usable "sub" claim')
    return { ...payload, sub }
  }
  return {
    verify,
    ready: (signal) => keys.ready(signal).catch(unspent),
    refreshKeys: () => keys.refresh(),
  }
}

/** Rethrows a failure as one that happened before the code was sent. */
function unspent(error: unknown): never {
  if (!(error instanceof ProviderFailure)) throw error
  const { kind, message, retryAfter, cause } = error
  throw new ProviderFailure(kind, message, {
    codeUnspent: true,
    cause,
    ...(retryAfter !== undefined && { retryAfter }),
  })
}

/** What is wrong with the claims that jose has no options for. An audience counts as text: Telegram's may be a number. */
function flawOfClaims(
  { aud, azp, nonce }: JsonObject,
  expected: { clientId: string; nonce: string; nonceRule: 'required' | 'if-present' },
): string | undefined {
  const audiences = [aud].flat().map(asText)
  if (!audiences.includes(expected.clientId)) return 'unexpected "aud" claim value'
  const tolerated = nonce === undefined && expected.nonceRule === 'if-present'
  if (nonce !== expected.nonce && !tolerated) return 'unexpected "nonce" claim value'
  const severalAudiences = audiences.length > 1
  if (azp === undefined ? severalAudiences : asText(azp) !== expected.clientId)
    return 'unexpected "azp" claim value'
  return undefined
}

/** A number as text; anything else as it is. */
function asText(value: unknown): unknown {
  return typeof value === 'number' ? String(value) : value
}

/** OpenID Connect Core §3.1.3.6: the left half of the hash that the signature's algorithm uses. */
function hashOf(accessToken: string, algorithm: string): string {
  const digest = createHash(isAlgorithm(algorithm) ? known[algorithm].hash : 'sha256')
    .update(accessToken)
    .digest()
  return digest.subarray(0, digest.length / 2).toString('base64url')
}

/** The public keys of an OpenID provider (RFC 7517), cached so that a login seldom has to wait for them. */
export interface ProviderKeys {
  /**
   * Waits until there are keys; resolves at once if the cached ones are less than a day old.
   * @throws {ProviderFailure} as `fetch` does, or `timeout` when `signal` aborts
   */
  ready(signal: AbortSignal): Promise<void>
  /** Fetches the keys again. If that fails, the cached ones stay in use. */
  refresh(): Promise<void>
  /**
   * The key that a token names. If it is unknown, the keys are fetched again.
   * @throws {ProviderFailure} as `ready` does
   * @throws {errors.JOSEError} if no key fits
   */
  find(
    header: CompactJWSHeaderParameters,
    token: FlattenedJWSInput,
    signal: AbortSignal,
  ): ReturnType<LocalJWKSet>
}

/** Where keys come from. */
export interface ProviderKeysOptions {
  readonly provider: string
  /** The types of key (`kty`) that may sign; RSA where absent. */
  readonly types?: readonly string[]
  /** Fetches the JWK Set. It must have a time limit of its own. */
  readonly fetch: () => Promise<JsonObject>
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number
}

/** Milliseconds. Providers publish new keys days ahead, so cached keys stay valid during an outage of the JWKS URL. */
const usable = 86_400_000

/** Milliseconds between two fetches that an unknown `kid` may cause. */
const minFetchInterval = 5_000

/** Nothing is fetched before the first call. Concurrent callers wait for the same fetch. */
export function createProviderKeys({
  provider,
  types = ['RSA'],
  fetch,
  now = () => performance.now(),
}: ProviderKeysOptions): ProviderKeys {
  let cached: { readonly keys: LocalJWKSet; readonly at: number } | undefined
  let fetching: Promise<LocalJWKSet> | undefined
  let lastFetch = Number.NEGATIVE_INFINITY

  const fetchOnce = async () => {
    const response = await fetch()
    if (!isKeySet(response, types))
      throw new ProviderFailure(
        'invalid_response',
        `${provider} jwks: no set of ${[...new Set(types)].join(' or ')} keys`,
      )
    const keys = createLocalJWKSet(response)
    cached = { keys, at: now() }
    return keys
  }
  const refreshed = () => {
    fetching ??= fetchOnce().finally(() => {
      fetching = undefined
      lastFetch = now()
    })
    return fetching
  }
  const inUse = async (signal: AbortSignal) => {
    if (cached !== undefined && now() - cached.at <= usable) return cached.keys
    return await orAborted(refreshed(), signal, provider)
  }
  return {
    async ready(signal) {
      await inUse(signal)
    },
    async refresh() {
      await refreshed()
    },
    async find(header, token, signal) {
      const keys = await inUse(signal)
      try {
        return await keys(header, token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey) || now() - lastFetch < minFetchInterval) throw error
        const newer = await orAborted(refreshed(), signal, provider)
        return await newer(header, token)
      }
    },
  }
}

/** Requires a key for an allowed algorithm: an empty set must not replace keys that work. */
function isKeySet(response: JsonObject, types: readonly string[]): response is JsonObject & JSONWebKeySet {
  const { keys } = response
  return (
    Array.isArray(keys) &&
    keys.every(isJsonObject) &&
    keys.some(({ kty }) => typeof kty === 'string' && types.includes(kty))
  )
}

/** Stops waiting when `signal` aborts. The fetch itself goes on, because other callers may wait for it. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal, provider: string): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const abort = () =>
    reject(new ProviderFailure('timeout', `${provider} jwks: the time for the whole request is over`))
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  return promise
}
