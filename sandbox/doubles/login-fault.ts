import type { Fault } from './faults.ts'
import type { IdTokenSpoiling } from './id-token.ts'
import type { DoublePerson } from './people.ts'
import type { CommonSwitches } from './provider-rules.ts'

/** How one login goes wrong at a double, while other logins through the same double are as they were. */
export interface LoginFault {
  /** Switches that hold for this login alone. */
  readonly switches?: Partial<CommonSwitches> & { readonly idToken?: IdTokenSpoiling }
  /** Changes the person who logs in, whoever is chosen on the page. */
  readonly person?: Partial<DoublePerson>
  /** The authorization endpoint refuses when it is first opened, and works when the person goes back to it. */
  readonly refusedFirst?: boolean
  /** The code that is issued. */
  readonly code?: string
  /** Somebody else has exchanged the code already. */
  readonly codeSpent?: boolean
  /** How the endpoints respond to the requests that bring the code, or an access token, of this login. */
  readonly endpoints?: Readonly<Partial<Record<'token' | 'userinfo', Fault>>>
  /** Milliseconds that the token endpoint waits before it responds. */
  readonly tokenDelay?: number
  /** What happens on the way back to the service, after the person has allowed. */
  readonly detour?: Detour
}

/** Finds out what is wrong with a login, by its authorization request; undefined where nothing is. */
export type FindLoginFault = (request: URLSearchParams) => LoginFault | undefined

/** Takes the browser another way back than directly to the callback. */
export type Detour = (journey: Journey) => Promise<Way>

/** A person's way back from the provider. */
export interface Journey {
  readonly provider: string
  /** The callback URL of the service, with the parameters of the authorization response in its query. */
  readonly callback: string
  /** POST: they go into a form there. */
  readonly callbackMethod: 'GET' | 'POST'
  /** The state of the authorization request. */
  readonly state: string
  /** The authorization URL that the browser opened. */
  readonly authorizeUrl: string
  /** The host name under which the browser reaches the double. */
  readonly host: string
  /** What the browser sent: cookies belong to a host name, whatever the port, so those of a site on it are among them. */
  readonly cookie: string | undefined
  /** Allows another authorization request. @returns the callback URL */
  readonly consent: (authorizeUrl: string, person?: DoublePerson) => Promise<string>
  /** Replaces the keys that sign ID tokens, and waits until a client would fetch new ones; nothing where there are none. */
  readonly rotateKeys: () => Promise<void>
}

/** Where the browser goes: to a callback in the way of this provider, or to any other URL by a redirect. */
export type Way =
  | { readonly callback: string }
  | { readonly url: string; readonly setCookies?: readonly string[] }

/** A detour cannot be taken; the message says why, and what to do by hand. The double shows it as a page. */
export class DetourImpossible extends Error {
  override readonly name = 'DetourImpossible'
}
