import type { Health } from './http/health-routes.ts'
import type { Metrics } from './http/metrics.ts'
import type { SigningKeys } from './keys/ring.ts'
import type { ProviderRegistry } from './providers/registry.ts'
import { pendingMigrations } from './storage/migrate.ts'
import type { Database } from './storage/postgres.ts'
import { takesWrites } from './storage/postgres.ts'

/** What the process knows of its own health. */
export interface ServiceHealth extends Health {
  /** From now on it is not ready: the balancer sends no more. */
  drain(): void
}

/** Seconds: how often the state of the dependencies is looked up, however often somebody asks. */
const lookUp = 2

/** Readiness of this process, and the state of what it stands on. */
export function createHealth({
  database,
  tryRedis,
  keys,
  registry,
  metrics,
}: {
  database: Database
  /** Does with Redis what a login does; absent where logins live in memory. */
  tryRedis?: () => Promise<void>
  keys: SigningKeys
  registry: ProviderRegistry
  metrics: Metrics
}): ServiceHealth {
  let draining = false
  // The schema only moves forward: once it is at this version it stays so, database away or not.
  let migrated = false
  let known: { at: number; states: Promise<Record<string, string>> } | undefined

  const probe = async (dependency: string, ask: () => Promise<string>): Promise<string> => {
    const state = await ask().catch(() => 'down')
    metrics.dependencyUp.set({ dependency }, state === 'up' ? 1 : 0)
    return state
  }
  const look = async () => ({
    postgresql: await probe('postgresql', async () => ((await takesWrites(database)) ? 'up' : 'read-only')),
    ...(tryRedis !== undefined && { redis: await probe('redis', () => tryRedis().then(() => 'up')) }),
    ...Object.fromEntries(registry.list().map(({ adapter, guard }) => [adapter.name, guard.state])),
  })

  return {
    drain: () => {
      draining = true
    },
    ready: async () => {
      migrated ||= await pendingMigrations(database.pool).then(
        (pending) => pending.length === 0,
        () => false,
      )
      return { migrated, keys: keys.loaded(), serving: !draining }
    },
    dependencies: () => {
      if (known === undefined || Date.now() - known.at > lookUp * 1000)
        known = { at: Date.now(), states: look() }
      return known.states
    },
  }
}
