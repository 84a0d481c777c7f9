import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { loginHash, loginId } from '../login/login.ts'
import { SiteLogins } from '../login-history/routes.ts'
import { findSessionOfLogin } from '../sessions/open-session.ts'
import type { Database } from '../storage/postgres.ts'
import { CannotCheck } from './report.ts'

/** A login as the service's history tells it. */
export type LoginFact = Static<typeof SiteLogins>['logins'][number]

/** What the service itself knows of the logins of the check. */
export interface Facts {
  /** The session that a login opened; undefined where it opened none. */
  readonly session: (state: string) => Promise<{ readonly living: boolean } | undefined>
  /** The logins since the check began, newest first. Absent where the history cannot be read. */
  readonly logins?: () => Promise<readonly LoginFact[]>
}

/** Where facts come from. */
export interface FactsOptions {
  readonly database: Database
  readonly service: URL
  readonly siteId: string
  /** Without it the history, which is told to the site alone, is left out. */
  readonly secret: string | undefined
  /** Milliseconds for an answer of the service. */
  readonly timeout: number
}

/** Reads sessions from the database, and the history of logins from the service, as the site would. */
export function createFacts({ database, service, siteId, secret, timeout }: FactsOptions): Facts {
  const since = new Date(Date.now() - 1_000).toISOString()
  const session = (state: string) => findSessionOfLogin(database, loginHash(state))
  if (secret === undefined) return { session }
  return {
    session,
    logins: async () => {
      const url = new URL(`/api/v1/site/logins/?${new URLSearchParams({ since, limit: '200' })}`, service)
      const authorization = `Basic ${Buffer.from(`${siteId}:${secret}`).toString('base64')}`
      const signal = AbortSignal.timeout(timeout)
      const response = await fetch(url, { headers: { authorization }, redirect: 'error', signal }).catch(
        () => {
          throw new CannotCheck(
            `The service does not answer at ${service.origin}: does it run, and is PUBLIC_URL right?`,
          )
        },
      )
      if (response.status === 401) throw new CannotCheck('SITE_SECRET is not a secret of this site.')
      const body: unknown = await response.json().catch(() => undefined)
      if (!Value.Check(SiteLogins, body))
        throw new CannotCheck(`The service answered ${response.status} to a question for the site's logins.`)
      return body.logins
    },
  }
}

/** The login with this state, where the history can be read and has it. */
export async function loginFact({ logins }: Facts, state: string): Promise<LoginFact | undefined> {
  const id = loginId(state)
  return (await logins?.())?.find((login) => login.id === id)
}

/** Why facts of the history are not to be had. */
export const noHistory =
  "the service tells the site's history only to who has its secret: set SITE_SECRET to one of the site"
