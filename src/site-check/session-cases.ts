import type { Case } from './checkup.ts'
import { advice, failed, passed, skipped } from './checkup.ts'
import { crash, isLoggedIn, look, told } from './look.ts'
import { readPage } from './page.ts'
import { comeBack, doneLogin, loginUntilReturn, usualPerson } from './try-login.ts'

/** A signed token (RFC 7519). */
const token = /eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}/

const logoutWords = /log.?out|log.?off|sign.?out|выйти|выход/i

/** What a login has left in the browser, and how it ends. */
export const sessionCases: readonly Case[] = [
  {
    id: 'session-renewed',
    group: 'login',
    title: 'The session gets a new id by the login',
    why: 'Who put an id of a session into the browser beforehand would otherwise be logged in along with the visitor (session fixation).',
    change:
      'After a successful finish give the browser a new session id, and let the old one be worth nothing.',
    needs: 'login',
    async run(checkup) {
      const { before, person } = doneLogin(checkup)
      return (await isLoggedIn(checkup, before.copy(), person))
        ? failed('the cookies from before the login are logged in now')
        : passed
    },
  },
  {
    id: 'code-stays-private',
    group: 'login',
    title: 'State and code do not stay in the address, and are not passed on',
    why: 'What stays in the address goes into the history, into screenshots, into statistics, and as Referer to whatever the page loads.',
    change:
      'After the finish redirect (303) to an address without state and code. Answer with Referrer-Policy: no-referrer or same-origin.',
    needs: 'login',
    async run(checkup) {
      const { visit, returned } = doneLogin(checkup)
      const secrets = ['state', 'code'].flatMap((name) => returned.searchParams.get(name) ?? [])
      const holds = (url: URL) => secrets.some((secret) => decodeURIComponent(url.href).includes(secret))
      const shown = visit.answers.find(({ url, location }) => location === undefined && holds(url))
      const unsafe = visit.answers.find(
        ({ headers, url }) =>
          holds(url) && /unsafe-url|no-referrer-when-downgrade/.test(headers.get('referrer-policy') ?? ''),
      )
      const policy = shown && (shown.headers.get('referrer-policy') ?? 'none')
      const loads =
        shown && readPage(shown.body, shown.url).loads.filter(({ origin }) => origin !== shown.url.origin)
      if (shown !== undefined)
        return failed(
          `the page at ${shown.url.pathname} is shown with state and code in its address (Referrer-Policy: ${policy})${loads?.[0] ? `, and loads from ${loads[0].host}` : ''}`,
        )
      if (visit.outside !== undefined && holds(visit.outside.url))
        return failed(`they are sent to ${visit.outside.url.host}`)
      return unsafe === undefined
        ? passed
        : failed(`${told(unsafe)} with Referrer-Policy: ${unsafe.headers.get('referrer-policy')}`)
    },
  },
  {
    id: 'not-cached',
    group: 'login',
    title: 'No cache keeps the page of somebody who is logged in',
    why: 'A cache between browser and site could show one visitor the page of another.',
    change: 'Answer with Cache-Control: no-store (or private) wherever the page depends on the session.',
    needs: 'login',
    async run(checkup) {
      const { visitor, visit, person } = doneLogin(checkup)
      const answers = [...visit.answers, (await look(checkup, visitor, person)).answer]
      const policies = answers.map((answer) => ({
        answer,
        policy: answer.headers.get('cache-control') ?? '',
      }))
      const kept = policies.find(
        ({ policy }) => !/no-store|private|no-cache/.test(policy) && /public|max-age=[1-9]/.test(policy),
      )
      if (kept !== undefined) return failed(`${told(kept.answer)} with Cache-Control: ${kept.policy}`)
      const bare = policies.find(({ policy, answer }) => policy === '' && answer.status === 200)
      return bare === undefined ? passed : advice(`${told(bare.answer)} without Cache-Control`)
    },
  },
  {
    id: 'tokens-stay-inside',
    group: 'login',
    title: 'Tokens are neither in the page nor in a cookie that scripts read',
    why: 'Any script in the page, and any extension of the browser, could take them and act as the person.',
    change: 'Keep both tokens on your server, and give the browser the random id of a session alone.',
    needs: 'login',
    async run(checkup) {
      const { visitor, visit, person } = doneLogin(checkup)
      const answers = [...visit.answers, (await look(checkup, visitor, person)).answer]
      const shown = answers.find(({ body }) => token.test(body))
      if (shown !== undefined) return failed(`the page at ${shown.url.pathname} holds a token`)
      const cookie = visitor.jar.all().find(({ value, httpOnly }) => !httpOnly && token.test(value))
      return cookie === undefined ? passed : failed(`the cookie ${cookie.name} holds a token`)
    },
  },
  {
    id: 'logs-out',
    group: 'login',
    title: 'Who logs out is logged out, here and at the service',
    why: 'A session that goes on after the logout is open to whoever has the computer, or the cookie, next.',
    change:
      'Delete the session on your server, send refresh_token to revoke/, and give the browser a new session id.',
    needs: 'login',
    async run(checkup) {
      const person = usualPerson(checkup)
      const { visitor, begun, returned } = await loginUntilReturn(checkup, person)
      await comeBack(visitor, returned)
      const { last } = await visitor.open(checkup.memberUrl)
      const button = readPage(last.body, last.url).controls.find(({ label, action }) =>
        logoutWords.test(`${label} ${action.pathname}`),
      )
      if (button === undefined) return skipped('there is no button on the page that says "log out"')
      if (button.method === 'GET') return advice('the logout is a link: any page can log visitors out')
      const old = visitor.copy()
      const fell = crash(await visitor.open(button.action, { form: button.fields }))
      if (fell !== undefined) return failed(told(fell))
      if (await isLoggedIn(checkup, visitor, person)) return failed('the visitor is still logged in')
      if (await isLoggedIn(checkup, old, person))
        return failed('the cookies from before the logout are still good')
      const session = await checkup.facts.session(begun.serviceState)
      return session?.living === true
        ? failed('the session at the service goes on: nobody sent its refresh_token to revoke/')
        : passed
    },
  },
]
