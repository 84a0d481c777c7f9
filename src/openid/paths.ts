/** Where the endpoints of OpenID Connect are; clients learn them from discovery alone. */
export const openidPaths = {
  authorization: '/api/v1/oauth/login/',
  token: '/api/v1/oauth/token/',
  userinfo: '/api/v1/oauth/userinfo/',
  endSession: '/api/v1/oauth/logout/',
} as const
