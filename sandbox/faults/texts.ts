import type { Language } from '../web.ts'
import type { FaultGroup, FaultId } from './catalogue.ts'
import { en } from './en.ts'
import type { Expectation } from './expectation.ts'
import { expectationToJson } from './expectation.ts'
import { ru } from './ru.ts'

/** The texts about one fault in one language: whole sentences, plain text. */
export interface FaultText {
  /** Short, without a full stop. */
  readonly title: string
  readonly happens: string
  /** What the site sees beside the status and the problem, which are told from the catalogue. */
  readonly sees?: string
  readonly should: string
  /** How to have it at a site of one's own, where the sandbox cannot play it on that. */
  readonly byHand?: string
}

/** All texts about faults in one language. */
export interface FaultTexts {
  readonly groups: Readonly<Record<FaultGroup, string>>
  readonly seen: {
    readonly success: string
    /** With `{status}` and `{problem}`. */
    readonly problem: string
    /** With `{error}`. */
    readonly error: string
    readonly session: string
    /** With `{status}` and `{problem}`. */
    readonly callback: string
  }
  readonly faults: Readonly<Record<FaultId, FaultText>>
}

/** The texts in each language. */
export const faultTexts: Readonly<Record<Language, FaultTexts>> = { en, ru }

/** What a site sees, in words. */
export function seenInWords(sees: Expectation, language: Language): string {
  const { seen } = faultTexts[language]
  const { status = 0, error = '' } = expectationToJson(sees)
  const fill = (text: string) =>
    text
      .replace('{status}', String(status))
      .replace('{error}', error)
      .replace('{problem}', 'problem' in sees && sees.problem !== undefined ? sees.problem : '')
  switch (sees.at) {
    case 'finish':
      return fill(sees.problem === undefined ? seen.success : seen.problem)
    case 'return':
      return fill(seen.error)
    case 'callback':
      return fill(seen.callback)
    default:
      return seen.session
  }
}
