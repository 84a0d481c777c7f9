import type { Config } from '../src/config/config.ts'
import { isLoopback } from '../src/providers/settings.ts'

/**
 * Which variables keep the sandbox from starting. It logs anybody in as anybody, so it must not serve a database, a
 * Redis or an address that others use. SECRET_KEYS alone would do no harm on embedded storage, but they belong to a
 * service for real: whoever set them wanted no sandbox.
 * @returns their names; none where the sandbox may start
 */
export function hindrances({ host, publicUrl, database, redis, secretKeys }: Config): string[] {
  const inTheWay = {
    DATABASE_URL: database.url !== undefined,
    DATABASE_DIRECT_URL: database.url === undefined && database.directUrl !== undefined,
    REDIS_URL: redis.url !== undefined,
    SECRET_KEYS: secretKeys.length > 0,
    HOST: !isLoopback(host),
    PUBLIC_URL: !isLoopback(new URL(publicUrl).hostname),
  }
  return Object.entries(inTheWay)
    .filter(([, hinders]) => hinders)
    .map(([name]) => name)
}
