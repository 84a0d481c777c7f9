import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { jsonResponse, problemResponsesWithoutStore } from '../http/openapi.ts'
import { idTokenAlgs } from '../keys/material.ts'
import { knownScopes } from '../users/scope.ts'
import { openidPaths } from './paths.ts'

const authMethods = ['client_secret_basic', 'client_secret_post']

/** @param issuer PUBLIC_URL, without a slash at its end: some clients compare it exactly */
function metadataOf(issuer: string) {
  return {
    issuer,
    authorization_endpoint: issuer + openidPaths.authorization,
    token_endpoint: issuer + openidPaths.token,
    userinfo_endpoint: issuer + openidPaths.userinfo,
    end_session_endpoint: issuer + openidPaths.endSession,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    scopes_supported: [...knownScopes],
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'form_post'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...idTokenAlgs],
    token_endpoint_auth_methods_supported: [...authMethods, 'none'],
    revocation_endpoint: `${issuer}/api/v1/oauth/revoke/`,
    revocation_endpoint_auth_methods_supported: [...authMethods, 'none'],
    introspection_endpoint: `${issuer}/api/v1/oauth/introspect/`,
    introspection_endpoint_auth_methods_supported: authMethods,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    prompt_values_supported: ['login', 'consent', 'select_account'],
    claim_types_supported: ['normal'],
    claims_supported: [
      'iss',
      'sub',
      'aud',
      'exp',
      'iat',
      'auth_time',
      'nonce',
      'at_hash',
      'sid',
      'name',
      'preferred_username',
      'email',
      'email_verified',
    ],
    claims_parameter_supported: false,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    ui_locales_supported: ['ru', 'en'],
    service_documentation: `${issuer}/docs/`,
  }
}

const uri = Type.String({ format: 'uri' })
const list = Type.Array(Type.String())

const ServerMetadata = Type.Object(
  {
    issuer: uri,
    authorization_endpoint: uri,
    token_endpoint: uri,
    userinfo_endpoint: uri,
    end_session_endpoint: uri,
    jwks_uri: uri,
    scopes_supported: list,
    response_types_supported: list,
    response_modes_supported: list,
    grant_types_supported: list,
    subject_types_supported: list,
    id_token_signing_alg_values_supported: list,
    token_endpoint_auth_methods_supported: list,
    revocation_endpoint: uri,
    revocation_endpoint_auth_methods_supported: list,
    introspection_endpoint: uri,
    introspection_endpoint_auth_methods_supported: list,
    code_challenge_methods_supported: list,
    authorization_response_iss_parameter_supported: Type.Boolean(),
    prompt_values_supported: list,
    claim_types_supported: list,
    claims_supported: list,
    claims_parameter_supported: Type.Boolean(),
    request_parameter_supported: Type.Boolean(),
    request_uri_parameter_supported: Type.Boolean(),
    ui_locales_supported: list,
    service_documentation: uri,
  },
  {
    $id: 'ServerMetadata',
    description:
      'Metadata of the OpenID Provider and authorization server (OpenID Connect Discovery 1.0, RFC 8414)',
    examples: [metadataOf('https://login.example')],
  },
)

/** Seconds for which caches may keep the metadata. */
const maxAge = 300

/**
 * What standard clients look up by themselves: one document at the two paths where they look, that of RFC 8414 §3 and that
 * of OpenID Connect Discovery. RFC 8414 §2 allows the members of the other.
 */
export const discoveryRoutes: FastifyPluginAsyncTypebox<{ publicUrl: string }> = async (
  app,
  { publicUrl },
) => {
  app.addSchema(ServerMetadata)
  const metadata = metadataOf(publicUrl)
  for (const [path, operationId] of [
    ['oauth-authorization-server', 'getServerMetadata'],
    ['openid-configuration', 'getOpenidConfiguration'],
  ] as const)
    app.get(
      `/.well-known/${path}`,
      {
        schema: {
          operationId,
          tags: ['Metadata'],
          summary: 'Addresses and abilities of this authorization server',
          security: [],
          response: {
            200: jsonResponse('The metadata', ServerMetadata),
            ...problemResponsesWithoutStore(),
          },
        },
      },
      async (_request, reply) => {
        reply.header('cache-control', `public, max-age=${maxAge}`)
        return metadata
      },
    )
}
