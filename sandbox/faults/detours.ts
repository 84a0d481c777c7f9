import type { Detour, Journey } from '../doubles/login-fault.ts'
import { DetourImpossible } from '../doubles/login-fault.ts'
import { people } from '../doubles/people.ts'
import type { LoginClock } from './login-clock.ts'

/** What the detours need of the service that the sandbox runs with. */
export interface DetourServices {
  readonly clock: LoginClock
  /** Starts a login for a registered redirect URL, as the backend of its site does. @returns its authorization URL */
  readonly startLogin: (provider: string, redirectUrl: string) => Promise<string>
}

const minute = 60_000

/** Milliseconds that the sandbox waits for a page of a site. */
const patience = 15_000

/** What can happen to a browser on the way from the provider back to the site. */
export function createDetours({ clock, startLogin }: DetourServices) {
  return {
    /** The person left the provider's page open for an hour. */
    'an-hour': async ({ callback, state }) => {
      clock.age(state, 60 * minute, 'now')
      return { callback }
    },

    /** The site finishes when the ten minutes that it has after the code are over. */
    'finish-late': async ({ callback, state }) => {
      clock.age(state, 11 * minute, 'code')
      return { callback }
    },

    /** Two clicks are two requests and two codes. The browser drops the answer to the first, but the service has seen it. */
    'two-clicks': async (journey) => {
      await openCallback(journey, await journey.consent(journey.authorizeUrl))
      return { callback: journey.callback }
    },

    /** A browser loads ahead, and a scanner of links follows every redirect: both without the cookies of the person. */
    prefetch: async (journey) => {
      if (journey.callbackMethod === 'GET') await open(journey.callback, { 'sec-purpose': 'prefetch' })
      const site = await openCallback(journey, journey.callback)
      if (site !== undefined) await open(site)
      return { callback: journey.callback }
    },

    /** The browser of an app opens the callback without the parameters in its query. */
    'no-parameters': async ({ callback }) => ({ callback: callback.split('?', 1)[0] ?? callback }),

    /**
     * An extension sends the request for the site's return URL twice. The sandbox can do that only for a site on its own host
     * name, whose cookies the browser sends to it as well; for any other it repeats the callback.
     */
    'return-twice': async (journey) => {
      const site = await openCallback(journey, journey.callback)
      if (site === undefined || !isOnHostOf(site, journey)) return { callback: journey.callback }
      const response = await open(site, journey.cookie === undefined ? {} : { cookie: journey.cookie })
      return { url: site, setCookies: response?.headers.getSetCookie() ?? [] }
    },

    /** An attacker began a login, allowed it, and leads another person's browser to the return URL (login CSRF). */
    'state-of-another': async (journey) => {
      const redirectUrl = await clock.redirectUrlOf(journey.state)
      if (redirectUrl === undefined)
        throw new DetourImpossible('The service of this sandbox knows no such login.')
      const authorizeUrl = await startLogin(journey.provider, redirectUrl)
      const url = await openCallback(journey, await journey.consent(authorizeUrl, people.boris))
      if (url === undefined) throw new DetourImpossible('The service did not redirect the other login.')
      return { url }
    },

    /** The provider replaces the keys that sign ID tokens. */
    'new-keys': async ({ callback, rotateKeys }) => {
      await rotateKeys()
      return { callback }
    },
  } as const satisfies Record<string, Detour>
}

/** The name of a detour. */
export type DetourName = keyof ReturnType<typeof createDetours>

/** Opens a callback URL as a browser without cookies. @returns where the service redirects it, if it does */
async function openCallback({ callbackMethod }: Journey, callback: string): Promise<string | undefined> {
  const { origin, pathname, searchParams } = new URL(callback)
  const response =
    callbackMethod === 'GET'
      ? await open(callback)
      : await fetch(origin + pathname, {
          method: 'POST',
          body: searchParams,
          redirect: 'manual',
          signal: AbortSignal.timeout(patience),
        })
  return response?.headers.get('location') ?? undefined
}

/** Opens a page without following its redirect. @returns undefined where it does not respond, which is the site's matter */
async function open(url: string, headers: Record<string, string> = {}): Promise<Response | undefined> {
  try {
    const response = await fetch(url, { headers, redirect: 'manual', signal: AbortSignal.timeout(patience) })
    await response.body?.cancel()
    return response
  } catch {
    return undefined
  }
}

/** Whether the browser sends the cookies of this site to the sandbox, too. */
function isOnHostOf(site: string, { host }: Journey): boolean {
  return new URL(site).hostname === host
}
