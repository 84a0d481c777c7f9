import { createHash, randomBytes } from 'node:crypto'
import type { LoginFault } from './login-fault.ts'
import type { DoublePerson } from './people.ts'

/** What a person allowed, as the token endpoint must store it (RFC 6749 §4.1.2, RFC 7636 §4.4). */
export interface Grant {
  readonly code: string
  /** The authorization request's own parameters. */
  readonly request: URLSearchParams
  readonly scopes: readonly string[]
  readonly person: DoublePerson
  /** What goes wrong with this login after its code was issued. */
  readonly fault?: LoginFault
  readonly issuedAt: number
  used: boolean
}

/** Codes and tokens of one double. */
export class Grants {
  readonly #codes = new Map<string, Grant>()
  readonly #accessTokens = new Map<string, { readonly grant: Grant; readonly issuedAt: number }>()
  readonly #refreshTokens = new Map<string, Grant>()

  /** Stores a grant under its code; a code issued twice belongs to the newer grant. */
  add(grant: Omit<Grant, 'issuedAt' | 'used'>): Grant {
    forgetOld(this.#codes)
    const added: Grant = { ...grant, issuedAt: Date.now(), used: false }
    this.#codes.delete(added.code)
    this.#codes.set(added.code, added)
    return added
  }

  /** The grant of a code, even if used or expired. */
  byCode(code: string): Grant | undefined {
    return this.#codes.get(code)
  }

  /** The grant of an access token that is not older than `lifetime` seconds. */
  byAccessToken(token: string | null, lifetime: number): Grant | undefined {
    const issued = this.#accessTokens.get(token ?? '')
    return issued === undefined || Date.now() - issued.issuedAt >= lifetime * 1000 ? undefined : issued.grant
  }

  byRefreshToken(token: string | null): Grant | undefined {
    return this.#refreshTokens.get(token ?? '')
  }

  /** Returns whether there was such a token. */
  revoke(accessToken: string): boolean {
    return this.#accessTokens.delete(accessToken)
  }

  /** Issues both tokens with the provider's prefixes; the caller may leave one out of its response. */
  issue(grant: Grant, prefixes: { access: string; refresh: string }): { access: string; refresh: string } {
    forgetOld(this.#accessTokens)
    forgetOld(this.#refreshTokens)
    const access = prefixes.access + randomBytes(32).toString('base64url')
    const refresh = prefixes.refresh + randomBytes(32).toString('base64url')
    this.#accessTokens.set(access, { grant, issuedAt: Date.now() })
    this.#refreshTokens.set(refresh, grant)
    return { access, refresh }
  }
}

/** Whether a grant can still be exchanged. */
export function grantState(
  grant: Grant | undefined,
  lifetime: number,
): 'live' | 'unknown' | 'expired' | 'used' {
  if (grant === undefined) return 'unknown'
  if (grant.used) return 'used'
  return Date.now() - grant.issuedAt >= lifetime * 1000 ? 'expired' : 'live'
}

/**
 * Compares the verifier with the challenge of the authorization request (RFC 7636 §4.6); `plain` where the
 * request named no method (§4.3). VK ID's own clients write `s256`.
 */
export function checkVerifier(
  grant: Grant,
  verifier: string | null,
): 'right' | 'wrong' | 'missing' | 'unneeded' {
  const challenge = grant.request.get('code_challenge')
  if (challenge === null) return verifier === null ? 'right' : 'unneeded'
  if (verifier === null || verifier === '') return 'missing'
  const plain = grant.request.get('code_challenge_method')?.toUpperCase() !== 'S256'
  const made = plain ? verifier : createHash('sha256').update(verifier).digest('base64url')
  return made === challenge ? 'right' : 'wrong'
}

/** Bounds a map in insertion order, for a sandbox that runs for days. */
function forgetOld(map: Map<string, unknown>): void {
  const oldest = map.keys().next()
  if (map.size >= 20_000 && oldest.done !== true) map.delete(oldest.value)
}
