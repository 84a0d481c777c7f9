import { adminApi } from './admin/api.ts'
import type { Resources } from './app.ts'
import { providersOf, translate } from './app.ts'
import type { Config } from './config/config.ts'
import type { Health } from './health.ts'
import { healthRoutes } from './health.ts'
import { createServer } from './http/server.ts'
import { callbackPath } from './login/callback-route.ts'
import type { LoginHistory } from './login-history/store.ts'
import type { ProviderRegistry } from './providers/registry.ts'
import type { Sites } from './sites/lookup.ts'
import { siteRules } from './sites/validate.ts'

/** What the management server shows of the public service. */
export interface Managed extends Pick<Resources, 'database' | 'metrics' | 'log' | 'stopping'> {
  readonly health: Health
  readonly sites: Sites
  readonly providers: ProviderRegistry
  readonly history: LoginHistory
}

/** The management server: health and metrics, open to everybody who reaches its port, and the admin API behind its tokens. */
export async function createManagement(config: Config, managed: Managed) {
  const { publicUrl, adminTokens: tokens, rateLimit, deadlines } = config
  const { health, metrics, log, stopping, ...services } = managed
  // No proxy is in front of this port, so the peer of the connection is the client.
  const direct = { ...config, trustProxy: false } as const
  const manager = await createServer(direct, { log, translate, ...(stopping && { stopping }) })
  await manager.register(healthRoutes, { health, metrics })
  await manager.register(adminApi, {
    services: {
      ...services,
      rules: siteRules(config.mode, providersOf(config)),
      callbackUrl: (provider) => publicUrl + callbackPath(provider),
      deadlines,
    },
    access: { tokens, rateLimit },
    publicUrl,
  })
  return manager
}
