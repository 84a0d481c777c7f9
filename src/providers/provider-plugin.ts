import type { FastifyInstance, FastifyPluginAsync, RouteOptions } from 'fastify'
import { deadlines } from '../deadlines.ts'
import type { GuardOptions, GuardState } from './guard.ts'
import { createGuard, defaultConcurrency } from './guard.ts'
import type { HttpClientOptions, HttpTimeouts } from './http-client.ts'
import { createHttpClient } from './http-client.ts'
import type { OAuthClient } from './oauth-client.ts'
import { createOAuthClient } from './oauth-client.ts'
import type { ProviderAdapter } from './provider.ts'
import { ProviderFailure } from './provider.ts'
import type { ProviderRegistry } from './registry.ts'
import type { ErrorKinds } from './response.ts'
import type { ProviderDeclaration, ProviderSettings } from './settings.ts'

/** Everything in which one provider differs from the others. */
export interface ProviderDifferences extends ProviderDeclaration {
  readonly title: ProviderAdapter['title']
  readonly jurisdiction: ProviderAdapter['jurisdiction']
  /** Further callback parameters that its exchange uses; none where absent. */
  readonly callbackParameters?: ProviderAdapter['callbackParameters']
  /** GET where absent. */
  readonly callbackMethod?: ProviderAdapter['callbackMethod']
  /** RFC 9207: if the callback has an `iss`, it must equal this value. */
  readonly issuer?: (settings: ProviderSettings) => string
  /** Values of `error` that its token endpoint sends beyond those of RFC 6749 §5.2. */
  readonly tokenErrors?: ErrorKinds
  /** Builds the provider's own two steps on the common OAuth client. Called once, at registration. */
  readonly adapter: (
    client: OAuthClient,
    settings: ProviderSettings,
  ) => Pick<ProviderAdapter, 'authorizeUrl' | 'identify'> & { readonly background?: BackgroundWork }
}

/**
 * Work of a provider that belongs to no login, such as fetching keys. It runs when the service starts and then every hour,
 * or a minute after it failed.
 */
export interface BackgroundWork {
  /** Names the work in the log. */
  readonly name: string
  readonly work: () => Promise<void>
}

/** What the service hands to a provider's plugin. */
export interface ProviderPluginOptions {
  readonly settings: ProviderSettings
  readonly registry: ProviderRegistry
  /** Builds the route of this provider's callback. It belongs to the login flow, so the caller hands it in. */
  readonly callbackRoute: (adapter: ProviderAdapter) => RouteOptions
  readonly proxy?: HttpClientOptions['proxy']
  readonly onHttpRequest?: HttpClientOptions['onHttpRequest']
  readonly onStateChange?: (provider: string, state: GuardState) => void
  /** Replaces the service's own deadlines. */
  readonly timeouts?: HttpTimeouts
  /** Replaces the guard's own limits. */
  readonly guard?: Pick<GuardOptions, 'faults' | 'pause' | 'concurrency'>
}

/** A provider as plugins/index.ts lists it: what the configuration reads and what the service registers. */
export interface ProviderPlugin extends ProviderDeclaration {
  readonly title: ProviderAdapter['title']
  readonly plugin: FastifyPluginAsync<ProviderPluginOptions>
}

/**
 * Makes a provider from its differences: an encapsulated Fastify plugin (register it without fastify-plugin) that has
 * its own connections, guard and callback route, and registers its adapter.
 */
export function providerPlugin(differences: ProviderDifferences): ProviderPlugin {
  const { name, title, defaults, variables, tokenErrors = {} } = differences

  const plugin: FastifyPluginAsync<ProviderPluginOptions> = async (app, options) => {
    const { settings, registry, callbackRoute, proxy, onHttpRequest, onStateChange } = options
    const concurrency = options.guard?.concurrency ?? defaultConcurrency
    const http = createHttpClient({
      provider: name,
      timeouts: options.timeouts ?? {
        connect: deadlines.providerConnect,
        response: deadlines.providerResponse,
      },
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
    const client = createOAuthClient({ provider: name, settings, http, tokenErrors })
    const { background, ...steps } = differences.adapter(client, settings)
    const adapter = adapterOf(differences, steps, settings)
    if (background !== undefined) runInBackground(app, name, background)
    registry.register(adapter, guard)
    app.route(callbackRoute(adapter))
  }
  return { name, title, defaults, variables, plugin }
}

/** Milliseconds. */
const backgroundEvery = 3_600_000
const backgroundAgain = 60_000

/** Runs from the moment that the app is ready until it closes. Failures only go to the log. */
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

function adapterOf(
  { name, title, jurisdiction, callbackMethod = 'GET', callbackParameters = {}, issuer }: ProviderDifferences,
  { authorizeUrl, identify }: Pick<ProviderAdapter, 'authorizeUrl' | 'identify'>,
  settings: ProviderSettings,
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
        // A bug of the plugin. The code may be spent; the error itself is kept as the cause.
        throw new ProviderFailure('invalid_response', `${name}: unexpected answer`, { cause: error })
      }
    },
  }
}
