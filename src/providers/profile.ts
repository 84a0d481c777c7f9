import type { ProviderProfile } from './provider.ts'
import { ProviderFailure } from './provider.ts'

/** Says that the provider did not tell a field this time, so that what is stored of it stays. */
export const notTold = Symbol('not told this time')

/**
 * The fields of a person as a provider's JSON has them, of any type. Of a list, the first usable entry counts.
 */
export interface RawProfile {
  readonly subject: unknown
  readonly name: readonly unknown[] | typeof notTold
  readonly login: readonly unknown[] | typeof notTold
  readonly email: readonly unknown[] | typeof notTold
  /** Anything but `true` and `false` counts as unknown. */
  readonly emailVerified?: unknown
}

/** Code points of a name or a user name. */
export const longestText = 255

/** RFC 5321 §4.5.3.1.3 leaves 254 characters for the address itself. */
export const longestEmail = 254

/**
 * Normalises a profile, so that it can be stored in PostgreSQL and shown to people.
 * @throws {ProviderFailure} `invalid_response` if there is no usable subject, without which a user cannot be recognised
 */
export function normalizeProfile(raw: RawProfile): ProviderProfile {
  const email = first(raw.email, emailOf)
  return {
    subject: subjectOf(raw.subject),
    name: first(raw.name, textOf),
    login: first(raw.login, textOf),
    email,
    emailVerified:
      email !== null && email !== undefined && typeof raw.emailVerified === 'boolean'
        ? raw.emailVerified
        : null,
  }
}

/** Joins the parts of a name; undefined if all are missing. */
export function joinNames(...parts: readonly unknown[]): string | undefined {
  const present = parts.filter((part): part is string => typeof part === 'string' && part.trim() !== '')
  return present.length === 0 ? undefined : present.join(' ')
}

/**
 * The subject exactly as sent. It is never corrected, because a corrected subject could belong to another person. Numbers
 * beyond 2^53 come as strings from parseJsonObject(); an unsafe number here was written as a fraction or with an exponent.
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
 * An email address if it is plausible, else null: only a message sent to it could prove it. An address with invisible
 * characters is not corrected, because the rest could belong to another person. Only the ASCII letters of the domain are
 * lower-cased: full case folding makes addresses of two people equal (K and the Kelvin sign).
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

function first(
  values: readonly unknown[] | typeof notTold,
  read: (value: unknown) => string | null,
): string | null | undefined {
  if (values === notTold) return undefined
  for (const value of values) {
    const text = read(value)
    if (text !== null) return text
  }
  return null
}

/** Letters and marks of the scripts that need U+200C and U+200D inside words, such as Persian, Hindi and Sinhala. */
const joined =
  '[[\\p{L}\\p{M}]&&[\\p{scx=Arab}\\p{scx=Syrc}\\p{scx=Nkoo}\\p{scx=Mong}\\p{scx=Deva}\\p{scx=Beng}\\p{scx=Guru}' +
  '\\p{scx=Gujr}\\p{scx=Orya}\\p{scx=Taml}\\p{scx=Telu}\\p{scx=Knda}\\p{scx=Mlym}\\p{scx=Sinh}\\p{scx=Khmr}' +
  '\\p{scx=Mymr}\\p{scx=Tibt}]]'

/**
 * Where an invisible character changes what people see, and is therefore kept:
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

/** UTF-16 code units. The rest of a longer name is ignored. */
const longestRead = 16_384

const clusters = new Intl.Segmenter('und', { granularity: 'grapheme' })

/** Removes invisible characters: they can reverse text (U+202E), hide some of it, or make two names look equal. */
function withoutInvisible(text: string): string {
  return text.replace(invisibles, (_character, visible: string | undefined) => visible ?? '')
}

/**
 * Prepares a provider's text to be stored and shown to people: one line, well-formed, without invisible and control
 * characters (PostgreSQL rejects NUL). It is idempotent.
 * @param longest code points, as `maxLength` of JSON Schema counts. A longer text is cut between two characters as people
 *   see them (grapheme clusters, Unicode TR 29), never inside an emoji, a flag or a letter with its accents
 * @returns null if nothing visible is left
 */
export function displayText(text: string, longest: number): string | null {
  const line = withoutInvisible(text.slice(0, longestRead).replace(/\p{Cs}/gu, ''))
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
  // Most are so short that nothing can have to be cut; to look for their characters takes longer than all the rest. In a longer
  // one, a joiner whose second letter was cut off is invisible now, so remove invisible characters again.
  const shown = line.length <= longest ? line : withoutInvisible(cut(line, longest)).trim()
  return /[^\p{M}\p{Z}\p{Cf}\u2800]/u.test(shown) ? shown : null
}

function cut(text: string, longest: number): string {
  let left = longest
  let end = 0
  // No more than can be needed: a longer character would be left out anyway.
  for (const { segment } of clusters.segment(text.slice(0, 4 * longest).toWellFormed())) {
    left -= Array.from(segment).length
    if (left < 0) break
    end += segment.length
  }
  return text.slice(0, end)
}
