import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { Authorization } from './consent.ts'
import { AuthorizationRefused, allow, authorize, deny } from './consent.ts'
import { consentPage, loginPage, personOf, refusedPage } from './consent-pages.ts'
import type {
  Answer,
  CommonSwitches,
  Endpoint,
  ProviderDouble,
  RecordedRequest,
  RedirectUris,
} from './double.ts'
import { Grants } from './grants.ts'
import { Misbehaviour } from './misbehaviour.ts'
import { personByKey } from './people.ts'
import type { Context, EndpointRequest, Rules } from './rules.ts'

/** A double that is not yet served: its plugin can be mounted under any prefix of any server. */
export interface UnservedDouble<Switches extends CommonSwitches> {
  readonly plugin: FastifyPluginAsync
  /** Says where it is served and how that ends; from then on it is usable. */
  serveAt(origin: string, close: () => Promise<void>): ProviderDouble<Switches>
}

/** The parts of one double that its addresses and its levers share. */
interface Parts<S extends CommonSwitches> {
  readonly rules: Rules<S>
  readonly redirectUris: RedirectUris
  readonly context: Context<S> & { origin: string }
  readonly misbehaviour: Misbehaviour
  readonly requests: RecordedRequest[]
}

/** Who was chosen on the first page, as its form was sent; added to the query of the authorization URL. */
const chosenParameter = 'sandbox_chosen'

/** What is remembered of requests: enough for a test, not enough to fill the memory of a sandbox. */
const keptRequests = 5_000

/** Makes a provider's double of its rules. */
export function createDouble<S extends CommonSwitches>(
  rules: Rules<S>,
  redirectUris: RedirectUris,
): UnservedDouble<S> {
  const parts: Parts<S> = {
    rules,
    redirectUris,
    context: { origin: '', client: rules.client, grants: new Grants(), switches: rules.switches() },
    misbehaviour: new Misbehaviour(),
    requests: [],
  }
  return {
    plugin: async (app) => {
      app.addHook('preHandler', async (request) => record(parts.requests, request, app.prefix))
      app.setNotFoundHandler(async (_request, reply) =>
        reply.code(404).type('text/html').send('<h1>404</h1>'),
      )
      await app.register(authorizationPages(parts))
      await app.register(endpoints(parts))
    },
    serveAt: (origin, close) => {
      parts.context.origin = origin
      return levers(parts, close)
    },
  }
}

/** The authorization endpoint: what a browser sees. */
function authorizationPages<S extends CommonSwitches>(parts: Parts<S>): FastifyPluginAsync {
  const { rules, context, redirectUris } = parts
  const { switches } = context

  async function checked(request: FastifyRequest, reply: FastifyReply): Promise<Authorization | undefined> {
    try {
      return authorize(queryOf(request), rules, context, redirectUris)
    } catch (error) {
      if (!(error instanceof AuthorizationRefused)) throw error
      await refusedPage(request, reply, rules, error)
      return undefined
    }
  }

  return async (app) => {
    app.get(rules.paths.authorize, async (request, reply) => {
      const authorization = await checked(request, reply)
      if (authorization === undefined) return reply
      const { error, request: query } = authorization
      if (error !== undefined)
        return reply.redirect(deny(authorization, error.error, error.description, rules))
      if (switches.refuseWith !== undefined)
        return reply.redirect(deny(authorization, switches.refuseWith, undefined, rules))
      const person = personByKey(query.get('sandbox_person'))
      if (person !== undefined) return reply.redirect(allow(authorization, { person }, rules, context))
      const chosen = query.get(chosenParameter)
      return chosen === null
        ? loginPage(request, reply, rules)
        : consentPage(request, reply, { rules, authorization, form: new URLSearchParams(chosen) })
    })

    // Every step of the pages posts to the authorization URL itself, so that its query goes through untouched.
    app.post(rules.paths.authorize, async (request, reply) => {
      const authorization = await checked(request, reply)
      if (authorization === undefined) return reply
      const form = new URLSearchParams(bodyOf(request))
      switch (form.get('decision')) {
        case 'allow':
          return reply.redirect(allow(authorization, { person: personOf(form) }, rules, context), 303)
        case 'deny':
          return reply.redirect(deny(authorization, 'access_denied', undefined, rules), 303)
        default:
          // A page of its own by GET: "back" from the site leads to it again, and the person may decide otherwise.
          return reply.redirect(
            `${request.url}&${new URLSearchParams({ [chosenParameter]: form.toString() }).toString()}`,
            303,
          )
      }
    })
  }
}

/** The addresses that the service itself calls. */
function endpoints<S extends CommonSwitches>({ rules, context, misbehaviour }: Parts<S>): FastifyPluginAsync {
  const handler =
    (name: Endpoint | undefined, answer: (request: EndpointRequest) => Answer | Promise<Answer>) =>
    async (request: FastifyRequest, reply: FastifyReply) =>
      misbehaviour.reply(name, reply, async () =>
        answer({ headers: request.headers, query: queryOf(request), body: bodyOf(request) }),
      )
  return async (app) => {
    app.post(
      rules.paths.token,
      handler('token', (request) => rules.token(request, context)),
    )
    app.get(
      rules.paths.userinfo,
      handler('userinfo', (request) => rules.userinfo(request, context)),
    )
    for (const { method, path, endpoint, answer } of rules.routes)
      app.route({ method, url: path, handler: handler(endpoint, (request) => answer(request, context)) })
  }
}

/** What tests and the menu hold in their hands. */
function levers<S extends CommonSwitches>(parts: Parts<S>, close: () => Promise<void>): ProviderDouble<S> {
  const { rules, context, redirectUris, misbehaviour, requests } = parts
  const check = (authorizeUrl: string) =>
    authorize(new URL(authorizeUrl).searchParams, rules, context, redirectUris)
  const prefix = rules.name.toUpperCase()
  return {
    name: rules.name,
    origin: context.origin,
    env: {
      [`${prefix}_CLIENT_ID`]: rules.client.id,
      [`${prefix}_CLIENT_SECRET`]: rules.client.secret,
      [`${prefix}_AUTHORIZE_URL`]: context.origin + rules.paths.authorize,
      [`${prefix}_TOKEN_URL`]: context.origin + rules.paths.token,
      [`${prefix}_USERINFO_URL`]: context.origin + rules.paths.userinfo,
      ...rules.env(context.origin),
    },
    requests,
    switches: context.switches,
    consent: async (authorizeUrl, options = {}) => {
      const authorization = check(authorizeUrl)
      if (authorization.error === undefined) return allow(authorization, options, rules, context)
      throw new Error(`${rules.name} declines this request: ${authorization.error.error}`)
    },
    refuse: async (authorizeUrl, error = 'access_denied') =>
      deny(check(authorizeUrl), error, undefined, rules),
    fault: (endpoint, fault, times) => misbehaviour.fault(endpoint, fault, times),
    answer: (endpoint, answer, times) => misbehaviour.answer(endpoint, answer, times),
    close,
  }
}

function record(requests: RecordedRequest[], request: FastifyRequest, prefix: string): void {
  const path = (request.url.split('?', 1)[0] ?? '').slice(prefix.length)
  const { method, headers } = request
  requests.push({ method, path, query: queryOf(request), headers, body: bodyOf(request) })
  if (requests.length > keptRequests) requests.shift()
}

function queryOf({ url }: FastifyRequest): URLSearchParams {
  return new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?') + 1) : '')
}

function bodyOf({ body }: FastifyRequest): string {
  return typeof body === 'string' ? body : ''
}
