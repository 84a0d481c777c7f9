import type { Config, Need } from '../config.ts'
import { readConfig } from '../config.ts'
import { dataDirectory } from '../development.ts'
import { openEmbedded } from '../storage/embedded.ts'
import { migrate, notAtThisVersion, pendingMigrations } from '../storage/migrate.ts'
import type { Database } from '../storage/postgres.ts'
import { openDatabase } from '../storage/postgres.ts'
import type { CommandContext } from './command.ts'
import { CommandError } from './command.ts'

/**
 * Does some work on the service's database, at this version's schema: in development it is brought there first,
 * in strict mode that is an operator's decision.
 * @throws {CommandError} where migrations are pending in strict mode; ConfigError, EmbeddedDatabaseError, MigrationError
 */
export function withDatabase<Result>(
  context: CommandContext,
  work: (database: Database, config: Config) => Promise<Result>,
  needs: readonly Need[] = [],
): Promise<Result> {
  const onUrl = async (url: string, config: Config, embedded: boolean) => {
    // A command has no use for more connections, and the embedded database has only one.
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
 * Does some work with the database's direct address; the embedded one is open for as long.
 * @param needs what strict mode demands beside DATABASE_URL
 */
export async function withDatabaseUrl<Result>(
  { env, providers, note }: CommandContext,
  work: (url: string, config: Config, embedded: boolean) => Promise<Result>,
  needs: readonly Need[] = [],
): Promise<Result> {
  const config = readConfig(env, providers, ['DATABASE_URL', ...needs])
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
