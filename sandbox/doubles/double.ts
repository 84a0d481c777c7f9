import type { IncomingHttpHeaders } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { bodyOf, newServer, queryOf } from '../web.ts'
import { authorizationPages } from './authorization-pages.ts'
import type { ConsentOptions, RedirectUris } from './consent.ts'
import { allow, authorize, deny } from './consent.ts'
import type { Endpoint, Fault, RawResponse } from './faults.ts'
import { Misbehaviour } from './faults.ts'
import type { Grant } from './grants.ts'
import { Grants } from './grants.ts'
import { IdTokenKeys } from './id-token.ts'
import type { FindLoginFault, Journey } from './login-fault.ts'
import type { CommonSwitches, Context, EndpointRequest, ProviderRules } from './provider-rules.ts'
import { contextOf, formOf } from './provider-rules.ts'

/** A request as a double received it, so that a test can check where credentials, code and token were. */
export interface RecordedRequest {
  readonly method: string
  /** '/token', without the prefix under which the double is mounted. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** As sent; '' if there was none. */
  readonly body: string
  /** When it came, in milliseconds of performance.now(). */
  readonly at: number
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
  readonly findFault: FindLoginFault
  readonly redirectUris: RedirectUris
  readonly context: Context<S> & { origin: string }
  readonly misbehaviour: Misbehaviour
  readonly requests: RecordedRequest[]
  close: () => Promise<void>
}

/** Recorded requests: enough for a test, and a bound for a sandbox that runs for days. */
const maxRecordedRequests = 5_000

/**
 * Makes a provider's double from its rules.
 * @param findFault says what goes wrong with a login; nothing where absent
 */
export function createDouble<S extends CommonSwitches>(
  rules: ProviderRules<S>,
  redirectUris: RedirectUris,
  findFault: FindLoginFault = () => undefined,
): UnservedDouble<S> {
  const parts: Parts<S> = {
    rules,
    findFault,
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
      await app.register(authorizationPages({ ...parts, journeys: journeys(parts) }))
      await app.register(endpoints(parts))
    },
    double: controls(parts),
    serveAt: (origin, close) => {
      parts.context.origin = origin
      parts.close = close
    },
  }
}

/** The endpoints that the service calls. */
function endpoints<S extends CommonSwitches>({ rules, context, misbehaviour }: Parts<S>): FastifyPluginAsync {
  const handler =
    (
      name: Endpoint | undefined,
      respond: (request: EndpointRequest, context: Context<S>) => RawResponse | Promise<RawResponse>,
    ) =>
    async (request: FastifyRequest, reply: FastifyReply) => {
      const received = { headers: request.headers, query: queryOf(request), body: bodyOf(request) }
      const fault = grantOf(received, context.grants)?.fault
      if (name === 'token' && fault?.tokenDelay !== undefined) await sleep(fault.tokenDelay)
      const ofLogin = name === 'token' || name === 'userinfo' ? fault?.endpoints?.[name] : undefined
      const correct = async () => respond(received, contextOf(context, fault))
      return misbehaviour.reply(name, reply, correct, ofLogin)
    }
  return async (app) => {
    app.post(
      rules.paths.token,
      handler('token', (request, own) => rules.token(request, own)),
    )
    const { paths, userinfo, userinfoMethod = 'GET' } = rules
    if (paths.userinfo !== undefined && userinfo !== undefined)
      app.route({ method: userinfoMethod, url: paths.userinfo, handler: handler('userinfo', userinfo) })
    for (const { method, path, endpoint, respond } of rules.routes)
      app.route({ method, url: path, handler: handler(endpoint, respond) })
  }
}

/** The login that a request of the service belongs to: by its code, or by its access token, wherever that is. */
function grantOf(request: EndpointRequest, grants: Grants): Grant | undefined {
  const form = formOf(request)
  const code = form.get('code')
  if (code !== null) return grants.byCode(code)
  const token =
    request.headers.authorization?.split(' ').at(-1) ??
    request.query.get('access_token') ??
    form.get('access_token')
  return grants.byAccessToken(token, Number.POSITIVE_INFINITY)
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

/** Milliseconds that a client may wait before an unknown key makes it fetch the keys again. */
const keysFetchedEvery = 5_000

/** What a detour of a login may use of this double. */
function journeys<S extends CommonSwitches>(
  parts: Parts<S>,
): Pick<Journey, 'provider' | 'callbackMethod' | 'consent' | 'rotateKeys'> {
  const { rules, context, requests } = parts
  const control = controls(parts)
  return {
    provider: rules.name,
    callbackMethod: control.callbackMethod,
    consent: (authorizeUrl, person) => control.consent(authorizeUrl, person && { person }),
    async rotateKeys() {
      if (!('keys' in context.switches) || !(context.switches.keys instanceof IdTokenKeys)) return
      const jwks = rules.routes.find(({ endpoint }) => endpoint === 'jwks')?.path
      const fetched = requests.findLast(({ path }) => path === jwks)?.at ?? Number.NEGATIVE_INFINITY
      await sleep(Math.max(0, fetched + keysFetchedEvery + 200 - performance.now()))
      context.switches.keys.rotate()
    },
  }
}

function record(requests: RecordedRequest[], request: FastifyRequest, prefix: string): void {
  const path = (request.url.split('?', 1)[0] ?? '').slice(prefix.length)
  const { method, headers } = request
  requests.push({
    method,
    path,
    query: queryOf(request),
    headers,
    body: bodyOf(request),
    at: performance.now(),
  })
  if (requests.length > maxRecordedRequests) requests.shift()
}
