import type { FastifyBaseLogger } from 'fastify'
import { createApp, providers } from './app.ts'
import type { Config, Environment } from './config.ts'
import { readConfig } from './config.ts'
import { dataDirectory, secretKeysOf } from './development.ts'
import { createMetrics } from './http/metrics.ts'
import type { ProcessLog } from './log.ts'
import { createLog } from './log.ts'
import { createManagement } from './management.ts'
import type { ProviderRegistry } from './providers/registry.ts'
import { createHealth } from './service-health.ts'
import { startSweep } from './sessions/sweep.ts'
import { settingsLine } from './settings-line.ts'
import { openEmbedded } from './storage/embedded.ts'
import { migrate, notAtThisVersion, pendingMigrations } from './storage/migrate.ts'
import type { Database } from './storage/postgres.ts'
import {
  isDatabaseUnavailable,
  openDatabase,
  takesNoWrites,
  takesWrites,
  unavailableBecause,
} from './storage/postgres.ts'
import { connectRedis } from './storage/redis.ts'
import type { SigningKeys } from './tokens/signing-keys.ts'
import { createSigningKeys } from './tokens/signing-keys.ts'
import { loginsTried, tryRedis } from './try-redis.ts'

/** A service that is up. */
export interface Service {
  readonly config: Config
  readonly database: Database
  readonly log: FastifyBaseLogger
  readonly providers: ProviderRegistry
  /**
   * Stops taking work, finishes what runs, closes what was opened.
   * @throws {Error} where something could not be closed, after everything else was
   */
  close(): Promise<void>
}

/** Why the process cannot start, in one sentence for its operator. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

/** Something that was opened, and has to be closed again. */
interface Opened {
  readonly name: string
  readonly close: () => Promise<unknown>
}

/** Milliseconds that the last lines of the log may take: a reader that is stuck must not hold the end up. */
const lastLines = 100

/**
 * Configuration → storage → keys → app → listen.
 * @throws {ConfigError | StartError | EmbeddedDatabaseError | RedisConnectError | MigrationError | UnusableKey} whose
 *   messages are for the operator; whatever was opened before is closed again
 */
export async function startService(env: Environment): Promise<Service> {
  const config = readConfig(env, providers)
  const processLog = createLog(config.logLevel)
  const { log } = processLog
  log.info(settingsLine(config), 'starting')
  for (const warning of config.warnings) log.warn(warning)
  const opened: Opened[] = []
  try {
    return await open(config, processLog, opened)
  } catch (error) {
    await closeAll(opened, log)
    throw error
  }
}

async function open(config: Config, { log, output }: ProcessLog, opened: Opened[]): Promise<Service> {
  const embedded =
    config.database.url === undefined ? await openEmbedded(dataDirectory, 'service') : undefined
  if (embedded !== undefined) opened.push({ name: 'embedded database', close: () => embedded.close() })
  const url = config.database.url ?? embedded?.url ?? ''
  const database = openDatabase({
    url,
    poolMax: config.database.poolMax,
    embedded: embedded !== undefined,
    ...(config.database.pooler && { pooler: config.database.pooler }),
  })
  opened.push({ name: 'database', close: () => database.close() })
  await checkDatabase(database)
  if (config.mode === 'development') await migrate(config.database.directUrl ?? url)
  else await checkSchema(database)

  const redis =
    config.redis.url === undefined
      ? undefined
      : await connectRedis({
          ...config.redis,
          url: config.redis.url,
          tryOut: tryRedis,
          onWarning: (text) => log.warn(text),
        })
  if (redis !== undefined) opened.push({ name: 'Redis', close: async () => redis.disconnect() })
  const secretKeys = await secretKeysOf(config, dataDirectory)
  const keys = await createSigningKeys({ ...config, database, secretKeys, log })
  opened.push({ name: 'signing keys', close: () => keys.close() })

  const metrics = createMetrics(
    () => keyAges(keys),
    () => output.dropped,
  )
  const stopping = new AbortController()
  const resources = { database, keys, metrics, log, stopping: stopping.signal, ...(redis && { redis }) }
  const { app, ...managed } = await createApp(config, resources)
  const health = createHealth({
    ...resources,
    registry: managed.providers,
    ...(redis && { tryRedis: loginsTried(redis, config.redis.prefix) }),
  })
  const manager = await createManagement(config, { ...resources, ...managed, health })
  const sweep = startSweep(database, log)
  opened.push({ name: 'sweep', close: () => sweep.close() })
  // Closed in reverse: the public port first, then health and metrics, then what runs behind them.
  opened.push({ name: 'management port', close: () => manager.close() })
  opened.push({ name: 'public port', close: () => app.close() })
  const { host, port, managementHost, managementPort } = config
  await listen(manager, { host: managementHost, port: managementPort }, [
    'MANAGEMENT_HOST',
    'MANAGEMENT_PORT',
  ])
  await listen(app, { host, port }, ['HOST', 'PORT'])
  log.info({ port, managementPort }, 'listening')
  return {
    config,
    database,
    log,
    providers: managed.providers,
    async close() {
      const from = performance.now()
      log.info({ drainDelay: config.drainDelay }, 'stopping')
      health.drain()
      stopping.abort()
      await new Promise((resolve) => setTimeout(resolve, config.drainDelay * 1000))
      const failed = await closeAll(opened, log)
      log.info({ ms: Math.round(performance.now() - from) }, 'stopped')
      await output.flush(lastLines)
      if (failed.length > 0) throw new Error(`Not closed: ${failed.join(', ')}.`)
    },
  }
}

/**
 * Closes in reverse whatever was opened. What cannot be closed is told in the log and keeps nothing else open.
 * @returns the names of what failed
 */
async function closeAll(opened: Opened[], log: FastifyBaseLogger): Promise<string[]> {
  const failed: string[] = []
  for (const { name, close } of opened.splice(0).toReversed()) {
    try {
      await close()
    } catch (err) {
      failed.push(name)
      log.error({ err }, `closing failed: ${name}`)
    }
  }
  return failed
}

/** Seconds; nothing where no key is loaded: readiness tells that, and a scrape must not fail over it. */
function keyAges(keys: SigningKeys): Readonly<Record<string, number>> {
  if (!keys.loaded()) return {}
  return Object.fromEntries(
    Object.entries(keys.summary()).map(([kind, { ageSeconds }]) => [kind, ageSeconds]),
  )
}

/** What no login could live with is said at once, in one sentence. */
async function checkDatabase(database: Database): Promise<void> {
  const writes = await takesWrites(database).catch((error: unknown) => {
    throw isDatabaseUnavailable(error) ? new StartError(unavailableBecause(error), { cause: error }) : error
  })
  if (!writes) throw new StartError(takesNoWrites)
}

/** Strict mode never changes the schema by itself: when, is an operator's decision. */
async function checkSchema({ pool }: Database): Promise<void> {
  const pending = await pendingMigrations(pool).catch((error: unknown) => {
    throw isDatabaseUnavailable(error) ? new StartError(unavailableBecause(error), { cause: error }) : error
  })
  if (pending.length > 0) throw new StartError(notAtThisVersion)
}

/** A server that can be told where to listen. */
interface Listener {
  listen(address: Address): Promise<unknown>
}

interface Address {
  readonly host: string
  readonly port: number
}

/**
 * Listens; every address of both families becomes every address of IPv4 where the kernel has no IPv6.
 * @param variables the names of the two variables that say where
 * @throws {StartError} naming the variable to change
 */
export async function listen(
  server: Listener,
  address: Address,
  [hostVariable, portVariable]: readonly [string, string],
): Promise<void> {
  const { host, port } = address
  try {
    await server.listen(address)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    const { code } = error
    if (host === '::' && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL'))
      return await listen(server, { host: '0.0.0.0', port }, [hostVariable, portVariable])
    if (code === 'EADDRINUSE')
      throw new StartError(
        `Port ${port} is taken: stop what listens there, or set ${portVariable} to another.`,
      )
    throw new StartError(
      `${host}:${port} cannot be listened on (${String(code)}): check ${hostVariable} and ${portVariable}.`,
    )
  }
}
