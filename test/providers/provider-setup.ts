import { createHash, randomBytes } from 'node:crypto'
import Fastify from 'fastify'
import type { Test } from 'tap'
import type { ConsentOptions } from '../../sandbox/doubles/consent.ts'
import type { ProviderDouble, RecordedRequest } from '../../sandbox/doubles/double.ts'
import type { Guard, GuardState } from '../../src/providers/guard.ts'
import type { HttpObservation } from '../../src/providers/http-client.ts'
import type { AuthorizationGrant, ProviderAdapter } from '../../src/providers/provider.ts'
import { ProviderFailure } from '../../src/providers/provider.ts'
import type { ProviderPlugin, ProviderPluginOptions } from '../../src/providers/provider-plugin.ts'
import { createProviderRegistry } from '../../src/providers/registry.ts'
import type { ProviderSettings } from '../../src/providers/settings.ts'
import { readProviders } from '../../src/providers/settings.ts'
import { eventually } from '../support/process.ts'

/** The service's callback, as it is registered at the doubles. */
export const redirectUri = 'http://127.0.0.1:3000/api/v1/oauth/callback/test'

/** Milliseconds, for tests of providers that hang. All other tests use the service's own, so that they pass on a busy machine. */
export const shortTimeouts = { connect: 1_000, response: 300 }

/** A provider's plugin in service, as the application would register it. */
export interface Served {
  readonly adapter: ProviderAdapter
  readonly guard: Guard
  readonly settings: ProviderSettings
  readonly observations: HttpObservation[]
  readonly states: GuardState[]
  /** Starts the plugin's background work, as a service does when it begins to listen. */
  readonly ready: () => Promise<void>
}

/** What a test may change in how a plugin is served. */
export interface ServeOptions extends Partial<Pick<ProviderPluginOptions, 'timeouts' | 'guard' | 'proxy'>> {
  /** Variables on top of the double's own. */
  readonly env?: Readonly<Record<string, string>>
  /** Whether to wait for a provider that must be discovered; true where absent. */
  readonly discovered?: boolean
  /** Settings that no configuration would let through, such as an address that cannot be reached. */
  readonly settings?: Partial<ProviderSettings>
}

/** Registers a plugin on a Fastify instance that is closed with the test. */
export async function serve(
  t: Test,
  plugin: ProviderPlugin,
  double: ProviderDouble,
  { env = {}, settings: changes = {}, discovered = true, ...options }: ServeOptions = {},
): Promise<Served> {
  const problems: string[] = []
  const read = readProviders({ ...double.env, ...env }, [plugin], { loopback: true, problems })
  const configured = read.get(plugin.name)
  if (configured === undefined || problems.length > 0) throw new Error(problems.join(' '))
  const settings = { ...configured, ...changes }
  const observations: HttpObservation[] = []
  const states: GuardState[] = []
  const registry = createProviderRegistry()
  const app = Fastify()
  await app.register(plugin.plugin, {
    settings,
    registry,
    callbackRoute: (adapter) => ({
      method: adapter.callbackMethod,
      url: `/callback/${adapter.name}`,
      handler: async () => adapter.name,
    }),
    onHttpRequest: (observation) => observations.push(observation),
    onStateChange: (_provider, state) => states.push(state),
    ...options,
  })
  t.teardown(() => app.close())
  const registered = registry.get(plugin.name)
  if (registered === undefined) throw new Error(`${plugin.name} did not register itself.`)
  // One that must be discovered first is not known before the service is ready.
  if (!registered.guard.works && discovered) {
    await app.ready()
    await eventually(async () => {
      if (!registered.guard.works) throw new Error(`${plugin.name} is not discovered yet.`)
    })
  }
  return {
    ...registered,
    settings,
    observations,
    states,
    ready: async () => {
      await app.ready()
    },
  }
}

/** Makes an authorization request and lets the person consent: returns what the token request needs. */
export async function consented(
  { adapter }: Pick<Served, 'adapter'>,
  double: ProviderDouble,
  options?: ConsentOptions,
): Promise<AuthorizationGrant> {
  const verifier = randomBytes(32).toString('base64url')
  const nonce = randomBytes(16).toString('base64url')
  const state = randomBytes(32).toString('base64url')
  const url = await adapter.authorizeUrl({
    state,
    redirectUri,
    nonce,
    ...(adapter.pkce && { codeChallenge: challengeOf(verifier) }),
  })
  const callback = new URL(await double.consent(url.href, options))
  const code = callback.searchParams.get('code')
  if (code === null) throw new Error(`The double sent no code: ${callback.search}`)
  const callbackParameters = Object.fromEntries(
    [...callback.searchParams].filter(([name]) => Object.hasOwn(adapter.callbackParameters, name)),
  )
  return {
    code,
    state,
    redirectUri,
    nonce,
    callbackParameters,
    ...(adapter.pkce && { codeVerifier: verifier }),
  }
}

/** S256 of RFC 7636 §4.2. */
export function challengeOf(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url')
}

/** Calls `identify` with a deadline of ten seconds. */
export function identify({ adapter }: Pick<Served, 'adapter'>, grant: AuthorizationGrant) {
  return adapter.identify(grant, AbortSignal.timeout(10_000))
}

/** The ProviderFailure that a call throws; anything else, including success, fails the test. */
export async function failureOf(work: Promise<unknown>): Promise<ProviderFailure> {
  try {
    await work
  } catch (error) {
    if (error instanceof ProviderFailure) return error
    throw new Error('Something other than a ProviderFailure left the adapter', { cause: error })
  }
  throw new Error('It succeeded, although it should have failed')
}

/** The requests that an endpoint of a double has received so far. */
export function requestsAt(double: ProviderDouble, address: 'TOKEN_URL' | 'USERINFO_URL'): RecordedRequest[] {
  const url = URL.parse(double.env[`${double.name.toUpperCase()}_${address}`] ?? '')
  return double.requests.filter((request) => request.path === url?.pathname)
}
