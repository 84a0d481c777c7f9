import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto'

/**
 * Seals secrets for storage by AES-256-GCM. `label` is authenticated with them, so that the secret of one row cannot be
 * copied into another. Layout: version (1 byte), nonce (12), tag (16), ciphertext.
 */
export interface KeySeal {
  /** Under the newest entry of SECRET_KEYS. */
  seal(secret: Buffer, label: string): Buffer
  /** Tries every entry; undefined where none fits, or the label is another. */
  open(sealed: Buffer, label: string): Buffer | undefined
}

const version = 1
const nonceLength = 12
const tagLength = 16
const head = 1 + nonceLength + tagLength

/**
 * @param secretKeys 32 bytes each, newest first, at least one
 * @throws {TypeError} where there is none
 */
export function createKeySeal(secretKeys: readonly Buffer[]): KeySeal {
  // Made once: from a raw key, each call would make a KeyObject again.
  const keys = secretKeys.map((key) => createSecretKey(key))
  const [newest] = keys
  if (newest === undefined) throw new TypeError('SECRET_KEYS holds no key.')
  return {
    seal(secret, label) {
      const nonce = randomBytes(nonceLength)
      const cipher = createCipheriv('aes-256-gcm', newest, nonce).setAAD(Buffer.from(label))
      const text = Buffer.concat([cipher.update(secret), cipher.final()])
      return Buffer.concat([Buffer.of(version), nonce, cipher.getAuthTag(), text])
    },
    open(sealed, label) {
      if (sealed.length < head || sealed[0] !== version) return undefined
      const nonce = sealed.subarray(1, 1 + nonceLength)
      for (const key of keys) {
        const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength })
          .setAAD(Buffer.from(label))
          .setAuthTag(sealed.subarray(1 + nonceLength, head))
        try {
          return Buffer.concat([decipher.update(sealed.subarray(head)), decipher.final()])
        } catch {
          // Sealed under another entry.
        }
      }
      return undefined
    },
  }
}

/**
 * The variable SECRET_KEYS: the keys that seal, 32 random bytes each, newest first.
 * @param problems takes one sentence if the value is wrong; the sentence does not hold the value
 */
export function readSecretKeys(value: string | undefined, problems: string[]): Buffer[] {
  const parts = value === undefined ? [] : value.split(',').map((part) => part.trim())
  // 32 bytes in standard base64; a random key practically never has fewer than 16 different bytes.
  const keys = parts.map((part) => Buffer.from(/^[A-Za-z0-9+/]{43}=$/.test(part) ? part : '', 'base64'))
  if (keys.some((key) => new Set(key).size < 16))
    problems.push(
      'SECRET_KEYS must hold base64 of 32 random bytes each, comma-separated (openssl rand -base64 32).',
    )
  return keys
}
