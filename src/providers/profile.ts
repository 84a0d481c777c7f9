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

/** Letters and marks of the scripts whose spelling needs U+200C and U+200D inside words: Persian, Hindi, Sinhala. */
const joined =
  '[[\\p{L}\\p{M}]&&[\\p{scx=Arab}\\p{scx=Syrc}\\p{scx=Nkoo}\\p{scx=Mong}\\p{scx=Deva}\\p{scx=Beng}\\p{scx=Guru}' +
  '\\p{scx=Gujr}\\p{scx=Orya}\\p{scx=Taml}\\p{scx=Telu}\\p{scx=Knda}\\p{scx=Mlym}\\p{scx=Sinh}\\p{scx=Khmr}' +
  '\\p{scx=Mymr}\\p{scx=Tibt}]]'

/**
 * Where an invisible character changes what people see, and so stays (the second pattern is the rest of them):
 * the flags of parts of a country, whole (Unicode TR 51 §1.4.5, "emoji tag sequence"); a joiner between two emoji; the
 * choice between an emoji and a sign; the variant of an ideograph or of a Mongolian letter; a joiner inside a word of a
 * script that needs it, or at its end after a mark (the old chillu letters of Malayalam).
 */
const meaningful = [
  String.raw`\u{1F3F4}[\u{E0030}-\u{E0039}\u{E0061}-\u{E007A}]{3,6}\u{E007F}`,
  String.raw`(?<=\p{ExtPict}[\uFE0F\p{EMod}]?)\u200D(?=\p{ExtPict})`,
  String.raw`(?<=[\p{Emoji}--[0-9#*]])[\uFE0E\uFE0F]|(?<=[0-9#*])\uFE0F(?=\u20E3)`,
  String.raw`(?<=\p{sc=Han})[\uFE00-\uFE02\u{E0100}-\u{E01EF}]|(?<=[\p{L}&&\p{sc=Mong}])[\u180B-\u180D\u180F]`,
  String.raw`(?<=${joined})[\u200C\u200D](?=${joined})|(?<=[\p{M}&&${joined}])\u200D`,
].join('|')

/** Joiners, marks of direction, fillers, tags (Default_Ignorable_Code_Point) and the marks of annotations. */
const invisible = String.raw`[\p{DI}\uFFF9-\uFFFB]`

const invisibles = new RegExp(`(${meaningful})|${invisible}`, 'gv')

/** UTF-16 code units. What a name has beyond them nobody looks at. */
const longestRead = 16_384

const clusters = new Intl.Segmenter('und', { granularity: 'grapheme' })

/** Without the characters that nobody sees: they turn text around (U+202E), hide some in it, or make two names look equal. */
export function withoutInvisible(text: string): string {
  return text.replace(invisibles, (_character, kept: string | undefined) => kept ?? '')
}

/**
 * Text that a provider has of a person, as it can be stored and shown to people: one line, well-formed, no invisible
 * characters, no control characters (PostgreSQL refuses NUL). Doing it twice changes nothing.
 * @param longest code points, as `maxLength` of JSON Schema counts; what is longer is cut between two characters as
 *   people see them (grapheme clusters, Unicode TR 29), never inside an emoji, a flag or a letter with its accents
 * @returns null where nothing visible is left
 */
export function displayText(text: string, longest: number): string | null {
  const line = withoutInvisible(text.slice(0, longestRead).replace(/\p{Cs}/gu, ''))
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
  // Again: a joiner whose second letter was cut off is invisible now.
  const shown = withoutInvisible(cut(line, longest)).trim()
  return /[^\p{M}\p{Z}\p{Cf}\u2800]/u.test(shown) ? shown : null
}

function cut(text: string, longest: number): string {
  let left = longest
  let end = 0
  // Not more than can be needed: a character that long is left out anyway.
  for (const { segment } of clusters.segment(text.slice(0, 4 * longest).toWellFormed())) {
    left -= Array.from(segment).length
    if (left < 0) break
    end += segment.length
  }
  return text.slice(0, end)
}
