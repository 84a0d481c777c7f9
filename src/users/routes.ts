import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { invalidToken } from '../http/credentials.ts'
import { problemResponses, ref } from '../http/openapi.ts'
import { longestEmail, longestText } from '../providers/profile.ts'
import type { BearerServices } from '../sessions/bearer-session.ts'
import { readBearerSession } from '../sessions/bearer-session.ts'
import type { Database } from '../storage/postgres.ts'
import { profileOf } from './user.ts'

const nullable = (options: { description: string; maxLength: number }) =>
  Type.Union([Type.String(options), Type.Null()])

const Profile = Type.Object(
  {
    id: Type.String({
      format: 'uuid',
      description: 'Stable for this person at this provider: your key, never the email',
    }),
    name: nullable({
      description:
        'One line to show to people, without invisible characters; a longer one is cut after a whole character. null where the provider does not tell',
      maxLength: longestText,
    }),
    login: nullable({
      description: 'Of the same form as `name`. null where the provider does not tell',
      maxLength: longestText,
    }),
    email: nullable({
      description:
        'null where the provider does not tell, or tells one that is longer or has invisible characters',
      maxLength: longestEmail,
    }),
    email_verified: Type.Union([Type.Boolean(), Type.Null()], {
      description: 'null: the provider does not say',
    }),
    provider: Type.String({ description: 'Through which this session was opened' }),
    session_id: Type.String({ format: 'uuid' }),
  },
  {
    $id: 'Profile',
    examples: [
      {
        id: '01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a11',
        name: 'Анна Петрова',
        login: 'anna',
        email: 'anna@mail.example',
        email_verified: null,
        provider: 'one',
        session_id: '01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a12',
      },
    ],
  },
)

/** The person behind an access token. */
export const userRoutes: FastifyPluginAsyncTypebox<BearerServices & { database: Database }> = async (
  app,
  { database, ...services },
) => {
  app.addSchema(Profile)
  app.get(
    '/api/v1/me/',
    {
      schema: {
        operationId: 'getProfile',
        tags: ['Users'],
        summary: 'Name, login and email of the user',
        security: [{ accessToken: [] }],
        response: {
          200: { description: 'The profile', content: { 'application/json': { schema: ref(Profile) } } },
          ...problemResponses('token-missing', 'token-invalid', 'rate-limited'),
        },
      },
    },
    async (request) => {
      const asker = await readBearerSession(request.headers.authorization, request.ip, services)
      const profile = await profileOf(database, asker)
      if (profile === undefined) throw invalidToken()
      return {
        id: profile.userId,
        name: profile.name,
        login: profile.login,
        email: profile.email,
        email_verified: profile.emailVerified,
        provider: profile.provider,
        session_id: profile.sessionId,
      }
    },
  )
}
