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
