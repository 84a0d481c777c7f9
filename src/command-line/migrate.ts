import { migrate } from '../storage/migrate.ts'
import type { Command } from './command.ts'
import { parseWords, takeWords } from './command.ts'
import { withDatabaseUrl } from './with-database.ts'

/** `migrate`: brings the database to this version's schema. */
export const migrateCommand: Command = async (args, context) => {
  takeWords(parseWords(args, {}).positionals, [])
  return withDatabaseUrl(context, async (url) => ({ applied: await migrate(url) }))
}
