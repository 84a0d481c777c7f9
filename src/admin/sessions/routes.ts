import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../http/openapi.ts'
import { Problem } from '../../problems/problem.ts'
import { endSessionById, endSessionsOf, findSessions } from '../../sessions/all-sessions.ts'
import { getSite } from '../../sites/store.ts'
import { getUser } from '../../users/manage-users.ts'
import { audited } from '../audit.ts'
import { pageOf, readPage } from '../pagination.ts'
import { adminFailures, queryFailures } from '../problems.ts'
import type { AdminServices } from '../services.ts'
import { SitePath } from '../sites/schemas.ts'
import { shownSession } from '../to-json.ts'
import { found } from '../users/routes.ts'
import { UserPath } from '../users/schemas.ts'
import { AdminSessionPage, AdminSessionPath, AdminSessionQuery, EndedSessions } from './schemas.ts'

const tags = ['Sessions']
const security = [{ adminToken: [] }]
const ended = {
  description: 'How many were ended',
  content: { 'application/json': { schema: ref(EndedSessions) } },
}

/** Sessions of anybody: list, end one, end all of a person or of a site. */
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
          200: {
            description: 'The sessions',
            content: { 'application/json': { schema: ref(AdminSessionPage) } },
          },
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
      return { sessions: entries.map(shownSession), next }
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
          ended: await endSessionsOf(database, { userId: found(await getUser(database, id)).id }),
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
