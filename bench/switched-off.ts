import type { Cluster } from 'ioredis'
import { Redis } from 'ioredis'
import { Counter, Gauge, Histogram } from 'prom-client'
import type { Metrics } from '../src/http/metrics.ts'
import { createMetrics } from '../src/http/metrics.ts'

/**
 * The metrics of the service. Silent ones take every value and do nothing with it; only what prom-client collects of the
 * process by itself (garbage collection, delay of the event loop) goes on.
 */
export function metricsOf({ silent }: { silent: boolean }): Metrics {
  const metrics = createMetrics()
  if (!silent) return metrics
  const nothing = () => {}
  for (const metric of Object.values(metrics)) {
    if (metric instanceof Histogram)
      Object.assign(metric, { observe: nothing, labels: () => ({ observe: nothing }) })
    if (metric instanceof Counter) Object.assign(metric, { inc: nothing, labels: () => ({ inc: nothing }) })
    if (metric instanceof Gauge) Object.assign(metric, { set: nothing, labels: () => ({ set: nothing }) })
  }
  return metrics
}

/** The script by which src/login-history/redis-store.ts sends its entries. */
const scriptOfHistory = 'appendToHistory'

/** The same client, which answers the script of the login history at once and never sends it; `expectNoHistory` checks that. */
export function withoutHistory<T extends Redis | Cluster>(client: T): T {
  const define = client.defineCommand.bind(client)
  return Object.assign(client, {
    defineCommand(name: string, definition: Parameters<Redis['defineCommand']>[1]) {
      define(name, definition)
      if (name === scriptOfHistory) Object.assign(client, { [scriptOfHistory]: () => Promise.resolve(0) })
    },
  })
}

/** @throws {Error} where a history was written all the same: then the service writes it by other commands than it did */
export async function expectNoHistory(redisUrl: string): Promise<void> {
  const client = new Redis(redisUrl)
  const keys = await client.keys('*history:*')
  client.disconnect()
  if (keys.length > 0)
    throw new Error('The history was not switched off: bench/switched-off.ts no longer fits.')
}
