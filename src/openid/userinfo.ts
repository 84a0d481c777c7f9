import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { invalidToken } from '../http/credentials.ts'
import { asPlainJson, bodyProblems, formTypes, jsonResponse, problemResponses, ref } from '../http/openapi.ts'
import { Problem } from '../problems/problem.ts'
import type { TokenServices } from '../sessions/read-token.ts'
import { readBearerSession } from '../sessions/read-token.ts'
import type { Database } from '../storage/postgres.ts'
import { profileOf } from '../users/profile.ts'
import { standardClaims } from '../users/scope.ts'
import { openidPaths } from './paths.ts'

/** What UserInfo needs. */
export interface UserinfoOptions extends TokenServices {
  readonly database: Database
}

const UserinfoRequest = Type.Object(
  {
    access_token: Type.Optional(
      Type.String({ maxLength: 12_000, description: 'In place of the Authorization header (RFC 6750 §2.2)' }),
    ),
  },
  { $id: 'UserinfoRequest', examples: [{}] },
)

const Userinfo = Type.Object(
  {
    sub: Type.String({ description: 'The user: your key, never the email' }),
    name: Type.Optional(Type.String()),
    preferred_username: Type.Optional(Type.String({ description: 'The login at the provider' })),
    email: Type.Optional(Type.String()),
    email_verified: Type.Optional(Type.Boolean({ description: 'Only where the provider says' })),
  },
  {
    $id: 'Userinfo',
    description:
      'Standard claims (OpenID Connect Core §5.1), as far as the scope grants and the provider tells',
    examples: [
      {
        sub: '01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a11',
        name: 'Анна Петрова',
        preferred_username: 'anna',
        email: 'anna@mail.example',
      },
    ],
  },
)

const common = {
  tags: ['OpenID Connect'],
  security: [{ accessToken: [] }],
}
const failures = ['token-missing', 'token-invalid', 'rate-limited'] as const

/** UserInfo (OpenID Connect Core §5.3), by GET and by POST. */
export const userinfoRoutes: FastifyPluginAsyncTypebox<UserinfoOptions> = async (app, options) => {
  for (const schema of [UserinfoRequest, Userinfo]) app.addSchema(schema)

  app.get(
    openidPaths.userinfo,
    {
      schema: {
        ...common,
        operationId: 'getUserinfo',
        summary: 'The claims about the user that the scope grants',
        response: {
          200: jsonResponse('The claims', Userinfo),
          ...asPlainJson(problemResponses(...failures)),
        },
      },
    },
    (request) => claimsOf(request.headers.authorization, request.ip, options),
  )

  app.post(
    openidPaths.userinfo,
    {
      schema: {
        ...common,
        operationId: 'postUserinfo',
        summary: 'The same by POST, for clients that send the access token in the body',
        consumes: formTypes,
        body: ref(UserinfoRequest),
        response: {
          200: jsonResponse('The claims', Userinfo),
          ...asPlainJson(problemResponses(...bodyProblems, ...failures)),
        },
      },
      // The header alone is enough.
      preValidation: async (request) => {
        request.body ??= {}
      },
    },
    (request) => {
      const { access_token: posted } = request.body
      const { authorization } = request.headers
      // RFC 6750 §2: in one way only.
      if (posted !== undefined && authorization !== undefined)
        throw new Problem('repeated-parameter', { values: { parameter: 'access_token' } })
      return claimsOf(posted === undefined ? authorization : `Bearer ${posted}`, request.ip, options)
    },
  )
}

async function claimsOf(
  authorization: string | undefined,
  ip: string,
  { database, ...services }: UserinfoOptions,
) {
  const bearer = await readBearerSession(authorization, ip, services)
  const profile = await profileOf(database, bearer)
  if (profile === undefined) throw invalidToken()
  return { sub: profile.userId, ...standardClaims(profile.scope, profile) }
}
