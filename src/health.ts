import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Metrics } from './http/metrics.ts'
import type { SigningKeys } from './keys/signing-keys.ts'
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

/** One thing that readiness or its body speaks of. */
export interface Health {
  /** What must hold before traffic comes: the schema at this version, the signing keys loaded, not draining. */
  readonly ready: () => Promise<Readonly<Record<string, boolean>>>
  /** What is shown but never decides: Redis, PostgreSQL, the providers. A shared outage must not empty the balancer. */
  readonly dependencies: () => Promise<Readonly<Record<string, string>>>
}

const Readiness = Type.Object({
  ready: Type.Boolean(),
  checks: Type.Record(Type.String(), Type.Boolean()),
  dependencies: Type.Record(Type.String(), Type.String()),
})

/** Health and metrics, on the management port alone. Live depends on nothing. */
export const management: FastifyPluginAsyncTypebox<{ health: Health; metrics: Metrics }> = async (
  app,
  { health, metrics },
) => {
  app.get(
    '/health/live',
    { schema: { hide: true, response: { 200: Type.Object({ live: Type.Literal(true) }) } } },
    async () => ({ live: true as const }),
  )
  app.get(
    '/health/ready',
    { schema: { hide: true, response: { 200: Readiness, 503: Readiness } } },
    async (_request, reply) => {
      const [checks, dependencies] = await Promise.all([health.ready(), health.dependencies()])
      const ready = Object.values(checks).every(Boolean)
      return reply.code(ready ? 200 : 503).send({ ready, checks, dependencies })
    },
  )
  app.get('/metrics', { schema: { hide: true } }, async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  )
}
