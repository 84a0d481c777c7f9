import type { Case, Checkup, DoneLogin, Verdict } from './checkup.ts'
import { advice, failed, inventedCode, passed, returnWith, skipped } from './checkup.ts'
import { loginFact, noHistory } from './facts.ts'
import { begin } from './login-page.ts'
import { crash, isLoggedIn, look, told } from './look.ts'
import type { Person } from './sandbox.ts'
import { comeBack, doneLogin, loginUntilReturn, usualPerson } from './try-login.ts'
import type { Visit, Visitor } from './visitor.ts'

async function firstLogin(checkup: Checkup): Promise<Verdict> {
  const person = usualPerson(checkup)
  const { visitor, begun, returned } = await loginUntilReturn(checkup, person)
  const before = visitor.copy()
  const visit = await comeBack(visitor, returned)
  const fell = crash(visit)
  if (fell !== undefined) return failed(told(fell))
  const { answer, text, byWords, byButton } = await look(checkup, visitor, person)
  if ((await checkup.facts.session(begun.serviceState)) === undefined) {
    const fact = await loginFact(checkup.facts, begun.serviceState)
    const because = fact?.problem ? `, by the problem ${fact.problem}` : ''
    return failed(
      `the service opened no session for the login${because}; the page says: ${text.slice(0, 120)}`,
    )
  }
  checkup.signal = byWords ? 'words' : 'button'
  if (!byWords && !byButton && !(await tellsElsewhere(checkup, visitor, visit, person)))
    return failed(
      `the service opened a session, but neither the page after the login nor ${answer.url.pathname} names the person, and there is still the login button`,
      'Keep the session that the finish opened, and tell people who is logged in: the check looks for name and email.',
    )
  checkup.login = { visitor, before, begun, returned, visit, person } satisfies DoneLogin
  return passed
}

/** Whether the page to which the login has led tells who is logged in; if so, it is looked at from now on. */
async function tellsElsewhere(
  checkup: Checkup,
  visitor: Visitor,
  { last }: Visit,
  person: Person,
): Promise<boolean> {
  checkup.memberUrl = last.url
  checkup.signal = 'words'
  const [own, stranger] = [
    await look(checkup, visitor, person),
    await look(checkup, checkup.visitor(), person),
  ]
  return own.byWords && !stranger.byWords
}

const noLogin = 'no login has worked'

/** Opens a return in other browsers, which it was not meant for, and then in its own. */
async function compared(checkup: Checkup): Promise<Verdict> {
  const person = usualPerson(checkup)
  const { visitor, returned, begun } = await loginUntilReturn(checkup, person)
  const [stranger, begunToo] = [checkup.visitor(), checkup.visitor()]
  await begin(checkup, begunToo)
  for (const [victim, which] of [
    [stranger, 'another browser'],
    [begunToo, 'another browser, which has begun a login of its own,'],
  ] as const) {
    const visit = await comeBack(victim, returned)
    const fell = crash(visit)
    if (fell !== undefined) return failed(`in ${which} ${told(fell)}`)
    if (await isLoggedIn(checkup, victim, person))
      return failed(`${which} is logged in by the return of this one`)
    if ((await checkup.facts.session(begun.serviceState)) !== undefined)
      return failed(`the return in ${which} let the site finish the login`)
    checkup.errorPages.push({ after: 'a return in another browser', answer: visit.last })
  }
  await comeBack(visitor, returned)
  return (await isLoggedIn(checkup, visitor, person))
    ? passed
    : failed('after the return was opened in another browser, it does not work in its own')
}

/**
 * Without a provider no code comes, but the state of a login that has begun is known. Whether another browser makes the site
 * ask the service about it is in the history of the service.
 */
async function comparedWithoutLogin(checkup: Checkup): Promise<Verdict> {
  const { facts, site } = checkup
  if (facts.logins === undefined) return skipped(noHistory)
  const { door, state, serviceState } = await begin(checkup, checkup.visitor())
  if (door === 'openid') return skipped('at the standard door it needs whole logins, in a sandbox')
  const query = new URLSearchParams({ provider: site.providers[0] ?? '', state, code: inventedCode(checkup) })
  const fell = crash(await comeBack(checkup.visitor(), returnWith(checkup, query.toString())))
  if (fell !== undefined) return failed(told(fell))
  const fact = await loginFact(facts, serviceState)
  return fact?.requests.some(({ request }) => request === 'finish') === true
    ? failed('another browser made the site finish the login of this one')
    : passed
}

/** A whole login, in the sandbox. */
export const loginCases: readonly Case[] = [
  {
    id: 'login-works',
    group: 'login',
    title: 'A person logs in',
    why: 'The happy path comes before all others.',
    change: 'See the log of the site, and the login in site/logins/: how far did it get?',
    needs: 'sandbox',
    run: firstLogin,
  },
  {
    id: 'finishes-once',
    group: 'login',
    title: 'A repeated return finishes nothing again',
    why: 'People reload, click twice and go back. A code is good once: the second finish fails, or opens a second session.',
    change:
      'Take the state out of the session before the finish; to a return whose state is not there show the page as it is, logged in or not.',
    needs: 'login',
    async run(checkup) {
      const { visitor, before, returned, begun, person } = doneLogin(checkup)
      const cookies = () => JSON.stringify(visitor.jar.all())
      const cookiesBefore = cookies()
      const again = await comeBack(visitor, returned)
      const fact = await loginFact(checkup.facts, begun.serviceState)
      const finishes = fact?.requests.filter(({ request }) => request === 'finish').length ?? 1
      // The second of two clicks comes with the cookies of the first.
      const fell = crash(again) ?? crash(await comeBack(before.copy(), returned))
      if (fell !== undefined) return failed(`the second time ${told(fell)}`)
      if (!(await isLoggedIn(checkup, visitor, person)))
        return failed('the second return logs the visitor out')
      if (finishes > 1) return failed(`the site asked the service ${finishes} times to finish one login`)
      return cookiesBefore === cookies()
        ? passed
        : failed('the second return opens a session again: its cookie is a new one')
    },
  },
  {
    id: 'state-compared',
    group: 'login',
    title: 'state is compared with that of this browser',
    why: 'Otherwise a stranger begins a login, agrees with an account of their own and lures your visitor to the return: the visitor is logged in as the stranger without noticing (login CSRF).',
    change:
      'Keep the state of the start in the session of the browser, and at the return do not call the service unless it is there.',
    needs: 'begin',
    async run(checkup) {
      if (checkup.sandbox === undefined) return comparedWithoutLogin(checkup)
      return checkup.login === undefined
        ? skipped('it needs a login that works, see login-works')
        : compared(checkup)
    },
  },
  {
    id: 'survives-refusal',
    group: 'login',
    title: 'A person who refuses comes back to a page that works',
    why: 'Many people press "cancel" once. They must be able to try again.',
    change: 'At the return look for error before code, and show the page with the login buttons again.',
    needs: 'login',
    async run(checkup) {
      const { visitor, returned } = await loginUntilReturn(checkup, 'refuses')
      const visit = await comeBack(visitor, returned)
      const fell = crash(visit)
      if (fell !== undefined) return failed(told(fell))
      checkup.errorPages.push({ after: 'a refusal', answer: visit.last })
      const person = usualPerson(checkup)
      if (await isLoggedIn(checkup, visitor, person)) return failed('who refused is logged in')
      const second = await loginUntilReturn(checkup, person, { visitor })
      await comeBack(visitor, second.returned)
      return (await isLoggedIn(checkup, visitor, person))
        ? passed
        : failed('after a refusal a new login does not work')
    },
  },
  {
    id: 'agrees-after-refusal',
    group: 'login',
    title: 'Who goes back after a refusal and agrees is logged in',
    why: 'A refusal does not end the login: the code comes with the same state.',
    change: 'Leave the state in the session where the return has an error.',
    needs: 'login',
    async run(checkup) {
      const { visitor, begun, returned } = await loginUntilReturn(checkup, 'refuses')
      await comeBack(visitor, returned)
      const person = usualPerson(checkup)
      const agreed = await checkup.sandbox?.decide(visitor, begun, person, checkup.returnUrl)
      if (agreed === undefined) return skipped(noLogin)
      await comeBack(visitor, agreed)
      return (await isLoggedIn(checkup, visitor, person)) ? passed : advice('the login does not go on')
    },
  },
]
