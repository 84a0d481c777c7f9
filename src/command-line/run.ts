import { createHash, randomBytes } from 'node:crypto'
import { OperatorError } from '../operator-error.ts'
import { isDatabaseUnavailable, isTransient, unavailableBecause } from '../storage/database-errors.ts'
import { migrate } from '../storage/migrate.ts'
import { checkSiteUsage } from './check-site.ts'
import type { Command, CommandContext } from './command.ts'
import { CommandError, CommandText, chooseCommand, parseWords, takeWords } from './command.ts'
import { keysCommand } from './keys.ts'
import { siteCommand } from './site.ts'
import { withDatabaseUrl } from './with-database.ts'

/** `migrate`: brings the database to this version's schema. */
const migrateCommand: Command = async (args, context) => {
  takeWords(parseWords(args, {}).positionals, [])
  return withDatabaseUrl(context, async (url) => ({ applied: await migrate(url) }))
}

/** `admin-token NAME`: makes a token for the admin API. It is not stored: the entry for ADMIN_TOKENS holds its digest. */
const adminTokenCommand: Command = async (args) => {
  const [name] = takeWords(parseWords(args, {}).positionals, ['NAME'])
  if (!/^[\w.-]{1,64}$/.test(name))
    throw new CommandError('NAME must be 1 to 64 letters, digits, "_", "." or "-".')
  const token = randomBytes(32).toString('base64url')
  const digest = createHash('sha256').update(token).digest('hex')
  return { name, token, admin_tokens_entry: `${name}:${digest}` }
}

const commands = {
  site: siteCommand,
  keys: keysCommand,
  migrate: migrateCommand,
  'admin-token': adminTokenCommand,
}

const usage = `Usage: node src/cli.ts COMMAND, or in development npm run site|keys|migrate|admin-token -- …

  site add --name NAME --redirect-url URL… [--providers NAME,NAME] [--require-secret]
           [--limit-factor N]      1 to 1000: its limits are N times the usual
           [--native] [--post-logout-redirect-url URL…] [--id-token-alg RS256|ES256|EdDSA]
  site list
  site update ID [--name NAME] [--redirect-url URL…] [--providers NAME,NAME]  (lists replace lists)
                 [--require-secret | --no-require-secret] [--limit-factor N] [--disable | --enable]
  site rotate-secret ID            a further secret; the one before goes on working
  site remove ID                   asks nothing, ends its sessions, frees its URLs
  site apply FILE [--dry-run]      {"sites": [{"id"?, "name", "redirect_urls",
                                   "providers"?, "require_secret"?, "limit_factor"?, "disabled"?,
                                   "post_logout_redirect_urls"?, "native"?, "id_token_alg"?}]}
  site check ID --url URL          tries its login out; options: site check --help
  keys list
  keys rotate [access|refresh|id [ALG]]  publishes the next key (access where none is named)
  keys revoke KID                  a stolen key: refused everywhere, its successor takes over
  keys reseal                      seals all keys under the first of SECRET_KEYS
  migrate                          brings the database to this version
  admin-token NAME                 a token for the admin API, and its entry for ADMIN_TOKENS

Answers are JSON on standard output; what fails says why on standard error and exits with 1.
`

/** What a command gets from the process, and where it writes. */
export interface CommandLine extends Pick<CommandContext, 'env' | 'providers'> {
  readonly out: (text: string) => void
  readonly error: (text: string) => void
  /** Whether `error` writes to a terminal, so that lines can be replaced there. */
  readonly terminal?: boolean
}

/** What `site check` exits with where it fails: 1 means that it did check, and found something. */
const couldNotCheck = 2

/**
 * Runs one command. It prints JSON (or a report) to `out` if it succeeds, and one sentence to `error` if it fails.
 * @param args without the names of node and script
 * @returns the exit code: 0, or 1 if it failed; `site check` has its own
 */
export async function runCommand(
  args: readonly string[],
  { env, providers, out, error, terminal = false }: CommandLine,
): Promise<0 | 1 | 2> {
  const [name, ...rest] = args
  const checks = name === 'site' && rest[0] === 'check'
  if (name === 'help' || args.some((word) => word === '--help' || word === '-h')) {
    out(checks ? checkSiteUsage : usage)
    return 0
  }
  try {
    const note = (text: string) => error(`${text}\n`)
    // Back to the beginning of the line, which is then cleared (ECMA-48).
    const progress = (text: string) => terminal && error(`\r\u001b[K${text.slice(0, 78)}`)
    const output = await chooseCommand(commands, name, 'command')(rest, { env, providers, note, progress })
    if (output instanceof CommandText) {
      out(output.text)
      return output.exitCode
    }
    out(`${JSON.stringify(output, null, 2)}\n`)
    return 0
  } catch (reason) {
    error(`${sentence(reason)}\n`)
    return checks ? couldNotCheck : 1
  }
}

function sentence(reason: unknown): string {
  if (reason instanceof OperatorError) return reason.message
  if (isDatabaseUnavailable(reason)) return unavailableBecause(reason)
  if (isTransient(reason)) return 'Somebody else changed the same at the same time: try again.'
  // A bug. Prisma's messages first quote the source; their last line says what happened.
  const message = reason instanceof Error ? reason.message : String(reason)
  return `The command failed unexpectedly: ${message.trim().split('\n').at(-1) ?? ''}`
}
