import { createHash, randomBytes } from 'node:crypto'

/** 256 random bits in base64url: the name of a login and, with the code, its only credential (RFC 9700 §4.7). */
export function newState(): string {
  return randomBytes(32).toString('base64url')
}

/** Whether a string can be a state at all: anything else needs no question to the store. */
export function isState(value: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(value)
}

/** SHA-256: what names a login outside the request that carries its state (a session's `login_hash`). */
export function loginHash(state: string): Buffer {
  return createHash('sha256').update(state).digest()
}

/** Names a login to people: a digest of the digest under which it is stored, good for nothing else. */
export function loginId(state: string): string {
  return createHash('sha256').update(loginHash(state)).digest('hex').slice(0, 20)
}

/** SHA-256 in base64url: of a code, to compare it; of a verifier, its S256 challenge (RFC 7636 §4.2). */
export function digest(value: string): string {
  return createHash('sha256').update(value).digest('base64url')
}
