import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Metrics } from './metrics.ts'

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
