import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import type { Deadlines } from '../deadlines.ts'
import type { Credentials } from '../http/credentials.ts'
import { credentialParameters, readCredentials } from '../http/credentials.ts'
import type { Metrics } from '../http/metrics.ts'
import { asPlainJson, bodyProblems, formTypes, jsonResponse, problemResponses, ref } from '../http/openapi.ts'
import type { RunningWork } from '../http/running-work.ts'
import { withDeadline } from '../http/running-work.ts'
import type { FinishServices } from '../login/finish.ts'
import { finishProblems } from '../login/finish.ts'
import type { TrackRequest } from '../login-history/progress.ts'
import { problemTypeOf } from '../login-history/progress.ts'
import { Problem } from '../problems/problem.ts'
import type { RefreshServices } from '../sessions/refresh.ts'
import { refresh } from '../sessions/refresh.ts'
import { TokenPair } from '../tokens/token-pair.ts'
import { openidPaths } from './paths.ts'
import type { Tokens } from './token.ts'
import { codeProblems, finishByCode, finishOf, issueTokens } from './token.ts'

/** What the token endpoint needs. */
export interface TokenRouteOptions {
  readonly services: FinishServices & { readonly deadlines: Pick<Deadlines, 'finish'> }
  readonly sessions: RefreshServices
  readonly track: TrackRequest
  readonly running: RunningWork
  readonly metrics: Pick<Metrics, 'loginsFinished'>
}

const TokenRequest = Type.Object(
  {
    grant_type: Type.String({
      minLength: 1,
      maxLength: 64,
      description: 'authorization_code or refresh_token',
    }),
    code: Type.Optional(Type.String({ maxLength: 16_000, description: 'As it came to the redirect URI' })),
    redirect_uri: Type.Optional(
      Type.String({ maxLength: 2_000, description: 'The same as in the authorization request' }),
    ),
    code_verifier: Type.Optional(
      Type.String({ maxLength: 512, description: 'Where the authorization request had a code_challenge' }),
    ),
    refresh_token: Type.Optional(
      Type.String({ maxLength: 12_000, description: 'The latest of the session' }),
    ),
    ...credentialParameters,
  },
  {
    $id: 'TokenRequest',
    examples: [
      {
        grant_type: 'authorization_code',
        code: 'Y2hhbmdlIG1lIHRvIDI1NiByYW5kb20gYml0cyEhISEb25lIDQvMEFiQ2RFZg',
        redirect_uri: 'https://site.example/oauth/return',
        code_verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
        client_id: 'site_b3X9c1QdRk0Z',
      },
    ],
  },
)
type TokenRequest = Static<typeof TokenRequest>

const TokenResponse = Type.Object(
  {
    ...TokenPair.properties,
    id_token: Type.Optional(
      Type.String({ description: 'Who logged in, and when (OpenID Connect Core, section 2)' }),
    ),
  },
  {
    $id: 'TokenResponse',
    description: 'Access and refresh token, and an ID token where the scope has openid',
    examples: [
      {
        access_token: 'eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6IjFhMmIzYyJ9.eyJpc3MiOiJodHRw….k3Vf…',
        refresh_token: 'eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCIsImtpZCI6IjRkNWU2ZiJ9.eyJpc3MiOiJodHRw….Qz1t…',
        token_type: 'Bearer',
        expires_in: 900,
        scope: 'openid profile email',
        id_token: 'eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjdnOGg5aSJ9.eyJpc3MiOiJodHRw….Xb3w…',
      },
    ],
  },
)

/** The token endpoint (RFC 6749 §3.2), for codes and for refresh tokens. */
export const tokenRoute: FastifyPluginAsyncTypebox<TokenRouteOptions> = async (app, options) => {
  app.addSchema(TokenRequest)
  app.addSchema(TokenResponse)
  app.post(
    openidPaths.token,
    {
      schema: {
        operationId: 'requestTokens',
        tags: ['OpenID Connect'],
        summary: 'Exchange a code of the authorization endpoint, or a refresh token, for tokens',
        security: [{}, { site: [] }],
        consumes: formTypes,
        body: ref(TokenRequest),
        response: {
          200: jsonResponse('The tokens', TokenResponse),
          ...asPlainJson(
            problemResponses(
              ...bodyProblems,
              ...finishProblems,
              ...codeProblems,
              'refresh-token-invalid',
              'refresh-token-reused',
              'session-ended',
              'unsupported-grant-type',
            ),
          ),
        },
      },
    },
    async (request, reply) => {
      const { grant_type: grantType } = request.body
      // For clients that know no Cache-Control (RFC 6749 §5.1).
      reply.header('pragma', 'no-cache')
      if (grantType === 'authorization_code') return await exchangeCode(request.body, request, options)
      if (grantType === 'refresh_token') return await exchangeRefresh(request.body, request, options)
      throw new Problem('unsupported-grant-type')
    },
  )
}

/** @throws {Problem} missing-parameter */
function required(value: string | undefined, parameter: string): string {
  if (value === undefined) throw new Problem('missing-parameter', { values: { parameter } })
  return value
}

async function exchangeCode(
  body: TokenRequest,
  request: FastifyRequest,
  { services, sessions, track, running, metrics }: TokenRouteOptions,
): Promise<Tokens> {
  const credentials = readCredentials(request.headers.authorization, body)
  const finishRequest = finishOf({
    code: required(body.code, 'code'),
    redirectUri: required(body.redirect_uri, 'redirect_uri'),
    clientId: required(credentials?.id ?? body.client_id, 'client_id'),
    ip: request.ip,
    ...(body.code_verifier !== undefined && { codeVerifier: body.code_verifier }),
    ...(credentials && { credentials }),
  })
  // The name comes out of the code, which anybody may write: only one that exists becomes a label.
  const provider = services.providers.get(finishRequest.provider)?.adapter.name ?? 'unknown'
  try {
    const finished = await track(
      { request: 'finish', provider, requestId: request.id },
      (progress) =>
        withDeadline(
          services.deadlines.finish,
          (signal) => running.track(finishByCode(finishRequest, services, signal, progress)),
          'login-incomplete',
        ),
      request,
    )
    const tokens = await issueTokens(sessions.keys, finished)
    metrics.loginsFinished.inc({ provider, outcome: 'success' })
    return tokens
  } catch (error) {
    metrics.loginsFinished.inc({ provider, outcome: problemTypeOf(error, request.server.translate) })
    throw error
  }
}

async function exchangeRefresh(
  body: TokenRequest,
  request: FastifyRequest,
  { sessions }: TokenRouteOptions,
): Promise<TokenPair> {
  const refreshToken = required(body.refresh_token, 'refresh_token')
  const credentials: Credentials | undefined = readCredentials(request.headers.authorization, body)
  return await withDeadline(sessions.config.deadlines.refresh, (signal) =>
    refresh(
      {
        refreshToken,
        ip: request.ip,
        ...(credentials && { credentials }),
        ...(body.client_id !== undefined && { clientId: body.client_id }),
      },
      sessions,
      request,
      signal,
    ),
  )
}
