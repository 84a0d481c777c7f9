import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { credentialParameters, readCredentials, unauthorized } from '../http/credentials.ts'
import { bodyProblems, formTypes, jsonResponse, problemResponses, ref } from '../http/openapi.ts'
import { withDeadline } from '../http/running-work.ts'
import { Problem } from '../problems/problem.ts'
import { authenticate, countedOf, limitedSite, refuseNativeSecret } from '../sites/authenticate.ts'
import { TokenPair } from '../tokens/token-pair.ts'
import { Introspection, introspect } from './introspect.ts'
import { readPostedToken } from './read-token.ts'
import type { RefreshServices } from './refresh.ts'
import { refresh } from './refresh.ts'
import { revokeToken } from './revoke.ts'

const example = 'eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCJ9.eyJzaWQiOiIwMTkz….Qz1t…'

/** Longer than any token that this service issues. */
const tokenText = (description: string) => Type.String({ minLength: 1, maxLength: 12_000, description })

const RefreshTokens = Type.Object(
  {
    refresh_token: tokenText('The latest refresh token of the session'),
    grant_type: Type.Optional(
      Type.String({ maxLength: 64, description: 'refresh_token; standard OAuth clients send it' }),
    ),
    ...credentialParameters,
  },
  { $id: 'RefreshTokens', examples: [{ refresh_token: example }] },
)

const RevokeToken = Type.Object(
  {
    token: tokenText('A refresh or access token: its session ends'),
    token_type_hint: Type.Optional(Type.String({ maxLength: 64, description: 'Not needed (RFC 7009 §2.1)' })),
    ...credentialParameters,
  },
  { $id: 'RevokeToken', examples: [{ token: example }] },
)

const IntrospectToken = Type.Object(
  {
    token: tokenText('A refresh or access token of your own site'),
    token_type_hint: Type.Optional(Type.String({ maxLength: 64, description: 'Not needed (RFC 7662 §2.1)' })),
    ...credentialParameters,
  },
  { $id: 'IntrospectToken', examples: [{ token: example }] },
)

/** Sites without `require_secret` need not authenticate. */
const site = [{}, { site: [] }]

/** What a site's backend does with the tokens of a session: refresh, introspection, revocation. */
export const sessionRoutes: FastifyPluginAsyncTypebox<RefreshServices> = async (app, services) => {
  const { database, config } = services
  for (const schema of [RefreshTokens, RevokeToken, IntrospectToken, Introspection]) app.addSchema(schema)

  app.post(
    '/api/v1/oauth/refresh/',
    {
      schema: {
        operationId: 'refreshTokens',
        tags: ['Sessions'],
        summary: 'Trade a refresh token for a new pair',
        security: site,
        consumes: formTypes,
        body: ref(RefreshTokens),
        response: {
          200: jsonResponse('A new pair', TokenPair),
          ...problemResponses(
            ...bodyProblems,
            'refresh-token-invalid',
            'refresh-token-reused',
            'session-ended',
            'user-disabled',
            'site-disabled',
            'secret-required',
            'wrong-credentials',
            'secret-not-accepted',
            'unsupported-grant-type',
          ),
        },
      },
      // Before the schema: another grant has other parameters, so a message that one is missing would mislead.
      preValidation: async ({ body }) => checkGrantType(body),
    },
    async (request) => {
      const { refresh_token: refreshToken } = request.body
      const credentials = readCredentials(request.headers.authorization, request.body)
      return await withDeadline(config.deadlines.refresh, (signal) =>
        refresh(
          {
            refreshToken,
            ip: request.ip,
            ...(credentials && { credentials }),
          },
          services,
          request,
          signal,
        ),
      )
    },
  )

  app.post(
    '/api/v1/oauth/revoke/',
    {
      schema: {
        operationId: 'revokeToken',
        tags: ['Sessions'],
        summary: 'End the session of a token (RFC 7009)',
        security: site,
        consumes: formTypes,
        body: ref(RevokeToken),
        response: {
          200: { description: 'The token is good for nothing (any more)', type: 'null' },
          ...problemResponses(...bodyProblems, 'secret-required', 'wrong-credentials', 'secret-not-accepted'),
        },
      },
    },
    async (request, reply) => {
      const credentials = readCredentials(request.headers.authorization, request.body)
      const caller = await authenticate(credentials, request.ip, services)
      refuseNativeSecret(caller)
      request.site = caller?.id
      const token = await readPostedToken(request.body.token, request.ip, services)
      if (token !== undefined) {
        const site = caller ?? limitedSite(token.claims.client_id, services.sites)
        await services.limits.countRequest('revoke', site, countedOf(caller, request.ip))
        const outcome = await revokeToken(database, token, caller?.id ?? null)
        if (outcome === 'secret-required') throw unauthorized('secret-required')
      }
      return reply
        .code(200)
        .serializer(() => '')
        .send(null)
    },
  )

  app.post(
    '/api/v1/oauth/introspect/',
    {
      schema: {
        operationId: 'introspectToken',
        tags: ['Sessions'],
        summary: 'Ask whether a token of your site is good now (RFC 7662)',
        security: [{ site: [] }],
        consumes: formTypes,
        body: ref(IntrospectToken),
        response: {
          200: jsonResponse('What it is', Introspection),
          ...problemResponses(...bodyProblems, 'secret-required', 'wrong-credentials'),
        },
      },
    },
    async (request) => {
      const credentials = readCredentials(request.headers.authorization, request.body)
      const caller = await authenticate(credentials, request.ip, services)
      request.site = caller?.id
      if (caller === undefined) throw unauthorized('secret-required')
      const token = await readPostedToken(request.body.token, request.ip, services)
      if (token === undefined) return { active: false }
      await services.limits.introspection(caller, token.claims.sid)
      return await introspect(database, token, caller.id)
    },
  )
}

/** A client may leave `grant_type` out; any other grant is refused (RFC 6749 §5.2). */
function checkGrantType(body: unknown): void {
  const grantType = Object.entries(Object(body)).find(([name]) => name === 'grant_type')?.[1]
  if (typeof grantType === 'string' && grantType !== 'refresh_token')
    throw new Problem('unsupported-grant-type')
}
