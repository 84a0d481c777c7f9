import type { FastifyInstance, FastifyPluginAsync, RouteOptions } from 'fastify'
import { deadlines } from '../deadlines.ts'
import type { ErrorKinds } from './error-response.ts'
import type { GuardOptions, GuardState } from './guard.ts'
import { createGuard, defaultConcurrency } from './guard.ts'
import type { HttpClientOptions, HttpTimeouts } from './http-client.ts'
import { createHttpClient } from './http-client.ts'
import type { OAuthClient } from './oauth-client.ts'
import { createOAuthClient } from './oauth-client.ts'
import type { ProviderAdapter } from './provider.ts'
import { ProviderFailure } from './provider.ts'
import type { ProviderRegistry } from './registry.ts'
import type { OwnVariable, ProviderDeclaration, ProviderSettings } from './settings.ts'

/** What one provider differs in from all others. */
export interface ProviderDifferences<Own extends string> extends ProviderDeclaration<Own> {
  readonly title: ProviderAdapter['title']
  readonly jurisdiction: ProviderAdapter['jurisdiction']
  /** Further callback parameters that its exchange uses; none where absent. */
  readonly callbackParameters?: ProviderAdapter['callbackParameters']
  /** GET where absent. */
  readonly callbackMethod?: ProviderAdapter['callbackMethod']
  /** RFC 9207: `iss` at the callback, if it comes, must equal it. */
  readonly issuer?: (settings: ProviderSettings<Own>) => string
  /** What its token endpoint says in its own words. */
  readonly refusals?: ErrorKinds
  /** Its two steps, on the common client. Called once, at registration. */
  readonly adapter: (
    client: OAuthClient,
    settings: ProviderSettings<Own>,
  ) => Pick<ProviderAdapter, 'authorizeUrl' | 'identify'> & { readonly background?: BackgroundWork }
}

/** What a provider does beside its logins: at the start of the service, then every hour; a minute after a failure. */
export interface BackgroundWork {
  /** For the log. */
  readonly name: string
  readonly work: () => Promise<void>
}

/** What the service gives to a provider's plugin. */
export interface ProviderPluginOptions {
  readonly settings: ProviderSettings
  readonly registry: ProviderRegistry
  /** The route that takes this provider's redirect; the login flow's business, so it comes from there. */
  readonly callbackRoute: (adapter: ProviderAdapter) => RouteOptions
  readonly proxy?: HttpClientOptions['proxy']
  readonly onHttpRequest?: HttpClientOptions['onHttpRequest']
  readonly onStateChange?: (provider: string, state: GuardState) => void
  /** In place of the service's own deadlines and limits. */
  readonly timeouts?: HttpTimeouts
  readonly guard?: Pick<GuardOptions, 'faults' | 'pause' | 'concurrency'>
}

/** A provider as plugins/index.ts lists it: what the configuration reads, and what the service registers. */
export interface ProviderPlugin extends ProviderDeclaration {
  readonly title: ProviderAdapter['title']
  readonly plugin: FastifyPluginAsync<ProviderPluginOptions>
}

/**
 * Makes a provider out of its differences: an encapsulated Fastify plugin (register it without
 * fastify-plugin) with its own connections, guard and callback route, which puts its adapter in the registry.
 */
export function providerPlugin<Own extends string = never>(
  differences: ProviderDifferences<Own>,
): ProviderPlugin {
  const { name, title, defaults, variables, refusals = {} } = differences

  const plugin: FastifyPluginAsync<ProviderPluginOptions> = async (app, options) => {
    const { settings, registry, callbackRoute, proxy, onHttpRequest, onStateChange } = options
    if (!isComplete(settings, variables))
      throw new Error(`The settings of ${name} lack one of its variables.`)
    const concurrency = options.guard?.concurrency ?? defaultConcurrency
    const http = createHttpClient({
      provider: name,
      timeouts: options.timeouts ?? { connect: deadlines.providerConnect, answer: deadlines.providerAnswer },
      connections: concurrency,
      ...(proxy !== undefined && { proxy }),
      ...(onHttpRequest !== undefined && { onHttpRequest }),
    })
    app.addHook('onClose', () => http.close())

    const guard = createGuard({
      provider: name,
      ...options.guard,
      onStateChange(state) {
        app.log.warn({ provider: name, state }, 'provider circuit changed')
        onStateChange?.(name, state)
      },
    })
    const client = createOAuthClient({ provider: name, settings, http, refusals })
    const { background, ...own } = differences.adapter(client, settings)
    const adapter = adapterOf(differences, own, settings)
    if (background !== undefined) runInBackground(app, name, background)
    registry.register(adapter, guard)
    app.route(callbackRoute(adapter))
  }
  return { name, title, defaults, variables, plugin }
}

/** Milliseconds. */
const backgroundEvery = 3_600_000
const backgroundAgain = 60_000

/** From the moment that the app is ready until it closes; what fails is told to the log alone. */
function runInBackground(app: FastifyInstance, provider: string, { name, work }: BackgroundWork): void {
  let timer: NodeJS.Timeout | undefined
  let closed = false
  const run = async () => {
    const failure = await work().then(
      () => undefined,
      (error: unknown) => ({ error }),
    )
    if (closed) return
    if (failure !== undefined)
      app.log.warn({ err: failure.error, provider, work: name }, 'background work of a provider failed')
    const pause = failure === undefined ? backgroundEvery : backgroundAgain
    timer = setTimeout(() => void run(), pause).unref()
  }
  app.addHook('onReady', async () => void run())
  app.addHook('onClose', async () => {
    closed = true
    clearTimeout(timer)
  })
}

function adapterOf<Own extends string>(
  {
    name,
    title,
    jurisdiction,
    callbackMethod = 'GET',
    callbackParameters = {},
    issuer,
  }: ProviderDifferences<Own>,
  { authorizeUrl, identify }: Pick<ProviderAdapter, 'authorizeUrl' | 'identify'>,
  settings: ProviderSettings<Own>,
): ProviderAdapter {
  return {
    name,
    title,
    jurisdiction,
    callbackMethod,
    callbackParameters,
    pkce: settings.pkce,
    ...(issuer !== undefined && { issuer: issuer(settings) }),
    authorizeUrl,
    async identify(grant, signal) {
      try {
        return await identify(grant, signal)
      } catch (error) {
        if (error instanceof ProviderFailure) throw error
        // A plugin's bug: the code may be spent, and what it stumbled over is in the cause.
        throw new ProviderFailure('invalid_response', `${name}: unexpected answer`, { cause: error })
      }
    },
  }
}

function isComplete<Own extends string>(
  settings: ProviderSettings,
  variables: Readonly<Record<Own, OwnVariable>>,
): settings is ProviderSettings<Own> {
  return Object.keys(variables).every((key) => Object.hasOwn(settings.own, key))
}
