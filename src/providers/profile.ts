import { displayText, withoutInvisible } from './display-text.ts'
import type { ProviderProfile } from './provider.ts'
import { ProviderFailure } from './provider.ts'

/**
 * A person's fields as a provider's JSON has them, of whatever type. Where a list is given, the first entry
 * that holds something usable counts.
 */
export interface RawProfile {
  readonly subject: unknown
  readonly name: readonly unknown[]
  readonly login: readonly unknown[]
  readonly email: readonly unknown[]
  /** Only `true` and `false` say anything. */
  readonly emailVerified?: unknown
}

/** Code points of a name or a login. */
export const longestText = 255

/** RFC 5321 §4.5.3.1.3 leaves 254 for the address itself. */
export const longestEmail = 254

/**
 * Normalises at the border: what comes out can be stored in PostgreSQL and shown.
 * @throws {ProviderFailure} `invalid_response` where there is no subject: without it nobody can be told apart
 */
export function normalizeProfile(raw: RawProfile): ProviderProfile {
  const email = first(raw.email, emailOf)
  return {
    subject: subjectOf(raw.subject),
    name: first(raw.name, textOf),
    login: first(raw.login, textOf),
    email,
    emailVerified: email !== null && typeof raw.emailVerified === 'boolean' ? raw.emailVerified : null,
  }
}

/** Two halves of a name as one; undefined where both are missing. */
export function joinNames(...parts: readonly unknown[]): string | undefined {
  const present = parts.filter((part): part is string => typeof part === 'string' && part.trim() !== '')
  return present.length === 0 ? undefined : present.join(' ')
}

/**
 * As sent, or refused; never mended, for a mended subject could be another person's. Numbers beyond 2^53 come
 * as strings from parseJsonObject(); one that got here as a number was written as a fraction or an exponent.
 */
function subjectOf(value: unknown): string {
  if (Number.isSafeInteger(value) && value !== 0) return String(value)
  if (
    typeof value === 'string' &&
    value.trim() !== '' &&
    value.length <= 255 &&
    value.isWellFormed() &&
    !/\p{Cc}/u.test(value)
  )
    return value
  throw new ProviderFailure('invalid_response', 'the profile has no usable subject')
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? displayText(value, longestText) : null
}

/**
 * Plausible, or nothing: only a message sent there proves an address. One with invisible characters in it is not mended,
 * as what remained could be another person's. The domain alone is lower-cased, and in
 * ASCII alone: full case folding makes equal what two people may own (K and the Kelvin sign).
 */
function emailOf(value: unknown): string | null {
  if (typeof value !== 'string') return null
  const email = value.trim()
  if (email.length > longestEmail || !email.isWellFormed() || /[\p{Cc}\s]/u.test(email)) return null
  if (withoutInvisible(email) !== email) return null
  const [, local, domain] = /^([^@]+)@([^@]+)$/.exec(email) ?? []
  if (local === undefined || domain === undefined || domain.split('.').includes('')) return null
  return `${local}@${domain.replace(/[A-Z]/g, (letter) => letter.toLowerCase())}`
}

function first(values: readonly unknown[], read: (value: unknown) => string | null): string | null {
  for (const value of values) {
    const text = read(value)
    if (text !== null) return text
  }
  return null
}
