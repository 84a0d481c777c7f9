import { createHash, randomBytes } from 'node:crypto'
import type { Command } from './command.ts'
import { CommandError, parseWords, takeWords } from './command.ts'

/** `admin-token NAME`: makes a token for the admin API. It is kept nowhere; the entry of ADMIN_TOKENS is its digest. */
export const adminTokenCommand: Command = async (args) => {
  const [name] = takeWords(parseWords(args, {}).positionals, ['NAME'])
  if (!/^[\w.-]{1,64}$/.test(name))
    throw new CommandError('NAME must be 1 to 64 letters, digits, "_", "." or "-".')
  const token = randomBytes(32).toString('base64url')
  const digest = createHash('sha256').update(token).digest('hex')
  return { name, token, admin_tokens_entry: `${name}:${digest}` }
}
