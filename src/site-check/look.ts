import type { Checkup } from './checkup.ts'
import { openLoginPage } from './login-page.ts'
import { readPage } from './page.ts'
import type { Person } from './sandbox.ts'
import type { Answer, Visit, Visitor } from './visitor.ts'

/** What a visitor sees at the page that tells who is logged in. */
export interface Look {
  readonly answer: Answer
  readonly text: string
  readonly byWords: boolean
  readonly byButton: boolean
}

/** Opens the page that tells who is logged in. */
export async function look(checkup: Checkup, visitor: Visitor, person: Person): Promise<Look> {
  const { memberUrl, loginUrl, control } = checkup
  const { last: answer } = await visitor.open(memberUrl)
  const { text } = readPage(answer.body, answer.url)
  const words = [person.name.slice(0, 40), person.email].filter((word) => word !== '')
  // Elsewhere it means nothing that there is no button.
  const shows = control.kind === 'on-page' && memberUrl === loginUrl && answer.status < 400
  return {
    answer,
    text,
    byWords: words.some((word) => text.includes(word)),
    byButton: shows && (await openLoginPage(checkup, visitor)) === undefined,
  }
}

/**
 * Whether this browser is logged in, by the sign that the first login of the check has shown: the page names the person, or
 * has no login button any more.
 */
export async function isLoggedIn(checkup: Checkup, visitor: Visitor, person: Person): Promise<boolean> {
  const { byWords, byButton, text } = await look(checkup, visitor, person)
  if (checkup.signal === 'button') return byButton
  if (person.name !== '') return byWords
  // Nobody can be named without name and email: then it is what strangers do not see.
  return byButton || text !== (await look(checkup, checkup.visitor(), person)).text
}

/** "/return answered 500". No query: it may hold a code. */
export function told({ url, status }: Answer): string {
  return `${url.pathname} answered ${status}`
}

/** Whether any answer of a visit says that the site has crashed. */
export function crash({ answers }: Visit, allowed: readonly number[] = []): Answer | undefined {
  return answers.find(({ status }) => status >= 500 && !allowed.includes(status))
}
