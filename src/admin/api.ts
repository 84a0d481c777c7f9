import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { docs } from '../http/docs.ts'
import type { Translate } from '../http/error-handler.ts'
import { handleErrors, handleUnknownRoutes } from '../http/error-handler.ts'
import { openapi } from '../http/openapi.ts'
import { Problem } from '../problems/problem.ts'
import type { ProblemName } from '../problems/table.ts'
import type { SiteErrorKind } from '../sites/site.ts'
import { SiteError } from '../sites/site.ts'
import { isTransient } from '../storage/database-errors.ts'
import { applySitesRoute } from './apply-sites.ts'
import type { AdminTokens } from './authorize.ts'
import { authorizer } from './authorize.ts'
import { checkProviderRoute } from './check-provider.ts'
import { checkRedirectUrlRoute } from './check-redirect-url.ts'
import { adminLoginRoutes } from './logins.ts'
import { personalDataRoutes } from './personal-data.ts'
import type { AdminServices } from './route.ts'
import { adminSessionRoutes } from './sessions.ts'
import { sitePartRoutes } from './site-parts.ts'
import { adminSiteRoutes } from './sites.ts'
import { adminUserRoutes } from './users.ts'

const document = {
  title: 'Auth-movies: admin API',
  description: 'What operators do with sites, people and sessions. On the management port alone.',
  server: 'The management port, never routed from outside',
  securitySchemes: {
    adminToken: { type: 'http', scheme: 'bearer', description: 'Made by `admin-token NAME`' },
  },
  tags: [
    { name: 'Sites', description: 'Sites, their redirect URLs, secrets and providers' },
    { name: 'Users', description: 'People: find, disable, export, delete' },
    { name: 'Sessions', description: 'Sessions of anybody' },
    { name: 'Logins', description: 'Where logins got to' },
    { name: 'Checks', description: 'Answers without a user' },
  ],
} as const

/** What the admin API needs. */
export interface AdminOptions {
  readonly services: AdminServices
  readonly access: AdminTokens
  readonly publicUrl: string
}

/** The admin API under /api/v1/admin/, its OpenAPI document and reference: for the management server. */
export const adminApi = fp(async (app: FastifyInstance, options: AdminOptions) => {
  const { services, access, publicUrl } = options
  await app.register(openapi, document)
  app.decorateRequest('adminName', '')
  await app.register(
    async (scope) => {
      const authorize = authorizer(access)
      // Before the body is read, and for unknown URLs as well.
      scope.addHook('onRequest', async (request) => {
        request.adminName = await authorize(request)
      })
      scope.removeContentTypeParser('text/plain')
      handleErrors(scope, { publicUrl, translate: adminTranslate(app.translate) })
      handleUnknownRoutes(scope, { publicUrl })
      await scope.register(adminSiteRoutes, services)
      await scope.register(sitePartRoutes, services)
      await scope.register(applySitesRoute, services)
      await scope.register(adminUserRoutes, services)
      await scope.register(personalDataRoutes, services)
      await scope.register(adminSessionRoutes, services)
      await scope.register(adminLoginRoutes, services)
      await scope.register(checkProviderRoute, services)
      await scope.register(checkRedirectUrlRoute, services)
    },
    { prefix: '/api/v1/admin' },
  )
  await app.register(docs, { title: document.title })
})

const siteProblems = {
  invalid: 'site-invalid',
  conflict: 'site-conflict',
  'not-found': 'site-not-found',
} as const satisfies Record<SiteErrorKind, ProblemName>

/**
 * Translates a refused change of a site, and a transaction that lost against another, into problems.
 * @param service translates every other error
 */
function adminTranslate(service: Translate): Translate {
  return (error) => {
    if (error instanceof SiteError)
      return new Problem(siteProblems[error.kind], {
        // The text of the problem continues the sentence.
        values: { reason: error.message.replace(/\.$/, '') },
        cause: error,
      })
    const known = service(error)
    if (known !== undefined) return known
    return isTransient(error)
      ? new Problem('dependency-unavailable', { retryAfter: 1, cause: error })
      : undefined
  }
}
