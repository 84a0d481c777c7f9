import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../http/openapi.ts'
import { Problem } from '../../problems/problem.ts'
import { findUsers, getUser, setDisabled } from '../../users/user.ts'
import { audited } from '../audit.ts'
import { readPage, usualLimit } from '../pagination.ts'
import { adminFailures, jsonFailures } from '../problems.ts'
import type { AdminServices } from '../services.ts'
import { shownUser } from '../to-json.ts'
import { AdminUser, UserChange, UserPage, UserPath, UserSearch } from './schemas.ts'

const tags = ['Users']
const security = [{ adminToken: [] }]
const user = { description: 'The person', content: { 'application/json': { schema: ref(AdminUser) } } }

/** The one who was looked for. */
export function found<T>(record: T | undefined): T {
  if (record === undefined) throw new Problem('user-not-found')
  return record
}

/** People: find, disable, enable. */
export const adminUserRoutes: FastifyPluginAsyncTypebox<AdminServices> = async (app, { database }) => {
  for (const schema of [AdminUser, UserSearch, UserPage, UserChange]) app.addSchema(schema)

  app.post(
    '/users/search/',
    {
      schema: {
        operationId: 'findUsers',
        tags,
        summary: 'Find people by id, account at a provider, email or login',
        security,
        consumes: ['application/json'],
        body: ref(UserSearch),
        response: {
          200: { description: 'Who fits', content: { 'application/json': { schema: ref(UserPage) } } },
          ...adminFailures(...jsonFailures),
        },
      },
    },
    async ({ body }) => {
      const { provider, subject, limit = usualLimit, after, ...rest } = body
      // A subject says nothing without its provider: two of them may give the same number to two people.
      if ((provider === undefined) !== (subject === undefined))
        throw new Problem('missing-parameter', {
          values: { parameter: provider === undefined ? 'provider' : 'subject' },
        })
      const identity = provider !== undefined && subject !== undefined && { identity: { provider, subject } }
      const { entries, next } = await readPage({ limit, ...(after !== undefined && { after }) }, (page) =>
        findUsers(database, { ...rest, ...identity }, page),
      )
      return { users: entries.map(shownUser), next }
    },
  )

  app.get(
    '/users/:id/',
    {
      schema: {
        operationId: 'getUser',
        tags,
        summary: 'One person',
        security,
        params: UserPath,
        response: { 200: user, ...adminFailures('user-not-found') },
      },
    },
    async ({ params }) => shownUser(found(await getUser(database, params.id))),
  )

  app.patch(
    '/users/:id/',
    {
      schema: {
        operationId: 'changeUser',
        tags,
        summary: 'Disable or enable a person',
        description:
          'A disabled person cannot log in, and none of their sessions can be refreshed or used. The sessions are not ended: those that have not run out live again when the person is enabled.',
        security,
        params: UserPath,
        consumes: ['application/json'],
        body: ref(UserChange),
        response: { 200: user, ...adminFailures(...jsonFailures, 'user-not-found') },
      },
    },
    async (request) => {
      const { id } = request.params
      const { disabled } = request.body
      const action = disabled ? 'user.disable' : 'user.enable'
      return shownUser(
        await audited(request, { action, user: id }, async () =>
          found(await setDisabled(database, id, disabled)),
        ),
      )
    },
  )
}
