import { isIP } from 'node:net'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Deadlines } from '../deadlines.ts'
import { credentialParameters, readCredentials } from '../http/credentials.ts'
import type { Metrics } from '../http/metrics.ts'
import { bodyProblems, formTypes, jsonResponse, oneOf, problemResponses, ref } from '../http/openapi.ts'
import type { RunningWork } from '../http/running-work.ts'
import { withDeadline } from '../http/running-work.ts'
import type { TrackRequest } from '../login-history/progress.ts'
import { problemTypeOf } from '../login-history/progress.ts'
import { Problem } from '../problems/problem.ts'
import { unknownProvider } from '../providers/registry.ts'
import type { SessionOfLogin } from '../sessions/session.ts'
import { TokenPair } from '../tokens/token-pair.ts'
import { callbackProblems } from './callback.ts'
import type { CallbackRouteOptions } from './callback-route.ts'
import { CallbackQuery, unknownCallbackRoute } from './callback-route.ts'
import type { FinishRequest } from './check-request.ts'
import type { FinishServices } from './finish.ts'
import { finish, finishProblems } from './finish.ts'
import type { StartRequest, StartServices } from './start.ts'
import { start, startProblems } from './start.ts'

/** What the routes of a login need. */
export interface LoginRouteOptions {
  readonly services: StartServices & FinishServices & { readonly deadlines: Pick<Deadlines, 'start'> }
  readonly callback: CallbackRouteOptions
  readonly issueTokens: (session: SessionOfLogin) => TokenPair
  readonly track: TrackRequest
  /** A finish goes on after its caller has disconnected. */
  readonly running: RunningWork
  /** Every provider that this service knows, configured or not. */
  readonly providerNames: readonly string[]
  /** The accounts within providers that a start may ask for. */
  readonly providerAccounts: readonly string[]
  readonly metrics: Pick<Metrics, 'loginsStarted' | 'loginsFinished'>
}

/** The two requests of a site's backend, and the documentation of the callback between them. */
export const loginRoutes: FastifyPluginAsyncTypebox<LoginRouteOptions> = async (app, options) => {
  const { services } = options
  const { StartLogin, StartedLogin, FinishLogin } = loginSchemas(options)
  for (const schema of [StartLogin, StartedLogin, FinishLogin]) app.addSchema(schema)
  // The schema lists every provider, but the problem only those in service. All other failures are reported as usual.
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
          200: jsonResponse('The login is started', StartedLogin),
          ...problemResponses(...bodyProblems, ...startProblems),
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
        provider_account: providerAccount,
        user_ip: userIp,
      } = request.body
      if ((code_challenge === undefined) !== (code_challenge_method === undefined))
        throw new Problem('invalid-parameter', { values: { parameter: 'code_challenge', rule: 's256' } })
      const credentials = readCredentials(request.headers.authorization, request.body)
      if (userIp !== undefined && isIP(userIp) === 0)
        throw new Problem('invalid-parameter', { values: { parameter: 'user_ip', rule: 'ip' } })
      const startRequest: StartRequest = {
        provider,
        redirectUrl,
        ip: request.ip,
        ...(credentials && { credentials }),
        ...(code_challenge !== undefined && { codeChallenge: code_challenge }),
        ...(loginHint !== undefined && { loginHint }),
        ...(userIp !== undefined && { userIp }),
        ...(prompt === 'select_account' && { prompt }),
        ...(providerAccount !== undefined && { providerAccount }),
      }
      const started = await options.track(
        { request: 'start', provider, requestId: request.id },
        (progress) => withDeadline(services.deadlines.start, () => start(startRequest, services, progress)),
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
      querystring: CallbackQuery,
      response: {
        204: { description: 'Nothing: the browser only looked ahead (prefetch)', type: 'null' },
        303: { description: 'On to the site', type: 'null' },
        ...problemResponses(...callbackProblems),
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
          200: jsonResponse('The tokens', TokenPair),
          ...problemResponses(...bodyProblems, ...finishProblems),
        },
      },
    },
    async (request) => {
      const { provider, state, code, code_verifier: codeVerifier } = request.body
      const credentials = readCredentials(request.headers.authorization, request.body)
      const finishRequest: FinishRequest = {
        provider,
        state,
        ip: request.ip,
        ...(code !== undefined && { code }),
        ...(codeVerifier !== undefined && { codeVerifier }),
        ...(credentials && { credentials }),
      }
      const finished = options.track(
        { request: 'finish', provider, requestId: request.id },
        (progress) =>
          withDeadline(
            services.deadlines.finish,
            (signal) => options.running.track(finish(finishRequest, services, signal, progress)),
            'login-incomplete',
          ),
        request,
      )
      // The outcome is the type of the problem: a closed set, and the same as in the response.
      return await finished.then(
        ({ session }) => {
          options.metrics.loginsFinished.inc({ provider, outcome: 'success' })
          return options.issueTokens(session)
        },
        (error: unknown) => {
          const outcome = problemTypeOf(error, app.translate)
          options.metrics.loginsFinished.inc({ provider, outcome })
          throw error
        },
      )
    },
  )
}

/**
 * The bodies of a login's requests and responses. Unknown parameters pass, because a site may post every parameter
 * that came in its GET.
 */
function loginSchemas({
  providerNames: providers,
  providerAccounts,
}: Pick<LoginRouteOptions, 'providerNames' | 'providerAccounts'>) {
  const provider = oneOf(providers, { description: 'The OAuth provider', examples: [providers[0]] })
  return {
    StartLogin: Type.Object(
      {
        provider,
        client_redirect_url: Type.String({
          minLength: 1,
          maxLength: 2000,
          description: "The site's registered address, exactly as registered; the browser comes back to it",
        }),
        code_challenge: Type.Optional(
          Type.String({
            pattern: '^[A-Za-z0-9_-]{43}$',
            description: 'Binds the login to this caller (RFC 7636): base64url of SHA-256 of a code_verifier',
          }),
        ),
        code_challenge_method: Type.Optional(oneOf(['S256'], { description: 'Only with code_challenge' })),
        login_hint: Type.Optional(
          Type.String({ maxLength: 255, description: 'Login or email that the provider may fill in' }),
        ),
        user_ip: Type.Optional(
          Type.String({
            maxLength: 64,
            description:
              "IP address of the visitor who logs in, who then has limits of their own. Counts only with the site's secret; ignored without it",
          }),
        ),
        prompt: Type.Optional(oneOf(['select_account'], { description: 'Ask which account to use' })),
        provider_account: Type.Optional(
          oneOf(providerAccounts, {
            description:
              'Which kind of account within the provider; ignored by providers that have no such kinds',
          }),
        ),
        ...credentialParameters,
      },
      {
        $id: 'StartLogin',
        examples: [{ provider: providers[0], client_redirect_url: 'https://site.example/oauth/return' }],
      },
    ),
    StartedLogin: Type.Object(
      {
        state: Type.String({ description: 'Keep it in the browser session and compare it on return' }),
        authorize_url: Type.String({ format: 'uri', description: 'Redirect the user to this address' }),
      },
      {
        $id: 'StartedLogin',
        examples: [
          {
            state: 'Y2hhbmdlIG1lIHRvIDI1NiByYW5kb20gYml0cyEhISE',
            authorize_url: 'https://provider.example/authorize?response_type=code&client_id=app',
          },
        ],
      },
    ),
    FinishLogin: Type.Object(
      {
        provider,
        state: Type.String({ minLength: 1, maxLength: 512, description: 'As it came in the GET' }),
        code: Type.Optional(
          Type.String({
            maxLength: 4096,
            description: 'As it came in the GET; it is missing only where the provider sent an error',
          }),
        ),
        code_verifier: Type.Optional(
          Type.String({ maxLength: 512, description: 'Where the start brought a code_challenge (RFC 7636)' }),
        ),
        ...credentialParameters,
      },
      {
        $id: 'FinishLogin',
        examples: [
          { provider: providers[0], state: 'Y2hhbmdlIG1lIHRvIDI1NiByYW5kb20gYml0cyEhISE', code: '4/0AbCdEf' },
        ],
      },
    ),
  }
}
