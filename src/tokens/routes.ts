import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { jsonResponse, problemResponsesWithoutStore } from '../http/openapi.ts'
import type { PublicJwk } from '../keys/material.ts'
import type { SigningKeys } from '../keys/ring.ts'

const authMethods = ['client_secret_basic', 'client_secret_post']

/** Authorization codes come from the providers and go to finish, so the token endpoint knows only refresh. */
function metadataOf(issuer: string) {
  return {
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    token_endpoint: `${issuer}/api/v1/oauth/refresh/`,
    grant_types_supported: ['refresh_token'],
    response_types_supported: [],
    token_endpoint_auth_methods_supported: [...authMethods, 'none'],
    revocation_endpoint: `${issuer}/api/v1/oauth/revoke/`,
    revocation_endpoint_auth_methods_supported: [...authMethods, 'none'],
    introspection_endpoint: `${issuer}/api/v1/oauth/introspect/`,
    introspection_endpoint_auth_methods_supported: authMethods,
    service_documentation: `${issuer}/docs/`,
  }
}

/** Documented more loosely than PublicJwk checks: generated clients read one object more easily than a union. */
const DocumentedJwk = Type.Unsafe<PublicJwk>(
  Type.Object({
    kty: Type.String(),
    crv: Type.String(),
    x: Type.String(),
    y: Type.Optional(Type.String()),
    kid: Type.String(),
    alg: Type.String(),
    use: Type.Literal('sig'),
  }),
)

const JwkSet = Type.Object(
  { keys: Type.Array(DocumentedJwk) },
  {
    $id: 'JwkSet',
    description: 'Public keys (RFC 7517)',
    examples: [
      {
        keys: [
          {
            kty: 'OKP',
            crv: 'Ed25519',
            x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
            kid: '1a2b3c',
            alg: 'EdDSA',
            use: 'sig',
          },
        ],
      },
    ],
  },
)

const ServerMetadata = Type.Object(
  {
    issuer: Type.String({ format: 'uri' }),
    jwks_uri: Type.String({ format: 'uri' }),
    token_endpoint: Type.String({ format: 'uri' }),
    grant_types_supported: Type.Array(Type.String()),
    response_types_supported: Type.Array(Type.String()),
    token_endpoint_auth_methods_supported: Type.Array(Type.String()),
    revocation_endpoint: Type.String({ format: 'uri' }),
    revocation_endpoint_auth_methods_supported: Type.Array(Type.String()),
    introspection_endpoint: Type.String({ format: 'uri' }),
    introspection_endpoint_auth_methods_supported: Type.Array(Type.String()),
    service_documentation: Type.String({ format: 'uri' }),
  },
  {
    $id: 'ServerMetadata',
    description: 'Authorization server metadata (RFC 8414)',
    examples: [metadataOf('https://login.example')],
  },
)

/** Seconds for which caches may keep the keys; a rotation waits longer (keys/schedule.ts). */
const jwksMaxAge = 300

/** What JOSE and OAuth libraries look up by themselves. */
export const tokenRoutes: FastifyPluginAsyncTypebox<{ keys: SigningKeys; publicUrl: string }> = async (
  app,
  { keys, publicUrl },
) => {
  app.addSchema(JwkSet)
  app.addSchema(ServerMetadata)
  const metadata = metadataOf(publicUrl)

  app.get(
    '/.well-known/jwks.json',
    {
      schema: {
        operationId: 'getJwks',
        tags: ['Metadata'],
        summary: 'The public keys of access tokens',
        security: [],
        response: {
          200: jsonResponse('The keys', JwkSet),
          ...problemResponsesWithoutStore(),
        },
      },
    },
    async (_request, reply) => {
      reply.header('cache-control', `public, max-age=${jwksMaxAge}`)
      return { keys: [...keys.jwks().keys] }
    },
  )

  // RFC 8414 §3, and the path of OpenID Connect Discovery, the only one that some resource servers ask.
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
        reply.header('cache-control', `public, max-age=${jwksMaxAge}`)
        return metadata
      },
    )
}
