import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { AdminTokens } from './admin/authorize.ts'
import { authorizer } from './admin/authorize.ts'
import { checkRoutes } from './admin/checks/routes.ts'
import { adminLoginRoute } from './admin/logins/routes.ts'
import { adminTranslate } from './admin/problems.ts'
import type { AdminServices } from './admin/services.ts'
import { adminSessionRoutes } from './admin/sessions/routes.ts'
import { applyRoute } from './admin/sites/apply-route.ts'
import { sitePartRoutes } from './admin/sites/part-routes.ts'
import { siteRoutes } from './admin/sites/routes.ts'
import { personalDataRoutes } from './admin/users/personal-data-routes.ts'
import { adminUserRoutes } from './admin/users/routes.ts'
import { docs } from './http/docs.ts'
import { handleErrors, handleUnknownRoutes } from './http/error-handler.ts'
import { openapi } from './http/openapi.ts'

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

/** What the admin API is made of. */
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
      // Before the body is read, and for addresses that are not there as well.
      scope.addHook('onRequest', async (request) => {
        request.adminName = await authorize(request)
      })
      scope.removeContentTypeParser('text/plain')
      handleErrors(scope, { publicUrl, translate: adminTranslate(app.translate) })
      handleUnknownRoutes(scope, { publicUrl })
      await scope.register(siteRoutes, services)
      await scope.register(sitePartRoutes, services)
      await scope.register(applyRoute, services)
      await scope.register(adminUserRoutes, services)
      await scope.register(personalDataRoutes, services)
      await scope.register(adminSessionRoutes, services)
      await scope.register(adminLoginRoute, services)
      await scope.register(checkRoutes, services)
    },
    { prefix: '/api/v1/admin' },
  )
  await app.register(docs, { title: document.title })
})
