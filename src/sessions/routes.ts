import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { invalidToken, readCredentials, unauthorized } from '../http/credentials.ts'
import { bodyProblems, formTypes, problemResponses, ref } from '../http/openapi.ts'
import { withDeadline } from '../http/running-work.ts'
import { Problem } from '../problems/problem.ts'
import { authenticate, countedOf, limitedSite } from '../sites/authenticate.ts'
import { TokenPair } from '../tokens/token-pair.ts'
import { readBearerSession, readPosted } from './bearer-session.ts'
import { introspect } from './introspect.ts'
import { endAllSessions, endSession, listSessions } from './own-sessions.ts'
import type { RefreshServices } from './refresh.ts'
import { refresh } from './refresh.ts'
import { revokeToken } from './revoke.ts'
import {
  Introspection,
  IntrospectToken,
  RefreshTokens,
  RevokeToken,
  SessionList,
  SessionPath,
} from './schemas.ts'

const site = [{}, { site: [] }]
const user = [{ accessToken: [] }]
const userFailures = ['token-missing', 'token-invalid', 'rate-limited'] as const

/** The life of a session after its login: refresh, introspection, revocation, and what its owner may do. */
export const sessionRoutes: FastifyPluginAsyncTypebox<RefreshServices> = async (app, services) => {
  const { database, config } = services
  for (const schema of [RefreshTokens, RevokeToken, IntrospectToken, Introspection, SessionList])
    app.addSchema(schema)

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
          200: { description: 'A new pair', content: { 'application/json': { schema: ref(TokenPair) } } },
          ...problemResponses(
            ...bodyProblems,
            'refresh-token-invalid',
            'refresh-token-reused',
            'session-ended',
            'user-disabled',
            'site-disabled',
            'secret-required',
            'wrong-credentials',
            'unsupported-grant-type',
          ),
        },
      },
      // Before the schema: with another grant the parameters are others too, and that one is missing says little.
      preValidation: async ({ body }) => checkGrantType(body),
    },
    async (request) => {
      const { refresh_token: refreshToken } = request.body
      const credentials = readCredentials(request.headers.authorization, request.body)
      return await withDeadline(config.deadlines.refresh, (signal) =>
        refresh(
          {
            refreshToken,
            address: request.ip,
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
          ...problemResponses(...bodyProblems, 'secret-required', 'wrong-credentials'),
        },
      },
    },
    async (request, reply) => {
      const credentials = readCredentials(request.headers.authorization, request.body)
      const caller = await authenticate(credentials, request.ip, services)
      request.site = caller?.id
      const known = await readPosted(request.body.token, request.ip, services)
      if (known !== undefined) {
        const site = caller ?? limitedSite(known.claims.client_id, services.sites)
        await services.limits.countRequest('revoke', site, countedOf(caller, request.ip))
        const outcome = await revokeToken(database, known, caller?.id ?? null)
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
          200: { description: 'What it is', content: { 'application/json': { schema: ref(Introspection) } } },
          ...problemResponses(...bodyProblems, 'secret-required', 'wrong-credentials'),
        },
      },
    },
    async (request) => {
      const credentials = readCredentials(request.headers.authorization, request.body)
      const caller = await authenticate(credentials, request.ip, services)
      request.site = caller?.id
      if (caller === undefined) throw unauthorized('secret-required')
      const known = await readPosted(request.body.token, request.ip, services)
      if (known === undefined) return { active: false }
      await services.limits.introspection(caller, known.claims.sid)
      return await introspect(database, known, caller.id)
    },
  )

  app.get(
    '/api/v1/me/sessions/',
    {
      schema: {
        operationId: 'listSessions',
        tags: ['Sessions'],
        summary: "The user's sessions at this site",
        security: user,
        response: {
          200: { description: 'Newest first', content: { 'application/json': { schema: ref(SessionList) } } },
          ...problemResponses(...userFailures),
        },
      },
    },
    async (request) => {
      const asker = await readBearerSession(request.headers.authorization, request.ip, services)
      const sessions = await listSessions(database, asker)
      if (sessions === undefined) throw invalidToken()
      return {
        sessions: sessions.map(({ id, provider, createdAt, lastUsedAt, expiresAt, current }) => ({
          id,
          provider,
          created_at: createdAt.toISOString(),
          last_used_at: lastUsedAt.toISOString(),
          expires_at: expiresAt.toISOString(),
          current,
        })),
      }
    },
  )

  app.delete(
    '/api/v1/me/sessions/',
    {
      schema: {
        operationId: 'endAllSessions',
        tags: ['Sessions'],
        summary: 'Log the user out of this site everywhere',
        security: user,
        response: {
          204: { description: 'All are ended', type: 'null' },
          ...problemResponses(...userFailures),
        },
      },
    },
    async (request, reply) => {
      const asker = await readBearerSession(request.headers.authorization, request.ip, services)
      const ended = await endAllSessions(database, asker)
      if (ended === undefined) throw invalidToken()
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/api/v1/me/sessions/:id',
    {
      schema: {
        operationId: 'endSession',
        tags: ['Sessions'],
        summary: 'Log the user out of one session',
        security: user,
        params: SessionPath,
        response: {
          204: { description: 'It is ended', type: 'null' },
          ...problemResponses(...userFailures, 'session-not-found'),
        },
      },
    },
    async (request, reply) => {
      const asker = await readBearerSession(request.headers.authorization, request.ip, services)
      const outcome = await endSession(database, asker, request.params.id)
      if (outcome === 'asker-ended') throw invalidToken()
      if (outcome === 'not-found') throw new Problem('session-not-found')
      return reply.code(204).send(null)
    },
  )
}

/** RFC 6749 §5.2; a client of our own may leave it out. */
function checkGrantType(body: unknown): void {
  const grantType = Object.entries(Object(body)).find(([name]) => name === 'grant_type')?.[1]
  if (typeof grantType === 'string' && grantType !== 'refresh_token')
    throw new Problem('unsupported-grant-type')
}
