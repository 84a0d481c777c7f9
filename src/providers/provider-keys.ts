import type { CompactJWSHeaderParameters, FlattenedJWSInput, JSONWebKeySet, LocalJWKSet } from 'jose'
import { createLocalJWKSet, errors } from 'jose'
import type { JsonObject } from './json.ts'
import { isJsonObject } from './json.ts'
import { ProviderFailure } from './provider.ts'

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
