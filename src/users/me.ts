import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Prisma } from '../../prisma/client/client.ts'
import { invalidToken } from '../http/credentials.ts'
import { jsonResponse, problemResponses } from '../http/openapi.ts'
import { longestEmail, longestText } from '../providers/profile.ts'
import { sessionsWithOwners, usable } from '../sessions/living.ts'
import type { TokenServices } from '../sessions/read-token.ts'
import { readBearerSession } from '../sessions/read-token.ts'
import type { Database } from '../storage/postgres.ts'
import { prepareStatement } from '../storage/prepared-statement.ts'
import type { BearerSession } from '../tokens/access-token.ts'
import { seenThrough } from './scope.ts'

/** A person as they see themselves at a site; what the provider does not tell is null. */
export interface UserProfile {
  readonly userId: string
  readonly name: string | null
  readonly login: string | null
  readonly email: string | null
  readonly emailVerified: boolean | null
  /** Through which this session was opened. */
  readonly provider: string
  readonly sessionId: string
  /** When the session was opened. */
  readonly openedAt: Date
  /** What the site may know; null: everything. */
  readonly scope: string | null
}

const findProfile = prepareStatement<BearerSession, UserProfile>(
  'find_profile',
  (parameter) => Prisma.sql`
    SELECT u.id AS "userId", u.name, u.login, u.email, u.email_verified AS "emailVerified",
      s.provider, s.id AS "sessionId", s.created_at AS "openedAt", s.scope
    FROM ${sessionsWithOwners}
    WHERE s.id = ${parameter('sessionId')}::uuid AND s.user_id = ${parameter('userId')}::uuid
      AND s.site_id = ${parameter('siteId')}::text AND ${usable}`,
)

/**
 * The profile behind an access token, in one statement.
 * @returns undefined where the session has ended, or the user or the site is disabled: the token no longer counts
 */
export async function profileOf(database: Database, bearer: BearerSession): Promise<UserProfile | undefined> {
  const [profile] = await findProfile(database, bearer)
  return profile
}

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

/** `GET /me/`: the person behind an access token. */
export const profileRoute: FastifyPluginAsyncTypebox<TokenServices & { database: Database }> = async (
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
          200: jsonResponse('The profile', Profile),
          ...problemResponses('token-missing', 'token-invalid', 'rate-limited'),
        },
      },
    },
    async (request) => {
      const bearer = await readBearerSession(request.headers.authorization, request.ip, services)
      const profile = await profileOf(database, bearer)
      if (profile === undefined) throw invalidToken()
      const { name, login, email, emailVerified } = seenThrough(profile.scope, profile)
      return {
        id: profile.userId,
        name,
        login,
        email,
        email_verified: emailVerified,
        provider: profile.provider,
        session_id: profile.sessionId,
      }
    },
  )
}
