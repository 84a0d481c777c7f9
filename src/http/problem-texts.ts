import type { ProblemText, ProblemWords } from './problem-text.ts'
import { textsEn, wordsEn } from './problem-texts-en.ts'
import { textsRu, wordsRu } from './problem-texts-ru.ts'
import type { ProblemName } from './problems.ts'

export type {
  LimitedCaller,
  ParameterHint,
  ParameterRule,
  ProblemText,
  RedirectDifference,
} from './problem-text.ts'

/** The languages of the texts; English where the caller asks for neither. */
export type Language = 'en' | 'ru'

/** Every text as it is written, with its placeholders: for the pages and for tests. */
export const problemTexts: Readonly<Record<Language, Readonly<Record<ProblemName, ProblemText>>>> = {
  en: textsEn,
  ru: textsRu,
}

const problemWords: Readonly<Record<Language, ProblemWords>> = { en: wordsEn, ru: wordsRu }

/**
 * The texts of a problem, detail and user message filled in.
 * @param values for the placeholders of both. `difference`, `rule`, `hint`, `where`, `came` and `who` take a
 *   code (RedirectDifference, ParameterRule, ParameterHint, ParameterPlace, ComeInstead, LimitedCaller); any other value is shown as it is, save for characters that
 *   `error_description` may not hold (RFC 6749 §5.2), and for
 *   `reason` (no OAuth endpoint has it) and the provider's title, which may be in any letters. What is missing is left out and the sentence stays whole.
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

/** One pass over each part: a value that itself looks like a placeholder is never expanded. */
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
  // Sentences and names of ours, in any letters; an error_description has a provider's plain name.
  if (['reason', 'provider', 'providerTitle'].includes(placeholder)) return value.replace(/\p{C}/gu, '?')
  return value.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?')
}

/** A value may be named by a caller: `__proto__` and its like must find nothing. */
function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}
