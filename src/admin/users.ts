import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { bodyProblems, jsonResponse, ref } from '../http/openapi.ts'
import { Problem } from '../problems/problem.ts'
import type { UserRecord } from '../users/user.ts'
import { findUsers, getUser, setDisabled } from '../users/user.ts'
import { audited } from './audit.ts'
import { Next, pageOf, pageQuery, readPage, searchText } from './pagination.ts'
import type { AdminServices } from './route.ts'
import { adminFailures, isoOrNull, security } from './route.ts'

const id = Type.String({ format: 'uuid' })
const time = Type.String({ format: 'date-time' })
const text = Type.Union([Type.String(), Type.Null()], {
  description: 'null where the provider does not tell',
})
const timeOrNull = (description: string) => Type.Union([time, Type.Null()], { description })

/** The person in the examples of the document. */
export const userExample = {
  id: '01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a11',
  name: 'Анна Петрова',
  login: 'anna',
  email: 'anna@mail.example',
  email_verified: null,
  disabled_at: null,
  created_at: '2026-11-25T10:00:00.000Z',
  updated_at: '2026-11-25T10:00:00.000Z',
  identities: [{ provider: 'one', subject: '1234567890', created_at: '2026-11-25T10:00:00.000Z' }],
}

/** A person, and the accounts by which providers know them. */
export const AdminUser = Type.Object(
  {
    id,
    name: text,
    login: text,
    email: text,
    email_verified: Type.Union([Type.Boolean(), Type.Null()], {
      description: 'null: the provider does not say',
    }),
    disabled_at: timeOrNull('null: enabled'),
    created_at: time,
    updated_at: time,
    identities: Type.Array(
      Type.Object({ provider: Type.String(), subject: Type.String(), created_at: time }),
    ),
  },
  { $id: 'AdminUser', examples: [userExample] },
)

/** In a body, not in a URL, because proxies log URLs. */
const UserSearch = Type.Object(
  {
    id: Type.Optional(id),
    provider: Type.Optional(searchText(64, 'With `subject`')),
    subject: Type.Optional(searchText(255, "The provider's own id of the account; with `provider`")),
    email: Type.Optional(searchText(254, 'The whole address')),
    login: Type.Optional(searchText(255, 'The whole login, as the provider writes it')),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: '50 without it' })),
    after: pageQuery.after,
  },
  {
    $id: 'UserSearch',
    additionalProperties: false,
    description: 'Everything given must fit; nothing given finds everybody',
    examples: [{ email: 'anna@mail.example' }, { provider: 'one', subject: '1234567890' }],
  },
)

const UserPage = Type.Object(
  { users: Type.Array(ref(AdminUser)), next: Next },
  { $id: 'UserPage', description: 'Newest first', examples: [{ users: [userExample], next: null }] },
)

const UserChange = Type.Object(
  { disabled: Type.Boolean({ description: 'Whether the person can log in and use sessions' }) },
  { $id: 'UserChange', additionalProperties: false, examples: [{ disabled: true }] },
)

/** The path parameters of one person. */
export const UserPath = Type.Object({ id: Type.String({ description: 'Of the user' }) })

const tags = ['Users']
const user = jsonResponse('The person', AdminUser)

/** The record of a person. @throws {Problem} user-not-found where there is none */
export function requireUser<T>(record: T | undefined): T {
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
          200: jsonResponse('Who fits', UserPage),
          ...adminFailures(...bodyProblems),
        },
      },
    },
    async ({ body }) => {
      const { provider, subject, limit, after, ...rest } = body
      // A subject needs its provider: two providers may give the same number to two people.
      if ((provider === undefined) !== (subject === undefined))
        throw new Problem('missing-parameter', {
          values: { parameter: provider === undefined ? 'provider' : 'subject' },
        })
      const identity = provider !== undefined && subject !== undefined && { identity: { provider, subject } }
      const { entries, next } = await readPage(pageOf({ limit, after }), (page) =>
        findUsers(database, { ...rest, ...identity }, page),
      )
      return { users: entries.map(userToJson), next }
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
    async ({ params }) => userToJson(requireUser(await getUser(database, params.id))),
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
        response: { 200: user, ...adminFailures(...bodyProblems, 'user-not-found') },
      },
    },
    async (request) => {
      const { id } = request.params
      const { disabled } = request.body
      const action = disabled ? 'user.disable' : 'user.enable'
      return userToJson(
        await audited(request, { action, user: id }, async () =>
          requireUser(await setDisabled(database, id, disabled)),
        ),
      )
    },
  )
}

/** A person's record as JSON. */
export function userToJson({ identities, ...user }: UserRecord) {
  return {
    id: user.id,
    name: user.name,
    login: user.login,
    email: user.email,
    email_verified: user.emailVerified,
    disabled_at: isoOrNull(user.disabledAt),
    created_at: user.createdAt.toISOString(),
    updated_at: user.updatedAt.toISOString(),
    identities: identities.map(({ provider, subject, createdAt }) => ({
      provider,
      subject,
      created_at: createdAt.toISOString(),
    })),
  }
}
