import type { FastifyPluginAsync, RouteOptions } from 'fastify'
import { deadlines } from '../deadlines.ts'
import type { BackgroundWork } from './background.ts'
import { runInBackground } from './background.ts'
import type { GuardOptions, GuardState } from './guard.ts'
import { createGuard, defaultConcurrency } from './guard.ts'
import type { HttpClientOptions, HttpTimeouts } from './http-client.ts'
import { createHttpClient } from './http-client.ts'
import type { OAuthClient, TokenRules } from './oauth-client.ts'
import { createOAuthClient } from './oauth-client.ts'
import type { ProviderAdapter } from './provider.ts'
import { ProviderFailure } from './provider.ts'
import type { ProviderRegistry } from './registry.ts'
import type { ErrorKinds } from './response.ts'
import type { ProviderDeclaration, ProviderSettings } from './settings.ts'

/** Everything in which one provider differs from the others. */
export interface ProviderDifferences extends ProviderDeclaration {
  readonly title: ProviderAdapter['title']
  readonly mark?: ProviderAdapter['mark']
  readonly jurisdiction: ProviderAdapter['jurisdiction']
  readonly gives: ProviderAdapter['gives']
  /** Kinds of account within it that a start may ask for (`provider_account`); none where absent. */
  readonly accounts?: readonly string[]
  /** Further callback parameters that its exchange uses; none where absent. */
  readonly callbackParameters?: ProviderAdapter['callbackParameters']
  readonly isUsableParameter?: ProviderAdapter['isUsableParameter']
  /** Values of `error` at the callback that mean `access_denied`; that one alone where absent. */
  readonly denials?: ProviderAdapter['denials']
  /** GET where absent. */
  readonly callbackMethod?: ProviderAdapter['callbackMethod']
  /** RFC 9207: if the callback has an `iss`, it must equal this value. */
  readonly issuer?: (settings: ProviderSettings) => string
  /** What its token endpoint's error responses mean beyond RFC 6749 §5.2. */
  readonly tokenErrors?: ErrorKinds
  readonly tokenRules?: TokenRules
  /**
   * Whether no login can start before the plugin calls `works`, because the provider's addresses are still to be discovered.
   */
  readonly startsUnknown?: boolean
  /**
   * Builds the provider's own two steps on the common OAuth client. Called once, at registration.
   * @param works says that logins may start, where `startsUnknown` held them back
   */
  readonly adapter: (client: OAuthClient, settings: ProviderSettings, works: () => void) => ProviderSteps
}

/** The steps in which one provider differs. */
export interface ProviderSteps extends Pick<ProviderAdapter, 'authorizeUrl' | 'identify' | 'requiresIssuer'> {
  readonly background?: readonly BackgroundWork[]
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
  readonly mark?: ProviderAdapter['mark']
  readonly jurisdiction: ProviderAdapter['jurisdiction']
  readonly gives: ProviderAdapter['gives']
  readonly accounts: readonly string[]
  readonly plugin: FastifyPluginAsync<ProviderPluginOptions>
}

/**
 * Makes a provider from its differences: an encapsulated Fastify plugin (register it without fastify-plugin) that has
 * its own connections, guard and callback route, and registers its adapter.
 */
export function providerPlugin(differences: ProviderDifferences): ProviderPlugin {
  const { name, title, mark, jurisdiction, gives, accounts = [] } = differences
  const { tokenErrors = {}, tokenRules = {} } = differences

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
      held: differences.startsUnknown === true,
      onStateChange(state) {
        app.log.warn({ provider: name, state }, 'provider circuit changed')
        onStateChange?.(name, state)
      },
    })
    const client = createOAuthClient({ provider: name, settings, http, tokenErrors, tokenRules })
    const { background = [], ...steps } = differences.adapter(client, settings, () => guard.release())
    const adapter = adapterOf(differences, steps, settings)
    for (const work of background) runInBackground(app, name, work)
    registry.register(adapter, guard)
    app.route(callbackRoute(adapter))
  }
  return {
    ...declarationOf(differences),
    title,
    ...(mark !== undefined && { mark }),
    jurisdiction,
    gives,
    accounts,
    plugin,
  }
}

/** What of it the configuration reads. */
function declarationOf(differences: ProviderDifferences): ProviderDeclaration {
  const { name, defaults, variables, clientSecret, pkceRequired, listedIn } = differences
  return {
    name,
    defaults,
    variables,
    ...(clientSecret !== undefined && { clientSecret }),
    ...(pkceRequired !== undefined && { pkceRequired }),
    ...(listedIn !== undefined && { listedIn }),
  }
}

function adapterOf(
  differences: ProviderDifferences,
  { authorizeUrl, identify, requiresIssuer }: Omit<ProviderSteps, 'background'>,
  settings: ProviderSettings,
): ProviderAdapter {
  const { name, title, mark, jurisdiction, gives, isUsableParameter, issuer } = differences
  const { callbackMethod = 'GET', callbackParameters = {}, denials = [] } = differences
  return {
    name,
    title,
    ...(mark !== undefined && { mark }),
    jurisdiction,
    gives,
    callbackMethod,
    callbackParameters,
    denials,
    pkce: settings.pkce,
    ...(isUsableParameter !== undefined && { isUsableParameter }),
    ...(issuer !== undefined && { issuer: issuer(settings) }),
    ...(requiresIssuer !== undefined && { requiresIssuer }),
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
