import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { jsonResponse, problemResponsesWithoutStore } from '../http/openapi.ts'
import type { PublicJwk } from '../keys/material.ts'
import type { SigningKeys } from '../keys/ring.ts'

/** Documented more loosely than PublicJwk checks: generated clients read one object more easily than a union. */
const DocumentedJwk = Type.Unsafe<PublicJwk>(
  Type.Object({
    kty: Type.String(),
    crv: Type.Optional(Type.String()),
    x: Type.Optional(Type.String()),
    y: Type.Optional(Type.String()),
    n: Type.Optional(Type.String()),
    e: Type.Optional(Type.String()),
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

/** Seconds for which caches may keep the keys; a rotation waits longer (keys/schedule.ts). */
const jwksMaxAge = 300

/** What JOSE libraries look up by themselves. */
export const tokenRoutes: FastifyPluginAsyncTypebox<{ keys: SigningKeys }> = async (app, { keys }) => {
  app.addSchema(JwkSet)

  app.get(
    '/.well-known/jwks.json',
    {
      schema: {
        operationId: 'getJwks',
        tags: ['Metadata'],
        summary: 'The public keys of access tokens and ID tokens',
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
}
