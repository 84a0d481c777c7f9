import { randomBytes } from 'node:crypto'
import type { Case, Checkup, Verdict } from './checkup.ts'
import { failed, inventedCode, passed, returnWith } from './checkup.ts'
import { crash, told } from './look.ts'
import type { RequestOptions } from './visitor.ts'

const crashed =
  'The handler of the return address meets what it did not expect, and anybody can open that address.'
const refuse =
  'Look at state first: where it is not in the session of this browser, show a page with the login button, and read nothing else.'

/** Opens the return address as a browser that is not logged in, and looks whether the site survives it. */
async function survives(
  checkup: Checkup,
  after: string,
  queries: readonly string[],
  options: RequestOptions = {},
): Promise<Verdict> {
  const seen: string[] = []
  for (const query of queries) {
    const visit = await checkup.visitor().open(returnWith(checkup, query), { crossSite: true, ...options })
    const fell = crash(visit, options.method === 'HEAD' ? [501] : [])
    if (fell !== undefined) seen.push(told(fell))
    else if (options.method !== 'HEAD') checkup.errorPages.push({ after, answer: visit.last })
  }
  return seen.length === 0 ? passed : failed([...new Set(seen)].join(', '))
}

/** A state as the service makes them, which it never made. */
function foreignState({ secrets }: Checkup): string {
  const state = randomBytes(32).toString('base64url')
  secrets.add(state)
  return state
}

/** The parameters of a return that nobody made, in the form of a right one. */
function forged(checkup: Checkup, changes: Readonly<Record<string, string | undefined>> = {}): string {
  const all = {
    provider: checkup.site.providers[0] ?? 'none',
    state: foreignState(checkup),
    code: inventedCode(checkup),
    ...changes,
  }
  return new URLSearchParams(
    Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  ).toString()
}

/** What anybody can do to the return address. No login is needed, so that it works with every service. */
export const returnCases: readonly Case[] = [
  {
    id: 'return-foreign-state',
    group: 'return',
    title: 'A return with a state that the site never got is survived',
    why: crashed,
    change: refuse,
    run: (checkup) => survives(checkup, 'a return with a foreign state', [forged(checkup)]),
  },
  {
    id: 'return-without-state',
    group: 'return',
    title: 'A return without state, or with an empty one, is survived',
    why: crashed,
    change: refuse,
    run: (checkup) =>
      survives(checkup, 'a return without state', [
        forged(checkup, { state: undefined }),
        forged(checkup, { state: '' }),
      ]),
  },
  {
    id: 'return-bare',
    group: 'return',
    title: 'The return address is survived without any parameter',
    why: 'People keep it as a bookmark, and bots find it.',
    change: refuse,
    run: (checkup) => survives(checkup, 'a return without parameters', ['']),
  },
  {
    id: 'return-foreign-error',
    group: 'return',
    title: 'An error with a foreign state is survived',
    why: crashed,
    change: refuse,
    run: (checkup) =>
      survives(checkup, 'an error with a foreign state', [
        forged(checkup, {
          code: undefined,
          error: 'access_denied',
          error_description: `${checkup.marker}-words`,
        }),
        forged(checkup, { code: undefined, error: `${checkup.marker}-error` }),
      ]),
  },
  {
    id: 'return-rubbish',
    group: 'return',
    title: 'Repeated, nested and broken parameters are survived',
    why: crashed,
    change:
      'Take each parameter for a text only where it is one, and treat anything else as if it were missing.',
    run: (checkup) =>
      survives(checkup, 'a return with rubbish', [
        'state[]=1&state[x][y]=2&code[]=3&provider[]=4',
        'state=1&state=2&code=3&code=4&error=5&error=6',
        'state=%FF%FE&code=%00&provider=%80',
        'state=__proto__&code=constructor&provider=toString&error=hasOwnProperty',
        'state&code&provider&error',
        `state=%3Cb%3E${checkup.marker}&error=%3Cscript%3Ealert(1)%3C/script%3E&provider=../..`,
      ]),
  },
  {
    id: 'return-long-code',
    group: 'return',
    title: 'A code of 4,096 characters is survived',
    why: 'Codes of some providers have thousands of characters; one that is cut off is refused.',
    change: 'Allow addresses of 8 kB in your web server, and cut nothing off.',
    run: (checkup) =>
      survives(checkup, 'a return with a long code', [
        forged(checkup, { code: inventedCode(checkup).padEnd(4_096, 'x') }),
      ]),
  },
  {
    id: 'return-head',
    group: 'return',
    title: 'HEAD at the return address is survived',
    why: 'Scanners of links and previews ask so, before the person or in place of them.',
    change: 'Answer HEAD without finishing anything: 404, 405 and 501 will do.',
    run: (checkup) => survives(checkup, 'HEAD', [forged(checkup)], { method: 'HEAD' }),
  },
]
