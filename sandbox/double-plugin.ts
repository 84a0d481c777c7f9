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
import type { Fault } from './faults.ts'
import { deliverFault, send } from './faults.ts'
import { Grants } from './grants.ts'
import { personByKey } from './people.ts'
import type { Context, EndpointRequest, Rules } from './rules.ts'

/** A double that is not yet served: its plugin can be mounted under any prefix of any server. */
export interface UnservedDouble<Switches extends CommonSwitches> {
  readonly plugin: FastifyPluginAsync
  /** Says where it is served and how that ends; from then on it is usable. */
  serveAt(origin: string, close: () => Promise<void>): ProviderDouble<Switches>
}

/** What is remembered of requests: enough for a test, not enough to fill the memory of a sandbox. */
const keptRequests = 5_000

interface Misbehaviour {
  readonly answer: Fault | Answer
  left: number
}

/** Makes a provider's double of its rules. */
export function createDouble<S extends CommonSwitches>(
  rules: Rules<S>,
  redirectUris: RedirectUris,
): UnservedDouble<S> {
  const requests: RecordedRequest[] = []
  const faults = new Map<Endpoint, Misbehaviour>()
  const answers = new Map<Endpoint, Misbehaviour>()
  const switches = rules.switches()
  const place = { origin: '' }
  const context: Context<S> = {
    get origin() {
      return place.origin
    },
    client: rules.client,
    grants: new Grants(),
    switches,
  }

  const plugin: FastifyPluginAsync = async (app) => {
    app.addHook('preHandler', async (request) => {
      requests.push({
        method: request.method,
        path: pathOf(request).slice(app.prefix.length) || '/',
        query: queryOf(request),
        headers: request.headers,
        body: bodyOf(request),
      })
      if (requests.length > keptRequests) requests.splice(0, requests.length - keptRequests)
    })
    app.setNotFoundHandler(async (_request, reply) => reply.code(404).type('text/html').send('<h1>404</h1>'))

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
      return loginPage(request, reply, rules)
    })

    // Every step of the pages posts to the authorization URL itself, so that its query goes through untouched.
    app.post(rules.paths.authorize, async (request, reply) => {
      const authorization = await checked(request, reply)
      if (authorization === undefined) return reply
      const form = new URLSearchParams(bodyOf(request))
      if (form.get('decision') === 'allow')
        return reply.redirect(allow(authorization, { person: personOf(form) }, rules, context), 303)
      if (form.get('decision') === 'deny')
        return reply.redirect(deny(authorization, 'access_denied', undefined, rules), 303)
      return consentPage(request, reply, { rules, authorization, form })
    })

    const endpoint = (
      name: Endpoint | undefined,
      answer: (request: EndpointRequest) => Answer | Promise<Answer>,
    ) =>
      async function answerOrMisbehave(request: FastifyRequest, reply: FastifyReply) {
        const right = async () => answer(endpointRequest(request))
        const ready = name && take(answers, name)
        if (ready !== undefined && typeof ready !== 'string') return send(reply, ready)
        const fault = name && take(faults, name)
        if (typeof fault === 'string') return deliverFault(reply, fault, right)
        return send(reply, await right())
      }
    app.post(
      rules.paths.token,
      endpoint('token', (request) => rules.token(request, context)),
    )
    app.get(
      rules.paths.userinfo,
      endpoint('userinfo', (request) => rules.userinfo(request, context)),
    )
    for (const { method, path, answer } of rules.routes)
      app.route({
        method,
        url: path,
        handler: endpoint(path.endsWith('/certs') ? 'jwks' : undefined, (request) =>
          answer(request, context),
        ),
      })
  }

  async function checked(request: FastifyRequest, reply: FastifyReply): Promise<Authorization | undefined> {
    try {
      return authorize(queryOf(request), rules, context, redirectUris)
    } catch (error) {
      if (!(error instanceof AuthorizationRefused)) throw error
      await refusedPage(request, reply, rules, error)
      return undefined
    }
  }

  return {
    plugin,
    serveAt: (origin, close) => {
      place.origin = origin
      const of = (authorizeUrl: string) =>
        authorize(new URL(authorizeUrl).searchParams, rules, context, redirectUris)
      return {
        name: rules.name,
        origin,
        env: commonEnv(rules, origin),
        requests,
        switches,
        consent: async (authorizeUrl, options = {}) => {
          const authorization = of(authorizeUrl)
          if (authorization.error !== undefined)
            throw new Error(`${rules.name} refuses this request: ${authorization.error.error}`)
          return allow(authorization, options, rules, context)
        },
        refuse: async (authorizeUrl, error = 'access_denied') =>
          deny(of(authorizeUrl), error, undefined, rules),
        fault: (name, fault, times = Number.POSITIVE_INFINITY) => set(faults, name, fault, times),
        answer: (name, answer, times = Number.POSITIVE_INFINITY) => set(answers, name, answer, times),
        close,
      }
    },
  }
}

function set(
  map: Map<Endpoint, Misbehaviour>,
  name: Endpoint,
  answer: Fault | Answer | undefined,
  left: number,
): void {
  if (answer === undefined) map.delete(name)
  else map.set(name, { answer, left })
}

function take(map: Map<Endpoint, Misbehaviour>, name: Endpoint): Fault | Answer | undefined {
  const found = map.get(name)
  if (found === undefined) return undefined
  found.left -= 1
  if (found.left <= 0) map.delete(name)
  return found.answer
}

function commonEnv<S extends CommonSwitches>(rules: Rules<S>, origin: string): Record<string, string> {
  const prefix = rules.name.toUpperCase()
  return {
    [`${prefix}_CLIENT_ID`]: rules.client.id,
    [`${prefix}_CLIENT_SECRET`]: rules.client.secret,
    [`${prefix}_AUTHORIZE_URL`]: origin + rules.paths.authorize,
    [`${prefix}_TOKEN_URL`]: origin + rules.paths.token,
    [`${prefix}_USERINFO_URL`]: origin + rules.paths.userinfo,
    ...rules.env(origin),
  }
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? ''
}

function queryOf(request: FastifyRequest): URLSearchParams {
  const at = request.url.indexOf('?')
  return new URLSearchParams(at < 0 ? '' : request.url.slice(at + 1))
}

function bodyOf(request: FastifyRequest): string {
  return typeof request.body === 'string' ? request.body : ''
}

function endpointRequest(request: FastifyRequest): EndpointRequest {
  return { headers: request.headers, query: queryOf(request), body: bodyOf(request) }
}
