import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { invalidToken } from '../http/credentials.ts'
import { jsonResponse, problemResponses } from '../http/openapi.ts'
import { Problem } from '../problems/problem.ts'
import type { Database } from '../storage/postgres.ts'
import { isUuid } from '../storage/postgres.ts'
import type { BearerSession } from '../tokens/access-token.ts'
import { living, sessionsWithOwners, usable } from './living.ts'
import type { TokenServices } from './read-token.ts'
import { readBearerSession } from './read-token.ts'

/** A living session of one person at one site, as its owner sees it. */
export interface ListedSession {
  readonly id: string
  readonly provider: string
  readonly createdAt: Date
  /** The time of the last refresh, or of the login where there was none. */
  readonly lastUsedAt: Date
  readonly expiresAt: Date
  /** Whether it is the session of the access token. */
  readonly current: boolean
}

/**
 * The living sessions of the bearer's user at the bearer's site, newest first.
 * @returns undefined where the bearer's session has ended: the signature of its token is still good, but it is refused
 */
export async function listOwnSessions(
  { prisma }: Database,
  { sessionId, userId, siteId }: BearerSession,
): Promise<readonly ListedSession[] | undefined> {
  const sessions = await prisma.$queryRaw<ListedSession[]>`
    SELECT s.id, s.provider, s.created_at AS "createdAt", s.rotated_at AS "lastUsedAt",
      s.expires_at AS "expiresAt", s.id = ${sessionId}::uuid AS current
    FROM ${sessionsWithOwners}
    WHERE s.user_id = ${userId}::uuid AND s.site_id = ${siteId} AND ${usable}
    ORDER BY s.id DESC`
  return sessions.some(({ current }) => current) ? sessions : undefined
}

/**
 * Ends one session of the bearer's user at the bearer's site. Another site's session, another person's, and one that
 * has ended are all `not-found`.
 * @param id any string; one that is no UUID is not found
 */
export async function endOwnSession(
  database: Database,
  bearer: BearerSession,
  id: string,
): Promise<'ended' | 'not-found' | 'bearer-ended'> {
  const { bearers, ended } = await end(database, bearer, isUuid(id) ? id : null, false)
  if (bearers === 0) return 'bearer-ended'
  return ended > 0 ? 'ended' : 'not-found'
}

/**
 * Ends all sessions of the bearer's user at the bearer's site, including the bearer's.
 * @returns how many; undefined where the bearer's session had ended already
 */
export async function endOwnSessions(database: Database, bearer: BearerSession): Promise<number | undefined> {
  const { bearers, ended } = await end(database, bearer, null, true)
  return bearers === 0 ? undefined : ended
}

/** One statement, so that a bearer who is logged out meanwhile ends nothing. */
async function end(
  { prisma }: Database,
  { sessionId, userId, siteId }: BearerSession,
  id: string | null,
  all: boolean,
): Promise<{ readonly bearers: number; readonly ended: number }> {
  const [row] = await prisma.$queryRaw<{ bearers: number; ended: number }[]>`
    WITH bearer AS MATERIALIZED (
      SELECT s.user_id, s.site_id
      FROM ${sessionsWithOwners}
      WHERE s.id = ${sessionId}::uuid AND s.user_id = ${userId}::uuid AND s.site_id = ${siteId}
        AND ${usable}
    ), ended AS (
      UPDATE sessions AS s SET revoked_at = now() FROM bearer AS b
      WHERE s.user_id = b.user_id AND s.site_id = b.site_id AND (${all}::boolean OR s.id = ${id}::uuid)
        AND ${living}
      RETURNING s.id
    )
    SELECT (SELECT count(*) FROM bearer)::int AS bearers, (SELECT count(*) FROM ended)::int AS ended`
  return row ?? { bearers: 0, ended: 0 }
}

const SessionId = Type.String({ format: 'uuid' })

const SessionList = Type.Object(
  {
    sessions: Type.Array(
      Type.Object({
        id: SessionId,
        provider: Type.String(),
        created_at: Type.String({ format: 'date-time' }),
        last_used_at: Type.String({ format: 'date-time', description: 'The last refresh' }),
        expires_at: Type.String({ format: 'date-time', description: 'Unless it is refreshed before' }),
        current: Type.Boolean({ description: 'The session that asks' }),
      }),
    ),
  },
  {
    $id: 'SessionList',
    description: 'The sessions of this user at this site',
    examples: [
      {
        sessions: [
          {
            id: '01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a11',
            provider: 'one',
            created_at: '2026-11-25T10:00:00.000Z',
            last_used_at: '2026-11-25T10:10:00.000Z',
            expires_at: '2026-12-25T10:10:00.000Z',
            current: true,
          },
        ],
      },
    ],
  },
)

const SessionPath = Type.Object({ id: Type.String({ maxLength: 64 }) })

const security = [{ accessToken: [] }]
const failures = ['token-missing', 'token-invalid', 'rate-limited'] as const

/** What users may do with their own sessions at a site, by an access token. */
export const ownSessionRoutes: FastifyPluginAsyncTypebox<TokenServices & { database: Database }> = async (
  app,
  { database, ...services },
) => {
  app.addSchema(SessionList)

  app.get(
    '/api/v1/me/sessions/',
    {
      schema: {
        operationId: 'listSessions',
        tags: ['Sessions'],
        summary: "The user's sessions at this site",
        security,
        response: {
          200: jsonResponse('Newest first', SessionList),
          ...problemResponses(...failures),
        },
      },
    },
    async (request) => {
      const bearer = await readBearerSession(request.headers.authorization, request.ip, services)
      const sessions = await listOwnSessions(database, bearer)
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
        security,
        response: {
          204: { description: 'All are ended', type: 'null' },
          ...problemResponses(...failures),
        },
      },
    },
    async (request, reply) => {
      const bearer = await readBearerSession(request.headers.authorization, request.ip, services)
      const ended = await endOwnSessions(database, bearer)
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
        security,
        params: SessionPath,
        response: {
          204: { description: 'It is ended', type: 'null' },
          ...problemResponses(...failures, 'session-not-found'),
        },
      },
    },
    async (request, reply) => {
      const bearer = await readBearerSession(request.headers.authorization, request.ip, services)
      const outcome = await endOwnSession(database, bearer, request.params.id)
      if (outcome === 'bearer-ended') throw invalidToken()
      if (outcome === 'not-found') throw new Problem('session-not-found')
      return reply.code(204).send(null)
    },
  )
}
