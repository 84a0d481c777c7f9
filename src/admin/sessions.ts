import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { jsonResponse, oneOf } from '../http/openapi.ts'
import { Problem } from '../problems/problem.ts'
import type { SessionRecord } from '../sessions/all-sessions.ts'
import { endSessionById, endSessionsOf, findSessions } from '../sessions/all-sessions.ts'
import { getSite } from '../sites/store.ts'
import { getUser } from '../users/user.ts'
import { audited } from './audit.ts'
import { Next, pageOf, pageQuery, readPage, searchText } from './pagination.ts'
import type { AdminServices } from './route.ts'
import { adminFailures, isoOrNull, queryFailures, security } from './route.ts'
import { SitePath } from './sites.ts'
import { requireUser, UserPath } from './users.ts'

const id = Type.String({ format: 'uuid' })
const time = (description: string) => Type.String({ format: 'date-time', description })

const example = {
  id: '01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a12',
  user_id: '01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a11',
  site_id: 'site_b3X9c1QdRk0Z',
  provider: 'one',
  refreshes: 3,
  created_at: '2026-11-25T10:00:00.000Z',
  last_used_at: '2026-11-25T11:00:00.000Z',
  expires_at: '2026-12-25T11:00:00.000Z',
  ends_at: '2027-05-24T10:00:00.000Z',
  ended_at: null,
}

/** A session of any person at any site. */
const AdminSession = Type.Object({
  id,
  user_id: id,
  site_id: Type.String(),
  provider: Type.String(),
  refreshes: Type.Integer(),
  created_at: time('The login'),
  last_used_at: time('The last refresh'),
  expires_at: time('Unless it is refreshed before'),
  ends_at: time('Whatever its use'),
  ended_at: Type.Union([time('When it ended'), Type.Null()], { description: 'null: it lives' }),
})

const AdminSessionQuery = Type.Object(
  {
    user: Type.Optional(Type.String({ format: 'uuid', description: 'Of this user' })),
    site: Type.Optional(searchText(64, 'At this site')),
    living: Type.Optional(oneOf(['true', 'false'], { description: 'true: without those that have ended' })),
    ...pageQuery,
  },
  { additionalProperties: false },
)

const AdminSessionPage = Type.Object(
  { sessions: Type.Array(AdminSession), next: Next },
  {
    $id: 'AdminSessionPage',
    description: 'Newest first; those that ended stay for a day',
    examples: [{ sessions: [example], next: null }],
  },
)

const AdminSessionPath = Type.Object({ id: Type.String({ description: 'Of the session' }) })

const EndedSessions = Type.Object(
  { ended: Type.Integer({ minimum: 0, description: 'How many' }) },
  { $id: 'EndedSessions', examples: [{ ended: 2 }] },
)

const tags = ['Sessions']
const ended = jsonResponse('How many were ended', EndedSessions)

/** Sessions of every person and site: list, end one, end all of a person or of a site. */
export const adminSessionRoutes: FastifyPluginAsyncTypebox<AdminServices> = async (app, { database }) => {
  for (const schema of [AdminSessionPage, EndedSessions]) app.addSchema(schema)

  app.get(
    '/sessions/',
    {
      schema: {
        operationId: 'listSessions',
        tags,
        summary: 'Sessions of a person, of a site, or of all',
        security,
        querystring: AdminSessionQuery,
        response: {
          200: jsonResponse('The sessions', AdminSessionPage),
          ...adminFailures(...queryFailures),
        },
      },
    },
    async ({ query }) => {
      const { user, site, living } = query
      const search = {
        ...(user !== undefined && { userId: user }),
        ...(site !== undefined && { siteId: site }),
        living: living === 'true',
      }
      const { entries, next } = await readPage(pageOf(query), (page) => findSessions(database, search, page))
      const sessions = entries.map((session) => ({
        ...sessionToJson(session),
        user_id: session.userId,
        ended_at: isoOrNull(session.endedAt),
      }))
      return { sessions, next }
    },
  )

  app.delete(
    '/sessions/:id/',
    {
      schema: {
        operationId: 'endSession',
        tags,
        summary: 'End one session',
        security,
        params: AdminSessionPath,
        response: {
          204: { description: 'It is ended', type: 'null' },
          ...adminFailures('session-not-found'),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      await audited(request, { action: 'session.end', session: id }, async () => {
        if (!(await endSessionById(database, id))) throw new Problem('session-not-found')
      })
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/users/:id/sessions/',
    {
      schema: {
        operationId: 'endSessionsOfUser',
        tags,
        summary: 'Log a person out of every site',
        security,
        params: UserPath,
        response: { 200: ended, ...adminFailures('user-not-found') },
      },
    },
    async (request) => {
      const { id } = request.params
      return audited(
        request,
        { action: 'user.end-sessions', user: id },
        async () => ({
          ended: await endSessionsOf(database, { userId: requireUser(await getUser(database, id)).id }),
        }),
        (result) => result,
      )
    },
  )

  app.delete(
    '/sites/:id/sessions/',
    {
      schema: {
        operationId: 'endSessionsOfSite',
        tags,
        summary: 'Log everybody out of a site',
        security,
        params: SitePath,
        response: { 200: ended, ...adminFailures('site-not-found') },
      },
    },
    async (request) => {
      const { id } = request.params
      return audited(
        request,
        { action: 'site.end-sessions', site: id },
        async () => ({
          ended: await endSessionsOf(database, { siteId: (await getSite(database, id)).id }),
        }),
        (result) => result,
      )
    },
  )
}

/** What every list of sessions tells of one, as JSON. */
export function sessionToJson(session: Omit<SessionRecord, 'userId' | 'endedAt'>) {
  return {
    id: session.id,
    site_id: session.siteId,
    provider: session.provider,
    refreshes: session.generation,
    created_at: session.createdAt.toISOString(),
    last_used_at: session.rotatedAt.toISOString(),
    expires_at: session.expiresAt.toISOString(),
    ends_at: session.endsAt.toISOString(),
  }
}
