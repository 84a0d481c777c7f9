import { createHash } from 'node:crypto'
import type {
  CompactJWSHeaderParameters,
  FlattenedJWSInput,
  JSONWebKeySet,
  JWTPayload,
  LocalJWKSet,
} from 'jose'
import { createLocalJWKSet, errors, jwtVerify } from 'jose'
import type { OAuthClient, Tokens } from './oauth-client.ts'
import { ProviderFailure } from './provider.ts'
import type { JsonObject } from './response.ts'
import { isJsonObject } from './response.ts'

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

/** The public keys of an OpenID provider (RFC 7517), kept so that a login seldom has to wait for them. */
export interface ProviderKeys {
  /**
   * Waits until there are keys: at once where some are known that are less than a day old.
   * @throws {ProviderFailure} as `fetch` does, or `timeout` once `signal` aborts
   */
  ready(signal: AbortSignal): Promise<void>
  /** Fetches them anew; where that fails, those that are known stay in use. */
  refresh(): Promise<void>
  /**
   * The key that a token names; where it is unknown, they are fetched once more.
   * @throws {ProviderFailure} as `ready` does
   * @throws {errors.JOSEError} where no key fits
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
  /** Gives the JWK Set; its own limits end it. */
  readonly fetch: () => Promise<JsonObject>
  /** Milliseconds of a clock that nobody sets. */
  readonly now?: () => number
}

/** Milliseconds. Providers announce new keys days ahead: those of yesterday are good while their address is out. */
const usable = 86_400_000

/** Milliseconds: how soon an unknown `kid` may ask for the keys again. */
const rest = 5_000

/** No keys yet: nothing is fetched before somebody asks. One fetch serves everybody who waits for it. */
export function createProviderKeys({
  provider,
  fetch,
  now = () => performance.now(),
}: ProviderKeysOptions): ProviderKeys {
  let known: { readonly keys: LocalJWKSet; readonly at: number } | undefined
  let fetching: Promise<LocalJWKSet> | undefined
  let lastFetch = Number.NEGATIVE_INFINITY

  const fetchOnce = async () => {
    const answer = await fetch()
    if (!isKeySet(answer))
      throw new ProviderFailure('invalid_response', `${provider} jwks: no set of RSA keys`)
    const keys = createLocalJWKSet(answer)
    known = { keys, at: now() }
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
    if (known !== undefined && now() - known.at <= usable) return known.keys
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
        if (!(error instanceof errors.JWKSNoMatchingKey) || now() - lastFetch < rest) throw error
        const newer = await orAborted(refreshed(), signal, provider)
        return await newer(header, token)
      }
    },
  }
}

/** At least one key for the only algorithm that is taken (RS256): an empty set would put good keys out of use. */
function isKeySet(answer: JsonObject): answer is JsonObject & JSONWebKeySet {
  const { keys } = answer
  return Array.isArray(keys) && keys.every(isJsonObject) && keys.some(({ kty }) => kty === 'RSA')
}

/** A fetch serves others, too: a deadline ends the wait for it, not the fetch. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal, provider: string): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const abort = () =>
    reject(new ProviderFailure('timeout', `${provider} jwks: the time for the whole request is over`))
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  return promise
}
