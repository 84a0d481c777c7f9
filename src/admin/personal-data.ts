import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Deletion } from '../../prisma/client/client.ts'
import { bodyProblems, jsonResponse, oneOf, ref } from '../http/openapi.ts'
import type { PersonalData as PersonalDataRecord } from '../users/personal-data.ts'
import {
  deletePersonalData,
  deletionReasons,
  listDeletions,
  readPersonalData,
} from '../users/personal-data.ts'
import { audited } from './audit.ts'
import { Next, pageOf, pageQuery, readPage } from './pagination.ts'
import type { AdminServices } from './route.ts'
import { adminFailures, isoOrNull, queryFailures, security } from './route.ts'
import { sessionToJson } from './sessions.ts'
import { AdminUser, requireUser, UserPath, userExample, userToJson } from './users.ts'

const id = Type.String({ format: 'uuid' })
const time = Type.String({ format: 'date-time' })

/** Everything that is held on a person. */
const PersonalData = Type.Object(
  {
    exported_at: time,
    user: ref(AdminUser),
    sessions: Type.Array(
      Type.Object({
        id,
        site_id: Type.String(),
        site_name: Type.String(),
        provider: Type.String(),
        refreshes: Type.Integer(),
        created_at: time,
        last_used_at: time,
        expires_at: time,
        ends_at: time,
        revoked_at: Type.Union([time, Type.Null()], { description: 'null: not ended before its time' }),
      }),
      { description: 'Those that ended stay for a day' },
    ),
  },
  {
    $id: 'PersonalData',
    examples: [
      {
        exported_at: '2026-11-25T12:00:00.000Z',
        user: userExample,
        sessions: [
          {
            id: '01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a12',
            site_id: 'site_b3X9c1QdRk0Z',
            site_name: 'Cinema',
            provider: 'one',
            refreshes: 3,
            created_at: '2026-11-25T10:00:00.000Z',
            last_used_at: '2026-11-25T11:00:00.000Z',
            expires_at: '2026-12-25T11:00:00.000Z',
            ends_at: '2027-05-24T10:00:00.000Z',
            revoked_at: null,
          },
        ],
      },
    ],
  },
)

const reference = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._/#-]{0,63}$',
  description: 'Your own number of the request; never a name or an address',
})

const DeleteUser = Type.Object(
  {
    reason: oneOf(deletionReasons, { description: 'For the journal' }),
    reference: Type.Optional(reference),
  },
  {
    $id: 'DeleteUser',
    additionalProperties: false,
    examples: [{ reason: 'person-request', reference: 'PD-2026/118' }],
  },
)

const deletionExample = {
  id: '01936f0e-9b3c-7c4e-9d52-0c3c5f1e2a13',
  user_id: userExample.id,
  reason: 'person-request',
  reference: 'PD-2026/118',
  sessions: 2,
  deleted_at: '2026-11-25T12:00:00.000Z',
}

/** A line of the journal. */
const DeletedUser = Type.Object(
  {
    id,
    user_id: Type.String({ format: 'uuid', description: 'By which sites knew the person' }),
    reason: oneOf<string>(deletionReasons),
    reference: Type.Union([Type.String(), Type.Null()]),
    sessions: Type.Integer({ description: 'How many went with the person' }),
    deleted_at: time,
  },
  { $id: 'DeletedUser', description: 'Kept for three years', examples: [deletionExample] },
)

const DeletionQuery = Type.Object(pageQuery, { additionalProperties: false })
const DeletionPage = Type.Object(
  { deletions: Type.Array(ref(DeletedUser)), next: Next },
  {
    $id: 'DeletionPage',
    description: 'Newest first',
    examples: [{ deletions: [deletionExample], next: null }],
  },
)

const tags = ['Users']

/** The rights of a person by law: to know what is stored about them, and to have it deleted. */
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
          200: jsonResponse('Everything, also for the person to read', PersonalData),
          ...adminFailures('user-not-found'),
        },
      },
    },
    async (request) => {
      const { id } = request.params
      const data = await audited(request, { action: 'user.export', user: id }, async () =>
        requireUser(await readPersonalData(database, id)),
      )
      return personalDataToJson(data, new Date())
    },
  )

  // Not a DELETE: its body has no defined meaning (RFC 9110 §9.3.5), and a proxy may drop it.
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
          200: jsonResponse("The journal's line", DeletedUser),
          ...adminFailures(...bodyProblems, 'user-not-found'),
        },
      },
    },
    async (request) => {
      const { id } = request.params
      const attempt = { action: 'user.delete', user: id, ...request.body }
      return deletionToJson(
        await audited(
          request,
          attempt,
          async () => requireUser(await deletePersonalData(database, id, request.body)),
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
          200: jsonResponse('Its lines', DeletionPage),
          ...adminFailures(...queryFailures),
        },
      },
    },
    async ({ query }) => {
      const { entries, next } = await readPage(pageOf(query), (page) => listDeletions(database, page))
      return { deletions: entries.map(deletionToJson), next }
    },
  )
}

/** All that is held on a person as JSON, without the internal fields of a session, which say nothing about a person. */
function personalDataToJson({ sessions, ...user }: PersonalDataRecord, exportedAt: Date) {
  return {
    exported_at: exportedAt.toISOString(),
    user: userToJson(user),
    sessions: sessions.map((session) => ({
      ...sessionToJson(session),
      site_name: session.site.name,
      revoked_at: isoOrNull(session.revokedAt),
    })),
  }
}

/** A line of the journal as JSON. */
function deletionToJson(deletion: Deletion) {
  return {
    id: deletion.id,
    user_id: deletion.userId,
    reason: deletion.reason,
    reference: deletion.reference,
    sessions: deletion.sessions,
    deleted_at: deletion.deletedAt.toISOString(),
  }
}
