import { json } from './answers.ts'
import type { Answer } from './double.ts'

/** The addresses that Google has on several hosts, here on one. */
export const googlePaths = {
  authorize: '/o/oauth2/v2/auth',
  token: '/token',
  userinfo: '/v1/userinfo',
  jwks: '/oauth2/v3/certs',
  revoke: '/revoke',
} as const

/** The answer at `/.well-known/openid-configuration` (OpenID Connect Discovery §3). */
export function discovery(issuer: string): Answer {
  return json(200, {
    issuer,
    authorization_endpoint: issuer + googlePaths.authorize,
    token_endpoint: issuer + googlePaths.token,
    userinfo_endpoint: issuer + googlePaths.userinfo,
    revocation_endpoint: issuer + googlePaths.revoke,
    jwks_uri: issuer + googlePaths.jwks,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    scopes_supported: ['openid', 'email', 'profile'],
    token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
    claims_supported: [
      'aud',
      'email',
      'email_verified',
      'exp',
      'family_name',
      'given_name',
      'iat',
      'iss',
      'name',
      'sub',
    ],
    code_challenge_methods_supported: ['plain', 'S256'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    authorization_response_iss_parameter_supported: true,
  })
}
