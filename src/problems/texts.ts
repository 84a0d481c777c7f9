import { textsEn, wordsEn } from './en.ts'
import { textsRu, wordsRu } from './ru.ts'
import type { ProblemName, ProblemText, ProblemWords } from './table.ts'

/** The languages of the texts. */
export type Language = 'en' | 'ru'

/** Every text with its placeholders unfilled, for the pages and for tests. */
export const problemTexts: Readonly<Record<Language, Readonly<Record<ProblemName, ProblemText>>>> = {
  en: textsEn,
  ru: textsRu,
}

const problemWords: Readonly<Record<Language, ProblemWords>> = { en: wordsEn, ru: wordsRu }

/**
 * The texts of a problem, with detail and user message filled in.
 * @param values for the placeholders of both. `difference`, `rule`, `hint`, `where`, `came` and `who` take a code
 *   (RedirectDifference, ParameterRule, ParameterHint, ParameterPlace, ComeInstead, LimitedCaller), which is replaced by its words.
 *   In any other value, characters that `error_description` may not hold (RFC 6749 §5.2) become question marks; only
 *   `reason`, `provider` and `providerTitle` may be in any alphabet. A part of the text whose value is missing is left
 *   out, so that the sentence stays whole.
 */
export function problemText(
  name: ProblemName,
  language: Language,
  values: Readonly<Record<string, string>> = {},
): ProblemText {
  const text = problemTexts[language][name]
  const valueOf = (placeholder: string) => inWords(placeholder, values, language)
  return { ...text, detail: fill(text.detail, valueOf), userMessage: fill(text.userMessage, valueOf) }
}

/** Replaces in a single pass, so that a value which looks like a placeholder is not expanded itself. */
function fill(detail: string, valueOf: (placeholder: string) => string | undefined): string {
  return detail.replace(/\[([^\]]*)\]|\{(\w+)\}/g, (_, part?: string, lone?: string) => {
    if (part === undefined) return valueOf(lone ?? '') ?? ''
    const names = Array.from(part.matchAll(/\{(\w+)\}/g), (match) => match[1] ?? '')
    if (names.some((name) => valueOf(name) === undefined)) return ''
    return part.replace(/\{(\w+)\}/g, (_match, name: string) => valueOf(name) ?? '')
  })
}

function inWords(
  placeholder: string,
  values: Readonly<Record<string, string>>,
  language: Language,
): string | undefined {
  const value = own(values, placeholder)
  if (value === undefined || value === '') return undefined
  const words: Readonly<Record<string, Readonly<Record<string, string>>>> = { ...problemWords[language] }
  const dictionary = own(words, placeholder)
  if (dictionary !== undefined) return own(dictionary, value)
  // These values are written by the service, never by a caller.
  if (['reason', 'provider', 'providerTitle'].includes(placeholder)) return value.replace(/\p{C}/gu, '?')
  return value.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?')
}

/** Own members only, as a caller may choose the key: `__proto__` and the like must find nothing. */
function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}
