import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../http/openapi.ts'
import { deletePersonalData, listDeletions, readPersonalData } from '../../users/personal-data.ts'
import { audited } from '../audit.ts'
import { pageOf, readPage } from '../pagination.ts'
import { adminFailures, jsonFailures, queryFailures } from '../problems.ts'
import type { AdminServices } from '../services.ts'
import { shownDeletion, shownPersonalData } from '../to-json.ts'
import { found } from './routes.ts'
import {
  AdminUser,
  DeletedUser,
  DeleteUser,
  DeletionPage,
  DeletionQuery,
  PersonalData,
  UserPath,
} from './schemas.ts'

const tags = ['Users']
const security = [{ adminToken: [] }]

/** What the law gives a person: to know what is held, and to have it deleted. */
export const personalDataRoutes: FastifyPluginAsyncTypebox<AdminServices> = async (app, { database }) => {
  for (const schema of [AdminUser, PersonalData, DeleteUser, DeletedUser, DeletionPage]) app.addSchema(schema)

  app.get(
    '/users/:id/export/',
    {
      schema: {
        operationId: 'exportUser',
        tags,
        summary: 'Everything that is held on a person',
        security,
        params: UserPath,
        response: {
          200: {
            description: 'Everything, also for the person to read',
            content: { 'application/json': { schema: ref(PersonalData) } },
          },
          ...adminFailures('user-not-found'),
        },
      },
    },
    async (request) => {
      const { id } = request.params
      const data = await audited(request, { action: 'user.export', user: id }, async () =>
        found(await readPersonalData(database, id)),
      )
      return shownPersonalData(data, new Date())
    },
  )

  // A DELETE with a body means nothing (RFC 9110 §9.3.5), and what stands between may drop it.
  app.post(
    '/users/:id/delete/',
    {
      schema: {
        operationId: 'deleteUser',
        tags,
        summary: 'Delete everything that is held on a person, for good',
        security,
        params: UserPath,
        consumes: ['application/json'],
        body: ref(DeleteUser),
        response: {
          200: {
            description: "The journal's line",
            content: { 'application/json': { schema: ref(DeletedUser) } },
          },
          ...adminFailures(...jsonFailures, 'user-not-found'),
        },
      },
    },
    async (request) => {
      const { id } = request.params
      const attempt = { action: 'user.delete', user: id, ...request.body }
      return shownDeletion(
        await audited(
          request,
          attempt,
          async () => found(await deletePersonalData(database, id, request.body)),
          ({ id: deletion, sessions }) => ({ deletion, sessions }),
        ),
      )
    },
  )

  app.get(
    '/deletions/',
    {
      schema: {
        operationId: 'listDeletions',
        tags,
        summary: 'The journal of deletions',
        security,
        querystring: DeletionQuery,
        response: {
          200: { description: 'Its lines', content: { 'application/json': { schema: ref(DeletionPage) } } },
          ...adminFailures(...queryFailures),
        },
      },
    },
    async ({ query }) => {
      const { entries, next } = await readPage(pageOf(query), (page) => listDeletions(database, page))
      return { deletions: entries.map(shownDeletion), next }
    },
  )
}
