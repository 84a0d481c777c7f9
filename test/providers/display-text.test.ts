import * as fc from 'fast-check'
import t from 'tap'
import { displayText } from '../../src/providers/profile.ts'

const longest = 255
const show = (text: string) => displayText(text, longest)
const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' })
const clustersOf = (text: string) => Array.from(segmenter.segment(text), ({ segment }) => segment)

await t.test('text that people write in any language stays unchanged', async (t) => {
  for (const text of [
    'Анна-Мария О’Коннор',
    '山田\u{e0100} 葛\u{e0101}',
    '👩‍🚀 Zoë',
    '👩🏽‍❤️‍💋‍👨🏿',
    '👩‍❤‍👨',
    '🏳️‍🌈 🏴‍☠️ ❤️ ☎︎',
    '🇷🇺🇰🇿',
    '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}',
    '1️⃣ #️⃣',
    'می‌خواهم', // Persian: U+200C between two parts of a word
    'क्‍ष क्‌ष', // Hindi: the form of a conjunct
    'ශ්‍රී', // Sinhala: U+200D in the name of the country
    'അവന്‍', // Malayalam: U+200D at the end
    'مُحَمَّد',
    'Ngọc Ánh e\u0301',
    '김민수',
    '7',
  ])
    t.equal(show(text), text)
})

await t.test('invisible characters are removed', async (t) => {
  for (const [text, shown] of [
    ['Ann\u202eanA', 'AnnanA'],
    ['\u2066Anna\u2069', 'Anna'],
    ['An\u200bna\u2060 \ufeffP\u00adetrova', 'Anna Petrova'],
    ['An\u200dna', 'Anna'],
    ['An\u200cna', 'Anna'],
    ['Anna\u{e0069}\u{e0064}\u{e003d}\u{e0031}', 'Anna'],
    ['😀\u{e0069}\u{e0064}', '😀'],
    ['😀\ufe0f\ufe0f\ufe01\u{e0101}', '😀\ufe0f'],
    ['👩\u200d', '👩'],
    ['1\ufe0f', '1'],
    ['Anna\u2028Petrova\u2029', 'Anna Petrova'],
    ['\ufff9Anna\ufffahidden\ufffb', 'Annahidden'],
    ['کتاب\u200c ها', 'کتاب ها'],
  ] as const)
    t.equal(show(text), shown)
})

await t.test('text without a visible character is null', async (t) => {
  for (const text of [
    '\u3164',
    '\u115f\u1160',
    '\uffa0',
    '\u2800\u2800',
    '\u200b \u200d\u200c',
    '\u202e\u202c',
    '\ufe0f',
    '\u{e0041}\u{e007f}',
    '\u0301',
    '\u00a0\u3000',
    '\u0600',
    '',
  ])
    t.equal(show(text), null)
})

await t.test('long names are cut between grapheme clusters', async (t) => {
  for (const cluster of [
    '👩‍🚀',
    '🇷🇺',
    'e\u0301\u0323',
    '👩🏽‍❤️‍💋‍👨🏿',
    'क्‍षि',
    '한'.normalize('NFD'),
    '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}',
  ]) {
    const length = Array.from(cluster).length
    for (const before of ['', 'x', 'xy'])
      t.equal(
        show(before + cluster.repeat(300)),
        before + cluster.repeat(Math.floor((longest - before.length) / length)),
        `${before}${cluster}`,
      )
  }
  t.equal(show(`Anna a${'\u0301'.repeat(300)}`), 'Anna', 'a character longer than a name is left out')
  t.equal(show('می‌'.repeat(200))?.endsWith('\u200c'), false, 'no joiner is left without its second letter')
  t.equal(show('x'.repeat(1_000_000)), 'x'.repeat(longest))
})

const part = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 3 }),
  fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
  fc.constantFrom(
    '\u200d',
    '\u200c',
    '\u200b',
    '\u202e',
    '\ufe0f',
    '\u20e3',
    '\u{e0067}',
    '\u{e007f}',
    '\u0301',
    ' ',
  ),
  fc.constantFrom(
    '👩',
    '🚀',
    '❤',
    '🏽',
    '🏴',
    '🇷',
    '🇺',
    '1',
    'م',
    'ی',
    'क',
    '्',
    'ष',
    'ᄒ',
    'ᅡ',
    '葛',
    '\u{e0100}',
    'é',
    'x',
  ),
)
const text = fc.array(part, { maxLength: 600 }).map((parts) => parts.join(''))

await t.test('any input gives well-formed text on one line within the limit', async (t) => {
  fc.assert(
    fc.property(text, (sent) => {
      const shown = show(sent)
      if (shown === null) return
      t.ok(shown.isWellFormed())
      t.ok(Array.from(shown).length <= longest)
      t.equal(shown, shown.trim())
      t.notMatch(shown, /[\p{Cc}\p{Bidi_Control}\u200b\u2060\ufeff\u2028\u2029]/u)
      t.equal(show(shown), shown, 'doing it twice changes nothing')
      // The same text without the limit begins with the same characters; only a joiner without a second letter goes.
      const whole = clustersOf(displayText(sent, 16_384) ?? '')
      const cut = clustersOf(shown)
      const last = cut.pop() ?? ''
      t.strictSame(cut, whole.slice(0, cut.length), 'no character is cut through')
      t.equal(whole[cut.length]?.replace(/[\u200c\u200d]+$/u, ''), last.replace(/[\u200c\u200d]+$/u, ''))
    }),
    { numRuns: 100 },
  )
})
