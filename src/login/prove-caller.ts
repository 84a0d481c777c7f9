import { timingSafeEqual } from 'node:crypto'
import { unauthorized } from '../http/credentials.ts'
import { Problem } from '../problems/problem.ts'
import type { Site } from '../sites/site.ts'
import type { Login } from './login.ts'
import { digest } from './state.ts'

/**
 * Whether this site may use this provider now, and whether this caller may speak for it: asked at start and
 * again at finish (a change between the two holds).
 * @throws {Problem} site-disabled, provider-not-allowed, secret-required, site-mismatch
 */
export function admit(site: Site, provider: string, caller: Site | undefined): void {
  if (site.disabled) throw new Problem('site-disabled')
  if (!site.providers.includes(provider)) throw new Problem('provider-not-allowed', { values: { provider } })
  if (caller === undefined && site.requireSecret) throw unauthorized('secret-required')
  if (caller !== undefined && caller.id !== site.id) throw new Problem('site-mismatch')
}

/**
 * Holds a `code_verifier` against the challenge of the start (RFC 7636 §4.6). A verifier without a challenge is
 * refused too: it would hide a downgrade (RFC 9700 §4.8.2).
 * @returns whether the login was bound by a challenge, which the caller has then proved
 * @throws {Problem} verifier-missing, verifier-unexpected, verifier-mismatch
 */
export function checkVerifier(login: Login, verifier: string | undefined): boolean {
  if (login.codeChallenge === undefined) {
    if (verifier !== undefined) throw new Problem('verifier-unexpected')
    return false
  }
  if (verifier === undefined) throw new Problem('verifier-missing')
  if (!sameDigest(digest(verifier), login.codeChallenge)) throw new Problem('verifier-mismatch')
  return true
}

/** Compares two digests in constant time; a different length is a difference, not an error. */
export function sameDigest(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
