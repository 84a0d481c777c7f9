import type { FastifyBaseLogger } from 'fastify'
import manifest from '../package.json' with { type: 'json' }
import { createApp, providers } from './app.ts'
import type { Config } from './config/config.ts'
import { readConfig, settingsLine } from './config/config.ts'
import { dataDirectory, secretKeysOf } from './config/development.ts'
import type { Environment } from './config/variables.ts'
import { createHealth } from './health.ts'
import { createMetrics } from './http/metrics.ts'
import type { SigningKeys } from './keys/ring.ts'
import { createSigningKeys } from './keys/ring.ts'
import type { ProcessLog } from './log.ts'
import { createLog } from './log.ts'
import type { LoginStore } from './login/login-store.ts'
import { createManagement } from './management.ts'
import { OperatorError } from './operator-error.ts'
import type { ProviderRegistry } from './providers/registry.ts'
import { loginsTried, tryRedis } from './redis-start-check.ts'
import { startSweep } from './sessions/sweep.ts'
import { isDatabaseUnavailable, takesNoWrites, unavailableBecause } from './storage/database-errors.ts'
import { openEmbedded } from './storage/embedded.ts'
import { migrate, notAtThisVersion, pendingMigrations } from './storage/migrate.ts'
import type { Database } from './storage/postgres.ts'
import { openDatabase, takesWrites } from './storage/postgres.ts'
import { connectRedis } from './storage/redis.ts'
import type { TracingSettings } from './tracing/settings.ts'
import type { Tracing } from './tracing/tracing.ts'
import { sweepDeletions } from './users/personal-data.ts'

/** A running service. */
export interface Service {
  readonly config: Config
  readonly database: Database
  readonly log: FastifyBaseLogger
  readonly providers: ProviderRegistry
  /**
   * Stops accepting requests, waits for those that run, and closes everything that was opened.
   * @throws {Error} naming what could not be closed, after everything else is closed
   */
  close(): Promise<void>
}

/** Why the process cannot start, in one sentence for its operator. */
export class StartError extends OperatorError {
  override readonly name = 'StartError'
}

/** Something that was opened and must be closed at the end. */
interface Opened {
  readonly name: string
  readonly close: () => Promise<unknown>
}

/** Milliseconds that writing the last lines of the log may take, as its reader may be stuck. */
const lastLines = 100

/** What the sandbox hands to the service that it starts. */
export interface DevelopmentParts {
  /** The folder of the embedded database and its key; `.data` where absent. */
  readonly directory?: string
  /** Where logins live between start and finish. */
  readonly logins?: LoginStore
}

/**
 * Reads the configuration, opens storage and keys, makes both servers and listens.
 * @throws {ConfigError | StartError | EmbeddedDatabaseError | RedisConnectError | MigrationError | UnusableKey} with
 *   messages for the operator; what was opened before is closed again
 */
export async function startService(env: Environment, parts: DevelopmentParts = {}): Promise<Service> {
  const config = readConfig(env, providers)
  const processLog = createLog(config.logLevel)
  const { log } = processLog
  log.info(settingsLine(config), 'starting')
  for (const warning of config.warnings) log.warn(warning)
  const opened: Opened[] = []
  try {
    return await open(config, processLog, opened, parts)
  } catch (error) {
    await closeAll(opened, log)
    throw error
  }
}

/** Opens everything in this order; `opened` says at any time what would have to be closed. */
async function open(
  config: Config,
  { log, output }: ProcessLog,
  opened: Opened[],
  { directory = dataDirectory, logins }: DevelopmentParts,
): Promise<Service> {
  const database = await openCheckedDatabase(config, directory, opened)
  const redis = await openCheckedRedis(config, log, opened)
  const secretKeys = await secretKeysOf(config, directory)
  const keys = await createSigningKeys({ ...config, database, secretKeys, log })
  opened.push({ name: 'signing keys', close: () => keys.close() })

  const metrics = createMetrics(
    () => keyAges(keys),
    () => output.dropped,
    { pool: database.pool, exemplars: config.tracing !== undefined },
  )
  const tracing = config.tracing && (await openTracing(config.tracing, log, opened))
  const stopping = new AbortController()
  const resources = {
    database,
    keys,
    metrics,
    log,
    stopping: stopping.signal,
    ...(redis && { redis }),
    ...(logins && { logins }),
    ...(tracing && { tracing }),
  }
  const { app, ...managed } = await createApp(config, resources)
  const health = createHealth({
    ...resources,
    build: config.build,
    registry: managed.providers,
    ...(redis && { tryRedis: loginsTried(redis, config.redis.prefix) }),
  })
  const manager = await createManagement(config, { ...resources, ...managed, health })
  for (const outcome of ['done', 'elsewhere', 'failed']) metrics.sweeps.inc({ outcome }, 0)
  const sweep = startSweep(database, log, {
    sweepDeletions: () => sweepDeletions(database),
    onSweep: (outcome) => metrics.sweeps.inc({ outcome }),
  })
  opened.push({ name: 'sweep', close: () => sweep.close() })
  // Closed in reverse: the public port first, then health and metrics, then what runs behind them.
  opened.push({ name: 'management port', close: () => manager.close() })
  opened.push({ name: 'public port', close: () => app.close() })
  const { host, port, managementHost, managementPort } = config
  // The public port first: readiness is told by the other one, and must not be told while requests would be refused.
  await listen(app, { host, port }, ['HOST', 'PORT'])
  await listen(manager, { host: managementHost, port: managementPort }, [
    'MANAGEMENT_HOST',
    'MANAGEMENT_PORT',
  ])
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
 * The database of DATABASE_URL, else the embedded one, with this version's schema. Only development migrates by itself:
 * in strict mode an operator decides when.
 */
async function openCheckedDatabase(
  { database: settings, mode }: Config,
  directory: string,
  opened: Opened[],
): Promise<Database> {
  const embedded = settings.url === undefined ? await openEmbedded(directory, 'service') : undefined
  if (embedded !== undefined) opened.push({ name: 'embedded database', close: () => embedded.close() })
  const url = settings.url ?? embedded?.url ?? ''
  const database = openDatabase({
    url,
    poolMax: settings.poolMax,
    embedded: embedded !== undefined,
    ...(settings.pooler && { pooler: settings.pooler }),
  })
  opened.push({ name: 'database', close: () => database.close() })
  if (!(await orStartError(takesWrites(database)))) throw new StartError(takesNoWrites)
  if (mode === 'development') await migrate(settings.directUrl ?? url)
  else if ((await orStartError(pendingMigrations(database.pool))).length > 0)
    throw new StartError(notAtThisVersion)
  return database
}

/** @throws {StartError} where the database cannot be used, saying why in one sentence; other errors as they are */
async function orStartError<T>(query: Promise<T>): Promise<T> {
  return await query.catch((error: unknown) => {
    throw isDatabaseUnavailable(error) ? new StartError(unavailableBecause(error), { cause: error }) : error
  })
}

/** Redis, after it has done once what logins need; undefined in development without REDIS_URL. */
async function openCheckedRedis(
  { redis: { url, prefix } }: Config,
  log: FastifyBaseLogger,
  opened: Opened[],
) {
  if (url === undefined) return undefined
  const redis = await connectRedis({
    prefix,
    url,
    tryOut: tryRedis,
    onWarning: (text) => log.warn(text),
  })
  opened.push({ name: 'Redis', close: async () => redis.disconnect() })
  return redis
}

/** Traces to a collector. The SDK is loaded here alone: a process that was not asked for traces never reads it. */
async function openTracing(
  settings: TracingSettings,
  log: FastifyBaseLogger,
  opened: Opened[],
): Promise<Tracing> {
  const { startTracing } = await import('./tracing/otlp.ts')
  const tracing = startTracing(settings, { version: manifest.version, log })
  opened.push({ name: 'traces', close: () => tracing.close() })
  return tracing
}

/**
 * Closes everything that was opened, in reverse. What cannot be closed is logged, and the rest is closed all the same.
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

/** Seconds by kind. Empty while no key is loaded, so that a scrape does not fail: readiness reports that. */
function keyAges(keys: SigningKeys): Readonly<Record<string, number>> {
  if (!keys.loaded()) return {}
  return Object.fromEntries(
    Object.entries(keys.summary()).map(([kind, { ageSeconds }]) => [kind, ageSeconds]),
  )
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
 * Listens; on a kernel without IPv6, `::` (every address of both families) becomes `0.0.0.0`.
 * @param variables the names of the two variables that set host and port
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
