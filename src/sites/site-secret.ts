import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Site } from './site.ts'

/** A new secret: 256 random bits, base64url (43 characters of [A-Za-z0-9_-]). Shown once, never stored. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** What is stored of a secret. SHA-256 is enough: nobody guesses 256 random bits, however fast they hash. */
export function hashSecret(secret: string): Buffer<ArrayBuffer> {
  return createHash('sha256').update(secret).digest()
}

/** Whether this is one of the site's live secrets; takes as long for a wrong one as for a right one. */
export function secretMatches(site: Site, secret: string): boolean {
  const given = hashSecret(secret)
  return site.secretHashes.map((hash) => timingSafeEqual(hash, given)).includes(true)
}
