import type { FastifyPluginAsync } from 'fastify'
import type { AuthorizationRouteOptions } from './authorization-route.ts'
import { authorizationRoute } from './authorization-route.ts'
import { discoveryRoutes } from './discovery.ts'
import type { EndSessionOptions } from './end-session.ts'
import { endSessionRoute } from './end-session.ts'
import type { TokenRouteOptions } from './token-route.ts'
import { tokenRoute } from './token-route.ts'
import type { UserinfoOptions } from './userinfo.ts'
import { userinfoRoutes } from './userinfo.ts'

/** What the endpoints of OpenID Connect need. */
export type OpenidOptions = AuthorizationRouteOptions &
  TokenRouteOptions &
  EndSessionOptions &
  UserinfoOptions

/** The door of standard clients: OpenID Connect over the same start, callback and finish. */
export const openidRoutes: FastifyPluginAsync<OpenidOptions> = async (app, options) => {
  authorizationRoute(app, options)
  await app.register(tokenRoute, options)
  await app.register(userinfoRoutes, options)
  endSessionRoute(app, options)
  await app.register(discoveryRoutes, { publicUrl: options.problems.publicUrl })
}
