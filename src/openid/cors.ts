import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { readBasic } from '../http/credentials.ts'
import type { RateLimits } from '../http/rate-limit.ts'
import type { Sites } from '../sites/lookup.ts'
import { hostOf } from '../sites/redirect-url.ts'
import { openidPaths } from './paths.ts'

/** What tells whether an origin belongs to a site. */
export interface CorsOptions {
  readonly sites: Sites
  readonly limits: RateLimits
}

/** What everybody may read. */
const publicPaths: ReadonlySet<string> = new Set([
  '/.well-known/jwks.json',
  '/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server',
])

/** What only the pages of the client itself may read: those whose origin one of its redirect URLs has. */
const clientPaths: ReadonlySet<string> = new Set([
  openidPaths.token,
  openidPaths.userinfo,
  '/api/v1/oauth/revoke/',
])

/** Seconds for which a browser may keep the answer to a preflight. */
const preflightAge = 600

/**
 * Cross-Origin Resource Sharing for clients that run in a browser (Fetch Standard). No cookie is ever read, so credentials
 * are never allowed. The routes that it concerns are those registered after it; no other route pays for it.
 */
export const cors = fp(async (app: FastifyInstance, options: CorsOptions) => {
  app.addHook('onRoute', (route: RouteOptions) => {
    if (publicPaths.has(route.url)) route.onRequest = [allowEverybody, ...[route.onRequest ?? []].flat()]
    else if (clientPaths.has(route.url) && route.method !== 'OPTIONS')
      route.preValidation = [
        (request: FastifyRequest, reply: FastifyReply) => allowOwnOrigin(request, reply, options),
        ...[route.preValidation ?? []].flat(),
      ]
  })
  for (const url of clientPaths)
    app.options(url, { schema: { hide: true } }, (request, reply) => preflight(request, reply, options))
})

async function allowEverybody(_request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.header('access-control-allow-origin', '*')
}

/** A preflight names no client, so that any registered origin passes it; the answer itself is only for the client's own. */
async function preflight(
  request: FastifyRequest,
  reply: FastifyReply,
  { sites, limits }: CorsOptions,
): Promise<FastifyReply> {
  const { origin } = request.headers
  reply.header('vary', 'Origin')
  if (origin !== undefined) {
    // In batches rather than not at all: junk of one page must not shut out the others behind the same address.
    const pace = limits.unknownSiteStruck(request.ip) ? 'batched' : 'at-once'
    const urls = await sites.urlsOfHost(hostOf(origin) ?? '', pace)
    if (hasOrigin(urls, origin))
      reply.headers({
        'access-control-allow-origin': origin,
        'access-control-allow-methods': 'GET, POST',
        'access-control-allow-headers': 'authorization, content-type',
        'access-control-max-age': String(preflightAge),
      })
    else await limits.unknownSite(request.ip)
  }
  return await reply.code(204).send()
}

/** Before the request is judged, so that the client can read its errors as well. */
async function allowOwnOrigin(
  request: FastifyRequest,
  reply: FastifyReply,
  { sites }: CorsOptions,
): Promise<void> {
  const { origin } = request.headers
  if (origin === undefined) return
  reply.header('vary', 'Origin')
  const id = clientOf(request)
  // In batches, as anybody may name any site here, before anything is counted.
  const site = id === undefined ? undefined : await sites.byId(id, 'batched')
  if (site !== undefined && hasOrigin(site.redirectUrls, origin))
    reply.headers({
      'access-control-allow-origin': origin,
      'access-control-expose-headers': 'www-authenticate, retry-after, x-request-id',
    })
}

/** `null` is the origin of pages that may not say theirs, and the URL API gives it for private-use schemes too. */
function hasOrigin(urls: readonly string[], origin: string): boolean {
  return origin !== 'null' && urls.some((url) => URL.parse(url)?.origin === origin)
}

/** The client that a request names. Nothing is verified: it only decides whose pages may read what the answer will be. */
function clientOf(request: FastifyRequest): string | undefined {
  const posted = new Map<string, unknown>(Object.entries(Object(request.body)))
  const named = posted.get('client_id') ?? basicId(request.headers.authorization)
  if (typeof named === 'string') return named
  const bearer = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const tokens = [bearer, posted.get('access_token'), posted.get('refresh_token'), posted.get('token')]
  return tokens.map(clientIn).find((id) => id !== undefined)
}

function basicId(authorization: string | undefined): string | undefined {
  try {
    return readBasic(authorization)?.id
  } catch {
    return undefined
  }
}

/** The `client_id` that a token claims. */
function clientIn(token: unknown): string | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString())
    const id = new Map<string, unknown>(Object.entries(Object(claims))).get('client_id')
    return typeof id === 'string' ? id : undefined
  } catch {
    return undefined
  }
}
