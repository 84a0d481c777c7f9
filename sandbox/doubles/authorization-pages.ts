import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { bodyOf, queryOf } from '../web.ts'
import type { Authorization, RedirectUris } from './consent.ts'
import { AuthorizationRefused, allow, authorize, deny } from './consent.ts'
import { sendFormPost } from './form-post.ts'
import type { FindLoginFault, Journey, LoginFault } from './login-fault.ts'
import { DetourImpossible } from './login-fault.ts'
import { consentPage, loginPage, personOf, refusedPage } from './pages.ts'
import type { DoublePerson } from './people.ts'
import { personByKey } from './people.ts'
import type { CommonSwitches, Context, ProviderRules } from './provider-rules.ts'
import { contextOf } from './provider-rules.ts'

/** What the authorization endpoint needs of its double. */
interface AuthorizationParts<S extends CommonSwitches> {
  readonly rules: ProviderRules<S>
  readonly context: Context<S>
  readonly redirectUris: RedirectUris
  readonly findFault: FindLoginFault
  readonly journeys: Pick<Journey, 'provider' | 'callbackMethod' | 'consent' | 'rotateKeys'>
}

/** An authorization request that may be answered, and what goes wrong with its login. */
interface Checked {
  readonly authorization: Authorization
  readonly fault: LoginFault | undefined
}

/** The form of the first page as it was sent, added to the query of the authorization URL: which account was chosen. */
const chosenParameter = 'sandbox_chosen'

/** Logins that were refused once, at most: enough for a sandbox that runs for days. */
const maxRefused = 1_000

/** The authorization endpoint: what a browser sees. */
export function authorizationPages<S extends CommonSwitches>(
  parts: AuthorizationParts<S>,
): FastifyPluginAsync {
  const { rules, redirectUris, findFault, journeys } = parts
  const refusedOnce = new Set<string>()

  const sendBack = (reply: FastifyReply, callback: string, status: 302 | 303) =>
    rules.callbackMethod === 'POST' ? sendFormPost(reply, callback) : reply.redirect(callback, status)

  const refuse = (reply: FastifyReply, { authorization }: Checked, error: string, status: 302 | 303) =>
    sendBack(reply, deny(authorization, error, undefined, rules), status)

  async function checked(request: FastifyRequest, reply: FastifyReply): Promise<Checked | undefined> {
    try {
      const query = queryOf(request)
      const authorization = authorize(query, rules, parts.context, redirectUris)
      return { authorization, fault: findFault(query) }
    } catch (error) {
      if (!(error instanceof AuthorizationRefused)) throw error
      await refusedPage(request, reply, rules, error)
      return undefined
    }
  }

  /** The person has allowed: sends the browser back, by whatever way the login's fault has for it. */
  async function sendAllowed(
    request: FastifyRequest,
    reply: FastifyReply,
    { authorization, fault }: Checked,
    person: DoublePerson,
    status: 302 | 303,
  ): Promise<FastifyReply> {
    const context = contextOf(parts.context, fault)
    const callback = allow(authorization, { person, ...(fault && { fault }) }, rules, context)
    if (fault?.detour === undefined) return sendBack(reply, callback, status)
    const state = authorization.request.get('state') ?? ''
    try {
      const way = await fault.detour({
        ...journeys,
        callback,
        state,
        authorizeUrl: new URL(request.url, context.origin).href,
        host: request.hostname,
        cookie: request.headers.cookie,
      })
      if ('callback' in way) return sendBack(reply, way.callback, status)
      return reply.header('set-cookie', [...(way.setCookies ?? [])]).redirect(way.url, status)
    } catch (error) {
      if (!(error instanceof DetourImpossible)) throw error
      return refusedPage(request, reply, rules, new AuthorizationRefused(error.message, 409))
    }
  }

  /** Whether the person refuses this time and will go back. */
  function refusesFirst({ authorization, fault }: Checked): boolean {
    const state = authorization.request.get('state') ?? ''
    if (fault?.refusedFirst !== true || refusedOnce.has(state)) return false
    const [oldest] = refusedOnce
    if (oldest !== undefined && refusedOnce.size >= maxRefused) refusedOnce.delete(oldest)
    refusedOnce.add(state)
    return true
  }

  return async (app) => {
    app.get(rules.paths.authorize, async (request, reply) => {
      const asked = await checked(request, reply)
      if (asked === undefined) return reply
      const { authorization, fault } = asked
      const { error, request: query } = authorization
      if (error !== undefined)
        return sendBack(reply, deny(authorization, error.error, error.description, rules), 302)
      const { refuseWith } = contextOf(parts.context, fault).switches
      if (refuseWith !== undefined) return refuse(reply, asked, refuseWith, 302)
      if (refusesFirst(asked)) return refuse(reply, asked, 'access_denied', 302)
      const person = personByKey(query.get('sandbox_person'))
      if (person !== undefined) return sendAllowed(request, reply, asked, person, 302)
      const chosen = query.get(chosenParameter)
      return chosen === null
        ? loginPage(request, reply, rules)
        : consentPage(request, reply, { rules, authorization, form: new URLSearchParams(chosen) })
    })

    // The forms of all pages post to the authorization URL itself, so that its query stays unchanged.
    app.post(rules.paths.authorize, async (request, reply) => {
      const asked = await checked(request, reply)
      if (asked === undefined) return reply
      const form = new URLSearchParams(bodyOf(request))
      switch (form.get('decision')) {
        case 'allow':
          return sendAllowed(request, reply, asked, personOf(form), 303)
        case 'deny':
          return refuse(reply, asked, 'access_denied', 303)
        default:
          // The second page has a URL of its own, so that the browser's "back" shows it again and the person can decide anew.
          return reply.redirect(
            `${request.url}&${new URLSearchParams({ [chosenParameter]: form.toString() }).toString()}`,
            303,
          )
      }
    })
  }
}
