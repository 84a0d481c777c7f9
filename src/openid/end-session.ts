import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { formTypes } from '../http/openapi.ts'
import { appendQuery } from '../login/authorization-response.ts'
import { sendHtmlPage } from '../problems/html-page.ts'
import { Problem } from '../problems/problem.ts'
import type { ProblemSettings } from '../problems/reply.ts'
import { languageOf } from '../problems/reply.ts'
import type { TokenServices } from '../sessions/read-token.ts'
import { countForgery } from '../sessions/read-token.ts'
import { endSession } from '../sessions/revoke.ts'
import type { Sites } from '../sites/lookup.ts'
import type { Database } from '../storage/postgres.ts'
import { InvalidToken } from '../tokens/verify-token.ts'
import { longestState } from './authorization-request.ts'
import { sendFailure } from './authorization-route.ts'
import type { HintedSession } from './id-token.ts'
import { readIdTokenHint } from './id-token.ts'
import type { RequestParameters } from './parameters.ts'
import { readParameters } from './parameters.ts'
import { openidPaths } from './paths.ts'

/** What a logout needs. */
export interface EndSessionOptions extends TokenServices {
  readonly database: Database
  readonly sites: Sites
  readonly problems: ProblemSettings
}

const words = {
  en: { title: 'You are logged out', body: 'You can close this page.' },
  ru: { title: 'Вы вышли', body: 'Эту страницу можно закрыть.' },
} as const

/**
 * The end_session_endpoint (OpenID Connect RP-Initiated Logout 1.0), by GET and by POST. The ID token is what names the
 * session and proves that the site asks: without it nothing ends and nobody is redirected.
 */
export function endSessionRoute(app: FastifyInstance, options: EndSessionOptions): void {
  const common = {
    url: openidPaths.endSession,
    exposeHeadRoute: false,
    errorHandler(error: unknown, request: FastifyRequest, reply: FastifyReply) {
      sendFailure(error, request, reply, options.problems)
    },
  }
  app.route({
    ...common,
    method: 'GET',
    schema: { hide: true },
    handler: (request, reply) => logOut(readParameters(request.query), request, reply, options),
  })
  app.route({
    ...common,
    method: 'POST',
    schema: { hide: true, consumes: formTypes },
    handler: (request, reply) => logOut(readParameters(request.body), request, reply, options),
  })
}

async function logOut(
  parameters: RequestParameters,
  request: FastifyRequest,
  reply: FastifyReply,
  options: EndSessionOptions,
): Promise<FastifyReply> {
  const target = await endHinted(parameters, request.ip, options)
  if (target !== undefined) return reply.code(303).header('location', target).send()
  const language = languageOf(request)
  const { title, body } = words[language]
  return sendHtmlPage(reply, { language, title, body: `<p>${body}</p>` })
}

/**
 * Ends the session that the hint names.
 * @returns where the browser goes afterwards; undefined where the site names no URL
 * @throws {Problem} logout-hint-invalid, rate-limited: nothing was ended; logout-url-unknown: it was
 */
async function endHinted(
  parameters: RequestParameters,
  ip: string,
  options: EndSessionOptions,
): Promise<string | undefined> {
  parameters.refuseRepeated(['id_token_hint', 'client_id', 'post_logout_redirect_uri', 'state'])
  const state = parameters.short('state', longestState)
  const hint = await readHint(parameters.get('id_token_hint') ?? '', ip, options)
  const clientId = parameters.get('client_id')
  if (clientId !== undefined && clientId !== hint.siteId) throw new Problem('logout-hint-invalid')
  const url = parameters.get('post_logout_redirect_uri')
  // Before the session ends: where the site cannot be looked up, the whole request can be repeated.
  const site = url === undefined ? undefined : await options.sites.byId(hint.siteId)
  await endSession(options.database, hint)
  if (url === undefined) return undefined
  if (!site?.postLogoutRedirectUrls.includes(url)) throw new Problem('logout-url-unknown')
  return state === undefined ? url : appendQuery(url, { state })
}

/** Counted as a bearer's token is (read-token.ts). */
async function readHint(token: string, ip: string, { keys, limits }: TokenServices): Promise<HintedSession> {
  try {
    const hint = await readIdTokenHint(keys, token)
    await limits.session(hint.sessionId)
    return hint
  } catch (error) {
    if (!(error instanceof InvalidToken)) throw error
    await countForgery(error, ip, limits)
    throw new Problem('logout-hint-invalid')
  }
}
