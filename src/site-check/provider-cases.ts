import type { Case } from './checkup.ts'
import { advice, failed, passed } from './checkup.ts'
import { crash, isLoggedIn, told } from './look.ts'
import { readPage } from './page.ts'
import { comeBack, loginUntilReturn, usualPerson } from './try-login.ts'

/** What the provider does wrong, or does in an unusual way. */
export const providerCases: readonly Case[] = [
  {
    id: 'provider-down',
    group: 'login',
    title: 'A provider that fails at the finish: the visitor is told, and can try again',
    why: 'Providers fail now and then. Whoever sees an empty page or a crash does not know that another try, or another provider, would do.',
    change:
      'Show user_message of the answer on a page with the login buttons, and begin a new login only when the visitor presses one.',
    needs: 'login',
    async run(checkup) {
      const person = usualPerson(checkup)
      const visitor = checkup.visitor('ru')
      const { begun, returned } = await loginUntilReturn(checkup, person, { visitor, fault: 'error-500' })
      const visit = await comeBack(visitor, returned)
      const fell = crash(visit, [502, 503, 504])
      if (fell !== undefined) return failed(told(fell))
      checkup.errorPages.push({ after: 'a provider that failed', answer: visit.last })
      if (await isLoggedIn(checkup, visitor, person)) return failed('the visitor is logged in all the same')
      const { text } = readPage(visit.last.body, visit.last.url)
      if (text === checkup.wordsBefore)
        return failed('the visitor sees the page with the buttons, and not a word of what happened')
      const second = await loginUntilReturn(checkup, person, { visitor })
      await comeBack(visitor, second.returned)
      if (!(await isLoggedIn(checkup, visitor, person))) return failed('after it a new login does not work')
      // At the standard door the service has no words for visitors.
      return begun.door === 'openid' || /\p{Script=Cyrillic}/u.test(text)
        ? passed
        : advice(
            'the words for a visitor whose browser asks for Russian are not Russian: pass Accept-Language on with the finish',
          )
    },
  },
  {
    id: 'provider-busy',
    group: 'login',
    title: 'A provider that sends an error in place of a code is survived',
    why: 'Besides a refusal there are temporarily_unavailable, server_error and login_expired, and the list may grow.',
    change:
      'Treat every error at the return as the end of this attempt, with words of your own for those that you know.',
    needs: 'login',
    async run(checkup) {
      const person = usualPerson(checkup)
      const { visitor, returned } = await loginUntilReturn(checkup, person, { fault: 'busy' })
      const visit = await comeBack(visitor, returned)
      const fell = crash(visit, [502, 503, 504])
      if (fell !== undefined) return failed(told(fell))
      checkup.errorPages.push({ after: 'a provider that was busy', answer: visit.last })
      return (await isLoggedIn(checkup, visitor, person))
        ? failed('the visitor is logged in all the same')
        : passed
    },
  },
  {
    id: 'long-code',
    group: 'login',
    title: 'A login with a code of thousands of characters works',
    why: 'Codes of some providers are as long. One that is cut off or decoded twice is refused.',
    change:
      'Hand state and code on as they came: parsed once by your framework, encoded once by your library, and nowhere cut off.',
    needs: 'login',
    async run(checkup) {
      const person = usualPerson(checkup)
      const { visitor, returned } = await loginUntilReturn(checkup, person, { fault: 'long-code' })
      const fell = crash(await comeBack(visitor, returned))
      if (fell !== undefined) return failed(told(fell))
      return (await isLoggedIn(checkup, visitor, person)) ? passed : failed('the visitor is not logged in')
    },
  },
]
