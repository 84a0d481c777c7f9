import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { invalidToken } from '../http/credentials.ts'
import { asPlainJson, jsonResponse, problemResponses } from '../http/openapi.ts'
import { Problem } from '../problems/problem.ts'
import type { TokenServices } from '../sessions/read-token.ts'
import { readBearerSession } from '../sessions/read-token.ts'
import type { Database } from '../storage/postgres.ts'
import { profileOf } from '../users/me.ts'
import { standardClaims } from '../users/scope.ts'
import { readParameters } from './parameters.ts'
import { openidPaths } from './paths.ts'

/** What UserInfo needs. */
export interface UserinfoOptions extends TokenServices {
  readonly database: Database
}

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

const common = { tags: ['OpenID Connect'], security: [{ accessToken: [] }] }
const failures = asPlainJson(
  problemResponses('repeated-parameter', 'token-missing', 'token-invalid', 'rate-limited'),
)

/** UserInfo (OpenID Connect Core §5.3), by GET and by POST. */
export const userinfoRoutes: FastifyPluginAsyncTypebox<UserinfoOptions> = async (app, options) => {
  app.addSchema(Userinfo)

  app.get(
    openidPaths.userinfo,
    {
      schema: {
        ...common,
        operationId: 'getUserinfo',
        summary: 'The claims about the user that the scope grants',
        response: { 200: jsonResponse('The claims', Userinfo), ...failures },
      },
    },
    (request) => claimsOf(request.headers.authorization, request.ip, options),
  )

  app.post(
    openidPaths.userinfo,
    {
      // Without a schema of its body, which may be absent: the document could not say that.
      schema: {
        ...common,
        operationId: 'postUserinfo',
        summary: 'The same by POST; a form may hold access_token in place of the header (RFC 6750 §2.2)',
        response: { 200: jsonResponse('The claims', Userinfo), ...failures },
      },
    },
    (request) => {
      const parameters = readParameters(request.body)
      parameters.refuseRepeated(['access_token'])
      const posted = parameters.get('access_token')
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
