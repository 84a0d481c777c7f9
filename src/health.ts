import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Build } from './config/config.ts'
import type { Metrics } from './http/metrics.ts'
import type { SigningKeys } from './keys/ring.ts'
import type { ProviderRegistry } from './providers/registry.ts'
import { pendingMigrations } from './storage/migrate.ts'
import type { Database } from './storage/postgres.ts'
import { takesWrites } from './storage/postgres.ts'

/** What the process knows of its own health. */
export interface Health {
  /** Shown beside the state, so that a roll-out can be followed. */
  readonly build: Build
  /** What must hold before requests come: the schema is at this version, the signing keys are loaded, no stop has begun. */
  readonly ready: () => Promise<Readonly<Record<string, boolean>>>
  /**
   * The states of Redis, PostgreSQL and the providers. They are shown but never decide: an outage that all replicas
   * share must not make a balancer remove all of them.
   */
  readonly dependencies: () => Promise<Readonly<Record<string, string>>>
}

/** Health that ends with the process. */
export interface ServiceHealth extends Health {
  /** The process is not ready from now on, so that the balancer sends no more requests. */
  drain(): void
}

/** Seconds for which the states of the dependencies are remembered, however often they are asked for. */
const rememberStates = 2

/** The readiness of this process, and the states of its dependencies. */
export function createHealth({
  build,
  database,
  tryRedis,
  keys,
  registry,
  metrics,
}: {
  build: Build
  database: Database
  /** Does with Redis what a login does; absent where logins live in memory. */
  tryRedis?: () => Promise<void>
  keys: SigningKeys
  registry: ProviderRegistry
  metrics: Metrics
}): ServiceHealth {
  let draining = false
  // Migrations are never undone: once the schema is at this version it stays so, even while the database is down.
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
    build,
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
      if (known === undefined || Date.now() - known.at > rememberStates * 1000)
        known = { at: Date.now(), states: look() }
      return known.states
    },
  }
}

const Readiness = Type.Object({
  ready: Type.Boolean(),
  version: Type.String(),
  commit: Type.String(),
  checks: Type.Record(Type.String(), Type.Boolean()),
  dependencies: Type.Record(Type.String(), Type.String()),
})

/** The routes of health and metrics, for the management port only. `live` depends on nothing. */
export const healthRoutes: FastifyPluginAsyncTypebox<{ health: Health; metrics: Metrics }> = async (
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
      return reply.code(ready ? 200 : 503).send({ ready, ...health.build, checks, dependencies })
    },
  )
  app.get('/metrics', { schema: { hide: true } }, async (_request, reply) => {
    // Not awaited: a dependency that does not answer must not delay the scrape that reports it. The next one shows the result.
    void health.dependencies()
    return await reply.type(metrics.registry.contentType).send(await metrics.registry.metrics())
  })
}
