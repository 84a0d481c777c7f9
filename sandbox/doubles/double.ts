import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { bodyOf, newServer } from '../web.ts'
import type { Authorization, ConsentOptions, RedirectUris } from './consent.ts'
import { AuthorizationRefused, allow, authorize, deny } from './consent.ts'
import type { Endpoint, Fault, RawResponse } from './faults.ts'
import { Misbehaviour } from './faults.ts'
import { sendFormPost } from './form-post.ts'
import { Grants } from './grants.ts'
import { consentPage, loginPage, personOf, refusedPage } from './pages.ts'
import { personByKey } from './people.ts'
import type { CommonSwitches, Context, EndpointRequest, ProviderRules } from './provider-rules.ts'

/** A request as a double received it, so that a test can check where credentials, code and token were. */
export interface RecordedRequest {
  readonly method: string
  /** '/token', without the prefix under which the double is mounted. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** As sent; '' if there was none. */
  readonly body: string
}

/** A provider's double: its endpoints over HTTP, and what tests and the sandbox's menu control. */
export interface ProviderDouble<Switches extends CommonSwitches = CommonSwitches> {
  /** 'yandex': the value of `provider`. */
  readonly name: string
  /** `http://127.0.0.1:PORT`, followed by the prefix under which the double is mounted, if any. */
  readonly origin: string
  /** How its authorization response reaches the callback: POST means that the query of a callback URL goes into a form. */
  readonly callbackMethod: 'GET' | 'POST'
  /** The variables that point the service to this double: `YANDEX_CLIENT_ID`, `YANDEX_TOKEN_URL` and so on. */
  readonly env: Readonly<Record<string, string>>
  /** The latest requests, oldest first; a test may clear it (`length = 0`). */
  readonly requests: RecordedRequest[]
  readonly switches: Switches
  /**
   * Does what the consent page does after "Allow": issues a code for an authorization URL of the service.
   * @param options.code is issued exactly as given
   * @param options.extra callback parameters, each as often as listed; they replace the provider's own of the same name
   * @returns the callback URL with the provider's usual extra parameters
   * @throws {Error} if the provider would show an error page instead of the consent page
   */
  consent(authorizeUrl: string, options?: ConsentOptions): Promise<string>
  /** Does what the consent page does after "Deny"; returns the callback URL. */
  refuse(authorizeUrl: string, error?: string): Promise<string>
  /** Makes the next `times` requests to an endpoint fail; without `times` all of them, until `undefined` clears it. */
  fault(endpoint: Endpoint, fault: Fault | undefined, times?: number): void
  /** Sets a fixed response likewise, which takes precedence over a fault. The request is not processed. */
  answer(endpoint: Endpoint, response: RawResponse | undefined, times?: number): void
  /** Drops every connection, including hanging ones. */
  close(): Promise<void>
}

/** How a double is started. */
export interface DoubleOptions {
  /** A free port by default. Always on 127.0.0.1. */
  readonly port?: number
  readonly redirectUris: RedirectUris
}

/** Serves one double on a port of its own, on 127.0.0.1. */
export async function serveDouble<S extends CommonSwitches>(
  rules: ProviderRules<S>,
  { port = 0, redirectUris }: DoubleOptions,
): Promise<ProviderDouble<S>> {
  const app = await newServer()
  const { plugin, double, serveAt } = createDouble(rules, redirectUris)
  await app.register(plugin)
  serveAt(await app.listen({ host: '127.0.0.1', port }), async () => {
    await app.close()
  })
  return double
}

/** A double that no server serves yet. Its plugin can be mounted under any prefix. */
export interface UnservedDouble<Switches extends CommonSwitches> {
  readonly plugin: FastifyPluginAsync
  /** Its addresses are those of `serveAt`. */
  readonly double: ProviderDouble<Switches>
  /** Tells the double where it is served, and what closes that server. */
  readonly serveAt: (origin: string, close: () => Promise<void>) => void
}

/** What the endpoints and the controls of one double share. */
interface Parts<S extends CommonSwitches> {
  readonly rules: ProviderRules<S>
  readonly redirectUris: RedirectUris
  readonly context: Context<S> & { origin: string }
  readonly misbehaviour: Misbehaviour
  readonly requests: RecordedRequest[]
  close: () => Promise<void>
}

/** The form of the first page as it was sent, added to the query of the authorization URL: which account was chosen. */
const chosenParameter = 'sandbox_chosen'

/** Recorded requests: enough for a test, and a bound for a sandbox that runs for days. */
const maxRecordedRequests = 5_000

/** Makes a provider's double from its rules. */
export function createDouble<S extends CommonSwitches>(
  rules: ProviderRules<S>,
  redirectUris: RedirectUris,
): UnservedDouble<S> {
  const parts: Parts<S> = {
    rules,
    redirectUris,
    context: { origin: '', client: rules.client, grants: new Grants(), switches: rules.switches() },
    misbehaviour: new Misbehaviour(),
    requests: [],
    close: async () => {},
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
    double: controls(parts),
    serveAt: (origin, close) => {
      parts.context.origin = origin
      parts.close = close
    },
  }
}

/** The authorization endpoint: what a browser sees. */
function authorizationPages<S extends CommonSwitches>(parts: Parts<S>): FastifyPluginAsync {
  const { rules, context, redirectUris } = parts
  const { switches } = context

  const sendBack = (reply: FastifyReply, callback: string, status: 302 | 303) =>
    rules.callbackMethod === 'POST' ? sendFormPost(reply, callback) : reply.redirect(callback, status)

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
        return sendBack(reply, deny(authorization, error.error, error.description, rules), 302)
      if (switches.refuseWith !== undefined)
        return sendBack(reply, deny(authorization, switches.refuseWith, undefined, rules), 302)
      const person = personByKey(query.get('sandbox_person'))
      if (person !== undefined) return sendBack(reply, allow(authorization, { person }, rules, context), 302)
      const chosen = query.get(chosenParameter)
      return chosen === null
        ? loginPage(request, reply, rules)
        : consentPage(request, reply, { rules, authorization, form: new URLSearchParams(chosen) })
    })

    // The forms of all pages post to the authorization URL itself, so that its query stays unchanged.
    app.post(rules.paths.authorize, async (request, reply) => {
      const authorization = await checked(request, reply)
      if (authorization === undefined) return reply
      const form = new URLSearchParams(bodyOf(request))
      switch (form.get('decision')) {
        case 'allow':
          return sendBack(reply, allow(authorization, { person: personOf(form) }, rules, context), 303)
        case 'deny':
          return sendBack(reply, deny(authorization, 'access_denied', undefined, rules), 303)
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

/** The endpoints that the service calls. */
function endpoints<S extends CommonSwitches>({ rules, context, misbehaviour }: Parts<S>): FastifyPluginAsync {
  const handler =
    (name: Endpoint | undefined, respond: (request: EndpointRequest) => RawResponse | Promise<RawResponse>) =>
    async (request: FastifyRequest, reply: FastifyReply) =>
      misbehaviour.reply(name, reply, async () =>
        respond({ headers: request.headers, query: queryOf(request), body: bodyOf(request) }),
      )
  return async (app) => {
    app.post(
      rules.paths.token,
      handler('token', (request) => rules.token(request, context)),
    )
    const { paths, userinfo, userinfoMethod = 'GET' } = rules
    if (paths.userinfo !== undefined && userinfo !== undefined)
      app.route({
        method: userinfoMethod,
        url: paths.userinfo,
        handler: handler('userinfo', (request) => userinfo(request, context)),
      })
    for (const { method, path, endpoint, respond } of rules.routes)
      app.route({ method, url: path, handler: handler(endpoint, (request) => respond(request, context)) })
  }
}

/** What tests and the sandbox's menu use. */
function controls<S extends CommonSwitches>(parts: Parts<S>): ProviderDouble<S> {
  const { rules, context, redirectUris, misbehaviour, requests } = parts
  const check = (authorizeUrl: string) =>
    authorize(new URL(authorizeUrl).searchParams, rules, context, redirectUris)
  const prefix = rules.name.toUpperCase()
  return {
    name: rules.name,
    get origin() {
      return context.origin
    },
    callbackMethod: rules.callbackMethod ?? 'GET',
    get env() {
      const { origin } = context
      const { authorize, token, userinfo } = rules.paths
      return {
        [`${prefix}_CLIENT_ID`]: rules.client.id,
        ...(rules.client.secret !== '' && { [`${prefix}_CLIENT_SECRET`]: rules.client.secret }),
        [`${prefix}_AUTHORIZE_URL`]: origin + authorize,
        [`${prefix}_TOKEN_URL`]: origin + token,
        ...(userinfo !== undefined && { [`${prefix}_USERINFO_URL`]: origin + userinfo }),
        ...rules.env(origin),
      }
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
    answer: (endpoint, response, times) => misbehaviour.answer(endpoint, response, times),
    close: () => parts.close(),
  }
}

function record(requests: RecordedRequest[], request: FastifyRequest, prefix: string): void {
  const path = (request.url.split('?', 1)[0] ?? '').slice(prefix.length)
  const { method, headers } = request
  requests.push({ method, path, query: queryOf(request), headers, body: bodyOf(request) })
  if (requests.length > maxRecordedRequests) requests.shift()
}

function queryOf({ url }: FastifyRequest): URLSearchParams {
  return new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?') + 1) : '')
}
