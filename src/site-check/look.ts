import type { Checkup } from './checkup.ts'
import { openLoginPage } from './login-page.ts'
import { readPage } from './page.ts'
import type { Person } from './sandbox.ts'
import type { Answer, Visit, Visitor } from './visitor.ts'

/** What a visitor sees at the page where logins begin. */
export interface Look {
  readonly answer: Answer
  readonly text: string
  readonly byWords: boolean
  readonly byButton: boolean
}

/** Opens the page where logins begin. */
export async function look(checkup: Checkup, visitor: Visitor, person: Person): Promise<Look> {
  const { last: answer } = await visitor.open(checkup.loginUrl)
  const { text } = readPage(answer.body, answer.url)
  const words = [person.name.slice(0, 40), person.email].filter((word) => word !== '')
  const button = checkup.control.kind === 'on-page' ? await openLoginPage(checkup, visitor) : undefined
  return {
    answer,
    text,
    byWords: words.some((word) => text.includes(word)),
    byButton: checkup.control.kind === 'on-page' && button === undefined && answer.status < 400,
  }
}

/**
 * Whether this browser is logged in, by the sign that the first login of the check has shown: the page names the person, or
 * has no login button any more.
 */
export async function isLoggedIn(checkup: Checkup, visitor: Visitor, person: Person): Promise<boolean> {
  const { byWords, byButton } = await look(checkup, visitor, person)
  // A person without name and email cannot be named.
  return checkup.signal === 'words' && person.name !== '' ? byWords : byButton
}

/** "/return answered 500". No query: it may hold a code. */
export function told({ url, status }: Answer): string {
  return `${url.pathname} answered ${status}`
}

/** Whether any answer of a visit says that the site has crashed. */
export function crash({ answers }: Visit, allowed: readonly number[] = []): Answer | undefined {
  return answers.find(({ status }) => status >= 500 && !allowed.includes(status))
}
