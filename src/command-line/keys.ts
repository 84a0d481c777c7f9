import { dataDirectory, secretKeysOf } from '../config/development.ts'
import type { KeyCommandOptions } from '../keys/commands.ts'
import { listKeys, resealKeys, revokeKey, rotateKey } from '../keys/commands.ts'
import { idTokenAlgs, isIdTokenAlg } from '../keys/material.ts'
import { endSessionsOfKey } from '../sessions/all-sessions.ts'
import type { Command, CommandContext } from './command.ts'
import { CommandError, chooseCommand, parseWords, takeWords } from './command.ts'
import { withDatabase } from './with-database.ts'

const commands = {
  async list(args, context) {
    takeWords(args, [])
    return withKeys(context, async (options) => ({ keys: await listKeys(options) }))
  },
  async rotate(args, context) {
    const [kind = 'access', alg = 'RS256', ...more] = args
    if (kind !== 'access' && kind !== 'refresh' && kind !== 'id')
      throw new CommandError(`There is no kind of key "${kind}": there are access, refresh and id.`)
    takeWords(kind === 'id' ? more : args.slice(1), [])
    if (!isIdTokenAlg(alg))
      throw new CommandError(`There are no id keys of "${alg}": there are ${idTokenAlgs.join(', ')}.`)
    return withKeys(context, (options) => rotateKey(kind, options, alg))
  },
  async revoke(args, context) {
    const [kid] = takeWords(args, ['KID'])
    const revoked = await withKeys(context, (options) =>
      revokeKey(kid, {
        ...options,
        endSessions: (refreshKid) => endSessionsOfKey(options.database.pool, refreshKid),
      }),
    )
    if (revoked.kind === 'refresh')
      context.note(`Ended ${revoked.sessions_ended} sessions: their refresh tokens were signed by this key.`)
    return revoked
  },
  async reseal(args, context) {
    takeWords(args, [])
    return withKeys(context, (options) => resealKeys(options))
  },
} satisfies Record<string, Command>

/** `keys list|rotate|revoke|reseal`: the keys that sign the service's tokens. */
export const keysCommand: Command = async (args, context) => {
  const [name, ...words] = parseWords(args, {}).positionals
  return chooseCommand(commands, name, 'keys command')(words, context)
}

function withKeys<Result>(
  context: CommandContext,
  work: (options: KeyCommandOptions) => Promise<Result>,
): Promise<Result> {
  return withDatabase(
    context,
    async (database, config) => {
      const secretKeys = await secretKeysOf(config, dataDirectory)
      return work({ ...config, database, secretKeys })
    },
    ['SECRET_KEYS'],
  )
}
