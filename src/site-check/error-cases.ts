import { setTimeout } from 'node:timers/promises'
import type { Case, Checkup, ErrorPage } from './checkup.ts'
import { failed, inventedCode, passed, skipped } from './checkup.ts'
import { readPage } from './page.ts'

/** What languages and frameworks print where a program has crashed. */
const traces = [
  /\bat .{1,80}?\(?(file:|node:|\/|[A-Z]:\\)[^\s)]*:\d+:\d+\)?/,
  /Traceback \(most recent call last\)/,
  /\bFile "[^"]+", line \d+/,
  /\bgoroutine \d+ \[/,
  /\bat [\w.$]+\([\w$]+\.(java|kt|scala):\d+\)/,
  /#\d+ [^\s]+\.php\(\d+\)/,
  /(Fatal error|Warning|Notice|Uncaught \w+):.* in .+ on line \d+/,
  /\bat [\w.]+\(.*\) in .+:line \d+/,
  /(TypeError|ReferenceError|SyntaxError|NullPointerException|PDOException|KeyError|AttributeError): /,
]

/** The pages of which something is wrong, and each thing once. */
function faults(checkup: Checkup, look: (page: ErrorPage) => string | undefined): string[] {
  const found = new Map<string, string>()
  for (const page of checkup.errorPages) {
    const fault = look(page)
    if (fault !== undefined && !found.has(fault)) found.set(fault, `${page.after}: ${fault}`)
  }
  return [...found.values()]
}

const noPages = 'no error page was seen'

/** What the pages say that the site showed in place of a login. */
export const errorCases: readonly Case[] = [
  {
    id: 'no-stack-trace',
    group: 'errors',
    title: 'No stack trace is shown',
    why: 'It shows strangers versions, paths and code, and tells visitors nothing.',
    change: 'Log the error, and show a page in your own words.',
    async run(checkup) {
      if (checkup.errorPages.length === 0) return skipped(noPages)
      const found = faults(checkup, ({ answer: { body } }) =>
        traces.some((trace) => trace.test(body)) ? 'the page holds a stack trace' : undefined,
      )
      return found.length === 0 ? passed : failed(found.join('; '))
    },
  },
  {
    id: 'repeats-no-parameter',
    group: 'errors',
    title: 'Nothing from the address is repeated on the page',
    why: 'Codes and states do not belong on pages. What is shown without being escaped, whoever writes the address can fill with scripts.',
    change: 'Choose the words by the value of error, from a list of your own, and show no parameter.',
    async run(checkup) {
      if (checkup.errorPages.length === 0) return skipped(noPages)
      const found = faults(checkup, ({ answer: { body } }) => {
        if (body.includes('<script>alert(1)</script>')) return 'the page holds a parameter as HTML'
        if (body.includes(checkup.marker)) return 'the page holds a parameter of the address'
        return [...checkup.secrets].some((secret) => body.includes(secret))
          ? 'the page holds a code or a state'
          : undefined
      })
      return found.length === 0 ? passed : failed(found.join('; '))
    },
  },
  {
    id: 'errors-are-readable',
    group: 'errors',
    title: 'Every error is a page with words for people',
    why: 'An empty page, JSON, or the words of the service for developers leave a visitor with nothing to do but go away.',
    change:
      'Show a page of yours with user_message (or your own words where there is none) and the login buttons.',
    async run(checkup) {
      if (checkup.errorPages.length === 0) return skipped(noPages)
      const found = faults(checkup, ({ answer: { body, headers, url, location } }) => {
        // It led to another host, where nothing can be seen from here.
        if (location !== undefined) return undefined
        const type = headers.get('content-type') ?? ''
        if (!/^text\/(html|plain)|xhtml/.test(type))
          return `the answer is ${type === '' ? 'of no type' : type}, and no page`
        const text = type.startsWith('text/plain') ? body : readPage(body, url).text
        if (!/\p{L}.*\p{L}/su.test(text)) return 'the page is empty'
        return /urn:auth-movies:problem|"request_id"/.test(text)
          ? 'the page shows what the service tells developers'
          : undefined
      })
      return found.length === 0 ? passed : failed(found.join('; '))
    },
  },
]

/** What stays behind. */
export const traceCases: readonly Case[] = [
  {
    id: 'not-in-logs',
    group: 'traces',
    title: 'Codes and states are not in the log of the site',
    why: 'Logs are read by many, and kept for long.',
    change: 'Leave the query out of the log at the return address, in the web server and in the application.',
    async run(checkup) {
      const { log, secrets } = checkup
      const code = inventedCode(checkup)
      if (log === undefined)
        return skipped(
          `no log was named by --log FILE. Look yourself whether ${code} is in the logs of your web server and your application: it was in the addresses of the check`,
        )
      // Programs write their logs a little later.
      await setTimeout(300)
      // What came as error and error_description may be there: it is meant for the log.
      const text = await log()
      if (text.includes(code)) return failed(`the log holds the invented code ${code}`)
      return [...secrets].some((secret) => text.includes(secret))
        ? failed('the log holds a code or a state')
        : passed
    },
  },
]
