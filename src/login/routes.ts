import { isIP } from 'node:net'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Deadlines } from '../config.ts'
import { readCredentials } from '../http/basic-auth.ts'
import { withDeadline } from '../http/deadline.ts'
import type { Metrics } from '../http/metrics.ts'
import { bodyFailures, failures, formTypes, ref } from '../http/openapi.ts'
import { Problem } from '../http/problem.ts'
import type { RunningWork } from '../http/running-work.ts'
import { TokenPair } from '../tokens/token-pair.ts'
import { callbackParameters } from './callback-parameters.ts'
import type { CallbackRouteOptions } from './callback-route.ts'
import { unknownCallbackRoute } from './callback-route.ts'
import type { FinishRequest, FinishServices } from './finish.ts'
import { finish } from './finish.ts'
import type { FollowRequest } from './follow-request.ts'
import { problemTypeOf } from './follow-request.ts'
import { loginSchemas } from './schemas.ts'
import type { StartRequest, StartServices } from './start.ts'
import { start, unknownProvider } from './start.ts'

/** What the login's routes stand on. */
export interface LoginRouteOptions {
  readonly services: StartServices & FinishServices & { readonly deadlines: Pick<Deadlines, 'start'> }
  readonly callback: CallbackRouteOptions
  readonly follow: FollowRequest
  /** A finish goes on when its caller is gone. */
  readonly running: RunningWork
  /** Every provider that this version knows, configured or not. */
  readonly providerNames: readonly string[]
  readonly metrics: Pick<Metrics, 'loginsStarted' | 'loginsFinished'>
}

/** The two requests of the published guide, and the callback between them. */
export const loginRoutes: FastifyPluginAsyncTypebox<LoginRouteOptions> = async (app, options) => {
  const { services } = options
  const { StartLogin, StartedLogin, FinishLogin } = loginSchemas(options.providerNames)
  for (const schema of [StartLogin, StartedLogin, FinishLogin]) app.addSchema(schema)
  // The schema knows the names, but only this says which of them help; all other failures are told as usual.
  app.setSchemaErrorFormatter((failures) =>
    failures.some(({ keyword, instancePath }) => keyword === 'enum' && instancePath === '/provider')
      ? unknownProvider(services.providers)
      : new Error('The request does not fit its schema'),
  )

  app.post(
    '/api/v1/oauth/authorize-url/',
    {
      schema: {
        operationId: 'startLogin',
        tags: ['Login'],
        summary: 'Get the address to which to send the user',
        security: [{}, { site: [] }],
        consumes: formTypes,
        body: ref(StartLogin),
        response: {
          200: {
            description: 'The login is started',
            content: { 'application/json': { schema: ref(StartedLogin) } },
          },
          ...failures(
            ...bodyFailures,
            'misnamed-parameter',
            'unknown-provider',
            'redirect-url-unknown',
            'redirect-url-differs',
            'wrong-credentials',
            'secret-required',
            'site-mismatch',
            'site-disabled',
            'provider-not-allowed',
            'provider-unavailable',
          ),
        },
      },
    },
    async (request) => {
      const {
        provider,
        client_redirect_url: redirectUrl,
        code_challenge,
        code_challenge_method,
        login_hint: loginHint,
        prompt,
        user_ip: userIp,
      } = request.body
      if ((code_challenge === undefined) !== (code_challenge_method === undefined))
        throw new Problem('invalid-parameter', { values: { parameter: 'code_challenge', rule: 's256' } })
      const credentials = readCredentials(request.headers.authorization, request.body)
      if (userIp !== undefined && isIP(userIp) === 0)
        throw new Problem('invalid-parameter', { values: { parameter: 'user_ip', rule: 'ip' } })
      const asked: StartRequest = {
        provider,
        redirectUrl,
        address: request.ip,
        ...(credentials && { credentials }),
        ...(code_challenge !== undefined && { codeChallenge: code_challenge }),
        ...(loginHint !== undefined && { loginHint }),
        ...(userIp !== undefined && { userIp }),
        ...(prompt === 'select_account' && { prompt }),
      }
      const started = await options.follow(
        { request: 'start', provider, requestId: request.id },
        (trail) => withDeadline(services.deadlines.start, () => start(asked, services, trail)),
        request,
      )
      options.metrics.loginsStarted.inc({ provider })
      return { state: started.state, authorize_url: started.authorizeUrl }
    },
  )

  app.route(
    unknownCallbackRoute(options.callback, {
      operationId: 'returnFromProvider',
      tags: ['Login'],
      summary: 'Where the provider sends the browser back; never called by sites',
      description:
        'Redirects the browser to the client_redirect_url of the login with provider, state and code, or with error and error_description.',
      security: [],
      params: Type.Object({ provider: Type.String() }),
      querystring: callbackParameters,
      response: {
        204: { description: 'Nothing: the browser only looked ahead (prefetch)', type: 'null' },
        303: { description: 'On to the site', type: 'null' },
        ...failures(
          'missing-parameter',
          'invalid-parameter',
          'repeated-parameter',
          'unknown-login',
          'access-denied',
          'provider-declined',
          'redirect-url-unknown',
          'site-disabled',
          'provider-not-allowed',
          'login-completed',
          'code-mismatch',
          'provider-mismatch',
          'issuer-mismatch',
          'rate-limited',
          'not-found',
        ),
      },
    }),
  )

  app.post(
    '/api/v1/oauth/authorize/',
    {
      schema: {
        operationId: 'finishLogin',
        tags: ['Login'],
        summary: 'Exchange state and code for tokens',
        security: [{}, { site: [] }],
        consumes: formTypes,
        body: ref(FinishLogin),
        response: {
          200: { description: 'The tokens', content: { 'application/json': { schema: ref(TokenPair) } } },
          ...failures(
            ...bodyFailures,
            'unknown-provider',
            'unknown-login',
            'login-expired',
            'login-unanswered',
            'login-completed',
            'login-in-progress',
            'login-lost',
            'login-incomplete',
            'site-disabled',
            'provider-not-allowed',
            'secret-required',
            'wrong-credentials',
            'site-mismatch',
            'provider-mismatch',
            'code-mismatch',
            'verifier-missing',
            'verifier-unexpected',
            'verifier-mismatch',
            'access-denied',
            'provider-declined',
            'user-disabled',
            'code-rejected',
            'provider-unavailable',
            'provider-error',
            'provider-timeout',
            'provider-invalid-response',
            'provider-misconfigured',
          ),
        },
      },
    },
    async (request) => {
      const { provider, state, code, code_verifier: codeVerifier } = request.body
      const credentials = readCredentials(request.headers.authorization, request.body)
      const asked: FinishRequest = {
        provider,
        state,
        address: request.ip,
        ...(code !== undefined && { code }),
        ...(codeVerifier !== undefined && { codeVerifier }),
        ...(credentials && { credentials }),
      }
      const tokens = options.follow(
        { request: 'finish', provider, requestId: request.id },
        (trail) =>
          withDeadline(
            services.deadlines.finish,
            (signal) => options.running.track(finish(asked, services, signal, trail)),
            'login-incomplete',
          ),
        request,
      )
      // The outcome is the problem's type: a closed set, and what the caller was told.
      return await tokens.then(
        (pair) => {
          options.metrics.loginsFinished.inc({ provider, outcome: 'success' })
          return pair
        },
        (error: unknown) => {
          const outcome = problemTypeOf(error, options.callback.translate)
          options.metrics.loginsFinished.inc({ provider, outcome })
          throw error
        },
      )
    },
  )
}
