import type { Guard } from './guard.ts'
import type { ProviderAdapter } from './provider.ts'

/** A provider in service. */
export interface RegisteredProvider {
  readonly adapter: ProviderAdapter
  readonly guard: Guard
}

/** The providers that are configured, each registered by its own plugin. */
export interface ProviderRegistry {
  /** @throws {Error} where the name is taken: two plugins are one too many */
  register(adapter: ProviderAdapter, guard: Guard): void
  /** undefined for every other string, `constructor` and `__proto__` included. */
  get(name: string): RegisteredProvider | undefined
  /** In the order of registration. */
  list(): readonly RegisteredProvider[]
}

/** An empty registry. */
export function createProviderRegistry(): ProviderRegistry {
  const providers = new Map<string, RegisteredProvider>()
  return {
    register(adapter, guard) {
      if (providers.has(adapter.name)) throw new Error(`Two providers are named "${adapter.name}".`)
      providers.set(adapter.name, { adapter, guard })
    },
    get: (name) => providers.get(name),
    list: () => [...providers.values()],
  }
}
