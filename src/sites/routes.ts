import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { finishWithin } from '../deadlines.ts'
import { problemResponses, ref } from '../http/openapi.ts'
import type { RateLimits } from '../http/rate-limit.ts'
import { limits as perMinute } from '../http/rate-limit.ts'
import type { SigningKeys } from '../keys/ring.ts'
import { askingSite } from './authenticate.ts'
import { OwnSite } from './schemas.ts'
import type { Site, Sites } from './site.ts'

/** What a site's questions about itself stand on. */
export interface SiteRouteOptions {
  readonly sites: Sites
  readonly limits: RateLimits
  readonly keys: Pick<SigningKeys, 'summary'>
  /** Seconds, but for `rateLimit`: whether there are limits at all. */
  readonly config: {
    readonly loginTtl: number
    readonly accessTokenTtl: number
    readonly refreshTokenTtl: number
    readonly refreshGrace: number
    readonly sessionMaxAge: number
    readonly rateLimit: boolean
  }
}

/** What the service knows of the site that asks. */
export const siteRoutes: FastifyPluginAsyncTypebox<SiteRouteOptions> = async (app, options) => {
  app.addSchema(OwnSite)
  const { config, keys } = options
  const lifetimes = {
    login: config.loginTtl,
    finish: finishWithin / 1000,
    access_token: config.accessTokenTtl,
    refresh_token: config.refreshTokenTtl,
    refresh_grace: config.refreshGrace,
    session: config.sessionMaxAge,
  }

  app.get(
    '/api/v1/site/',
    {
      schema: {
        operationId: 'getSite',
        tags: ['Sites'],
        summary: 'The settings and limits of your site, a disabled one too',
        security: [{ site: [] }],
        response: {
          200: { description: 'Your site', content: { 'application/json': { schema: ref(OwnSite) } } },
          ...problemResponses('secret-required', 'wrong-credentials', 'rate-limited'),
        },
      },
    },
    async (request) => {
      const site = await askingSite(request.headers.authorization, request.ip, options)
      request.site = site.id
      const { current, next } = keys.summary().access
      return {
        id: site.id,
        name: site.name,
        disabled: site.disabled,
        redirect_urls: [...site.redirectUrls],
        providers: [...site.providers],
        require_secret: site.requireSecret,
        live_secrets: site.secretHashes.length,
        limits: config.rateLimit ? limitsOf(site) : null,
        lifetimes,
        signing_keys: { current, next },
      }
    },
  )
}

/** Every limit by which a request of the site can be refused. */
function limitsOf({ limitFactor: factor }: Site) {
  const kinds = (limit: number) => ({
    start: limit * factor,
    finish: limit * factor,
    refresh: limit * factor,
    revoke: limit * factor,
  })
  return {
    factor,
    without_secret: kinds(perMinute.unauthenticated),
    with_secret: {
      ...kinds(perMinute.authenticated),
      introspect: perMinute.authenticated * factor,
    },
    visitor: perMinute.visitor * factor,
    session: perMinute.session,
    wrong_secret: perMinute.wrongSecret,
    unknown_state: perMinute.unknownState,
    failed_finish: perMinute.failedFinish,
    unknown_redirect_url: perMinute.unknownSite,
    invalid_token: perMinute.invalidToken,
    site: perMinute.siteQuestion,
  }
}
