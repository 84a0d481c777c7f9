import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { problemResponses, ref } from '../http/openapi.ts'
import type { RateLimits } from '../http/rate-limit.ts'
import { requireSite } from '../sites/authenticate.ts'
import type { Sites } from '../sites/lookup.ts'
import { SiteLogins, SiteLoginsQuery } from './schemas.ts'
import type { LoginHistory } from './store.ts'
import { filterOf, shownLogin } from './to-json.ts'

/** What the route stands on. */
export interface SiteLoginsOptions {
  readonly sites: Sites
  readonly limits: RateLimits
  readonly history: LoginHistory
}

/** Where did this login die? For the site whose login it was. */
export const siteLoginsRoute: FastifyPluginAsyncTypebox<SiteLoginsOptions> = async (app, options) => {
  app.addSchema(SiteLogins)
  app.get(
    '/api/v1/site/logins/',
    {
      schema: {
        operationId: 'listSiteLogins',
        tags: ['Sites'],
        summary: 'The logins of your site in the last 24 hours, step by step',
        security: [{ site: [] }],
        querystring: SiteLoginsQuery,
        response: {
          200: { description: 'The logins', content: { 'application/json': { schema: ref(SiteLogins) } } },
          ...problemResponses(
            'invalid-parameter',
            'repeated-parameter',
            'secret-required',
            'wrong-credentials',
            'rate-limited',
          ),
        },
      },
    },
    async (request) => {
      const filter = filterOf(request.query)
      const site = await requireSite(request.headers.authorization, request.ip, options)
      request.site = site.id
      const logins = await options.history.recent(site.id, filter)
      return { logins: logins.map(shownLogin) }
    },
  )
}
