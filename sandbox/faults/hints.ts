import type { ProviderRegistry } from '../../src/providers/registry.ts'
import { faultOfHint, faultParameter } from './set-faults.ts'

/**
 * Hands the fault that a start asks for by its `login_hint` to the provider's double, in a parameter of the authorization
 * URL. Not every provider has something like a hint, so the service would otherwise drop it for the others.
 */
export function passHintsOn(providers: Pick<ProviderRegistry, 'list'>): void {
  for (const { adapter } of providers.list()) {
    const authorizeUrl = adapter.authorizeUrl.bind(adapter)
    adapter.authorizeUrl = async (request) => {
      const url = await authorizeUrl(request)
      const fault = faultOfHint(request.loginHint)
      if (fault !== undefined) url.searchParams.set(faultParameter, fault)
      return url
    }
  }
}
