import type { Case } from './checkup.ts'
import { advice, failed, passed, skipped } from './checkup.ts'
import { loginFact, noHistory } from './facts.ts'
import { beganLogin, begin, NotBegun, openLoginPage, press } from './login-page.ts'
import { readPage } from './page.ts'

const cookieRules =
  'Set HttpOnly, SameSite=Lax (with Strict it does not come back from the provider) and, behind https, Secure on the cookie of the session.'

/** How a login begins. */
export const startCases: readonly Case[] = [
  {
    id: 'login-begins',
    group: 'start',
    title: 'The login button leads to the provider',
    why: 'Nobody can log in, and nothing else can be tried.',
    change:
      'See the log of the site: what did the service answer to the start? The guide has a table of all its problems.',
    async run(checkup) {
      try {
        await begin(checkup, checkup.visitor())
        checkup.begun = true
        return passed
      } catch (error) {
        if (!(error instanceof NotBegun)) throw error
        const last = (await checkup.facts.logins?.())?.[0]
        const because = last?.problem ? `; the service refused the start: ${last.problem}` : ''
        const page = error.answer && readPage(error.answer.body, error.answer.url).text.slice(0, 120)
        return failed(`${error.message}${because}${page ? `; the page says: ${page}` : ''}`)
      }
    },
  },
  {
    id: 'begins-by-post',
    group: 'start',
    title: 'A login begins by POST alone',
    why: 'What begins by a link can be begun by any page, by a prefetching browser and by a bot, in the name of a visitor who did not ask for it.',
    change:
      'Begin the login in the handler of a POST, from a form with a button, and answer GET at its address with 404 or 405.',
    needs: 'begin',
    async run(checkup) {
      const visitor = checkup.visitor()
      const button = await openLoginPage(checkup, visitor)
      if (button === undefined) return skipped('the login button is not on the page')
      if (button.method === 'GET')
        return failed(`the ${button.kind} at ${button.action.pathname} begins a login by GET`)
      const visit = await press(visitor, { ...button, method: 'GET' })
      return beganLogin(visit) ? failed(`GET ${button.action.pathname} begins a login, too`) : passed
    },
  },
  {
    id: 'begins-at-home',
    group: 'start',
    title: 'The form of another site begins no login',
    why: 'A stranger’s page could begin logins in the browsers of its visitors, as a link could.',
    change:
      'Refuse a POST whose header Origin is another than your own, or whose Sec-Fetch-Site is cross-site; or put a token of the session into the form and compare it.',
    needs: 'begin',
    async run(checkup) {
      // The form of the attacker's own visit, with its hidden fields, posted by a browser that was never here.
      const button = await openLoginPage(checkup, checkup.visitor())
      if (button === undefined) return skipped('the login button is not on the page')
      if (button.method === 'GET') return skipped('it begins by GET, see begins-by-post')
      const origin = 'https://another-site.example'
      const visit = await press(checkup.visitor(), button, { crossSite: true, origin })
      return beganLogin(visit)
        ? failed(`POST ${button.action.pathname} from ${origin} begins a login`)
        : passed
    },
  },
]

/** What the site has shown of itself by the logins before. */
export const proofCases: readonly Case[] = [
  {
    id: 'sends-secret',
    group: 'start',
    title: 'The site proves itself: by its secret, or by a code_challenge',
    why: 'State and code pass through the browser. Without a proof whoever reads them there can finish the login.',
    change:
      'Send SITE_ID and SITE_SECRET by HTTP Basic with the start and the finish; then make it obligatory: npm run site -- update ID --require-secret, or ask the operator of the service.',
    needs: 'begin',
    async run(checkup) {
      const { facts, site, login } = checkup
      // Then the service refuses a login without it.
      if (site.requireSecret && login !== undefined) return passed
      if (facts.logins === undefined) return skipped(noHistory)
      const begun = login?.begun ?? (await begin(checkup, checkup.visitor()))
      const fact = await loginFact(facts, begun.serviceState)
      if (fact === undefined) return skipped('the history of the service does not have the login')
      // At the standard door the browser brings the start, so that only the finish can prove anything.
      const asked = begun.door === 'openid' ? ['finish'] : ['start', 'finish']
      const requests = fact.requests.filter(({ request }) => asked.includes(request))
      const bare = requests.filter(({ proof }) => proof === 'none').map(({ request }) => request)
      if (bare.length > 0) return failed(`the service got no secret with ${[...new Set(bare)].join(' and ')}`)
      return requests.length === 0 ? skipped('it shows at the finish, which needs a whole login') : passed
    },
  },
  {
    id: 'secret-is-obligatory',
    group: 'start',
    title: 'The service takes no login of this site without its secret',
    why: 'What the site sends protects it only where a stranger who leaves it out is refused.',
    change:
      'Once all servers of the site send the secret: npm run site -- update ID --require-secret, or ask the operator of the service.',
    async run({ site }) {
      if (site.native) return skipped('an application on people’s own devices has no secret')
      return site.requireSecret ? passed : advice('the secret is not obligatory for this site')
    },
  },
  {
    id: 'session-cookie',
    group: 'start',
    title: 'The cookie of the session is HttpOnly, SameSite=Lax and, behind https, Secure',
    why: 'A cookie without HttpOnly is read by any script of the page, and one without SameSite goes along with requests of strangers’ pages.',
    change: cookieRules,
    needs: 'begin',
    async run(checkup) {
      const { login } = checkup
      const visitor = login?.visitor ?? checkup.visitor()
      if (login === undefined) await begin(checkup, visitor)
      // Tokens against CSRF are there for scripts; a short value is a setting and no session.
      const cookies = visitor.jar
        .all()
        .filter(
          ({ name, value, host }) =>
            host === checkup.loginUrl.hostname && value.length >= 16 && !/csrf|xsrf/i.test(name),
        )
      if (cookies.length === 0) return skipped('no cookie was set that could name a session')
      const faults = cookies.flatMap(({ name, httpOnly, secure, sameSite }) => [
        ...(httpOnly ? [] : [`${name} has no HttpOnly`]),
        ...(secure || checkup.loginUrl.protocol !== 'https:' ? [] : [`${name} has no Secure`]),
        ...(sameSite === 'lax'
          ? []
          : [`${name} has ${sameSite === undefined ? 'no SameSite' : `SameSite=${sameSite}`}`]),
      ])
      return faults.length === 0 ? passed : failed(faults.join(', '))
    },
  },
]
