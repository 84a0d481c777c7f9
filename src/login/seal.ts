import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

const ivBytes = 12
const tagBytes = 16

/** What a sealed value is; part of the authenticated data, so that one can never stand in for another. */
export type SealPurpose = 'login' | 'answer'

/** One login's key, from its state alone: whoever holds the store but no state can read nothing. */
export interface LoginSeal {
  seal(purpose: SealPurpose, value: unknown): Buffer
  /** @returns undefined where it was not sealed by this key for this purpose and name */
  open(purpose: SealPurpose, sealed: Buffer): unknown
}

/**
 * AES-256-GCM under HKDF-SHA-256 of the state (RFC 5869), with purpose and key name as additional data.
 * @param state the login's 256 random bits, base64url
 * @param name the key under which the record is kept
 */
export function sealOf(state: string, name: string): LoginSeal {
  const key = Buffer.from(hkdfSync('sha256', Buffer.from(state, 'base64url'), '', 'auth-movies login', 32))
  const additional = (purpose: SealPurpose) => Buffer.from(`${purpose}\0${name}`)
  return {
    seal(purpose, value) {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(additional(purpose))
      const sealed = cipher.update(JSON.stringify(value), 'utf8')
      return Buffer.concat([iv, sealed, cipher.final(), cipher.getAuthTag()])
    },
    open(purpose, sealed) {
      if (sealed.length < ivBytes + tagBytes) return undefined
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, ivBytes))
      decipher.setAAD(additional(purpose)).setAuthTag(sealed.subarray(-tagBytes))
      try {
        const opened = decipher.update(sealed.subarray(ivBytes, -tagBytes))
        return JSON.parse(Buffer.concat([opened, decipher.final()]).toString())
      } catch {
        return undefined
      }
    },
  }
}
