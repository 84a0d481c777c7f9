import type { Config, Need } from '../config/config.ts'
import { readConfig } from '../config/config.ts'
import { dataDirectory, lastStart } from '../config/development.ts'
import type { Environment } from '../config/variables.ts'
import { openEmbedded } from '../storage/embedded.ts'
import { migrate, notAtThisVersion, pendingMigrations } from '../storage/migrate.ts'
import type { Database } from '../storage/postgres.ts'
import { openDatabase } from '../storage/postgres.ts'
import type { CommandContext } from './command.ts'
import { CommandError } from './command.ts'

/**
 * Does some work on the service's database with the schema of this version. In development pending migrations are
 * applied first; in strict mode that is left to the operator.
 * @throws {CommandError} where migrations are pending in strict mode; ConfigError, EmbeddedDatabaseError, MigrationError
 */
export function withDatabase<Result>(
  context: CommandContext,
  work: (database: Database, config: Config) => Promise<Result>,
  needs: readonly Need[] = [],
): Promise<Result> {
  const onUrl = async (url: string, config: Config, embedded: boolean) => {
    // A command needs no more connections, and the embedded database accepts only one.
    const { pooler, directUrl } = config.database
    const pooled = pooler !== undefined && directUrl === config.database.url
    const database = openDatabase({ url, poolMax: embedded ? 1 : 2, embedded, ...(pooled && { pooler }) })
    try {
      const pending = await pendingMigrations(database.pool)
      if (pending.length > 0 && config.mode === 'strict') throw new CommandError(notAtThisVersion)
      if (pending.length > 0) await migrate(url)
      return await work(database, config)
    } finally {
      await database.close()
    }
  }
  return withDatabaseUrl(context, onUrl, needs)
}

/**
 * Does some work with the database's direct URL; the embedded database is open meanwhile.
 * @param needs the variables that strict mode demands beside DATABASE_URL
 */
export async function withDatabaseUrl<Result>(
  { env, providers, note }: CommandContext,
  work: (url: string, config: Config, embedded: boolean) => Promise<Result>,
  needs: readonly Need[] = [],
): Promise<Result> {
  const config = readConfig(await withLastStart(env), providers, ['DATABASE_URL', ...needs])
  for (const warning of config.warnings) note(warning)
  const url = config.database.directUrl
  if (url !== undefined) return work(url, config, false)
  const embedded = await openEmbedded(dataDirectory, 'command')
  try {
    return await work(embedded.url, config, true)
  } finally {
    await embedded.close()
  }
}

/** On the embedded data the service is the one that `npm start` ran last, unless the variables name its address or port. */
async function withLastStart(env: Environment): Promise<Environment> {
  const named = env.PORT !== undefined || env.PUBLIC_URL !== undefined || env.DATABASE_URL !== undefined
  if (env.NODE_ENV !== 'development' || named) return env
  return { ...(await lastStart(dataDirectory)), ...env }
}
