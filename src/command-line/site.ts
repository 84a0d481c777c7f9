import { readFile } from 'node:fs/promises'
import type { Config } from '../config.ts'
import { applySites } from '../sites/apply.ts'
import type { SiteFields, SiteRules } from '../sites/check-site.ts'
import { addSite, listSites, removeSite, rotateSecret, updateSite } from '../sites/manage.ts'
import { siteEntry } from '../sites/site-document.ts'
import type { Command, CommandContext } from './command.ts'
import { CommandError, chooseCommand, parseWords, takeWords } from './command.ts'
import { guideRequests } from './guide-requests.ts'
import { withDatabase } from './with-database.ts'

const addOptions = {
  name: { type: 'string' },
  'redirect-url': { type: 'string', multiple: true },
  providers: { type: 'string', multiple: true },
  'require-secret': { type: 'boolean' },
  'limit-factor': { type: 'string' },
} as const

const updateOptions = { ...addOptions, disable: { type: 'boolean' }, enable: { type: 'boolean' } } as const

const commands = {
  async add(args, context) {
    const { values, positionals } = parseWords(args, addOptions)
    const { name, redirectUrls = [], ...rest } = readFields(values, positionals)
    if (name === undefined)
      throw new CommandError('--name is missing: site add --name NAME --redirect-url URL.')
    return withDatabase(
      context,
      async (database, config) => {
        const { secret, ...site } = await addSite(
          database,
          { ...rest, name, redirectUrls },
          rulesOf(config, context),
        )
        const provider = site.providers.find((one) => config.providers.has(one)) ?? site.providers[0] ?? ''
        const missing = site.providers.filter((one) => !config.providers.has(one))
        // None at all: the sandbox in development, or a job that was given the database alone.
        if (config.providers.size > 0 && missing.length > 0) context.note(notConfigured(missing))
        context.note(
          guideRequests({
            publicUrl: config.publicUrl,
            provider,
            redirectUrl: redirectUrls[0] ?? '',
            credentials: { id: site.id, secret },
            requireSecret: site.requireSecret,
          }),
        )
        const { id, ...entry } = siteEntry(site)
        return { id, secret, ...entry }
      },
      ['PUBLIC_URL'],
    )
  },
  async list(args, context) {
    takeWords(parseWords(args, {}).positionals, [])
    return withDatabase(context, async (database) => ({ sites: (await listSites(database)).map(siteEntry) }))
  },
  async update(args, context) {
    const { values, positionals } = parseWords(args, updateOptions)
    const [id, ...furtherUrls] = positionals
    if (id === undefined) throw new CommandError('ID is missing: see --help.')
    if (values.disable === true && values.enable === true)
      throw new CommandError('--disable and --enable exclude each other.')
    const disabled = values.disable === true ? true : values.enable === true ? false : undefined
    const changes = { ...readFields(values, furtherUrls), ...(disabled !== undefined && { disabled }) }
    if (Object.keys(changes).length === 0)
      throw new CommandError('Nothing to change was named: see --help for the options of site update.')
    return withDatabase(context, async (database, config) =>
      siteEntry(await updateSite(database, id, changes, rulesOf(config, context))),
    )
  },
  async 'rotate-secret'(args, context) {
    const [id] = takeWords(parseWords(args, {}).positionals, ['ID'])
    return withDatabase(context, (database) => rotateSecret(database, id))
  },
  async remove(args, context) {
    const [id] = takeWords(parseWords(args, {}).positionals, ['ID'])
    return withDatabase(context, async (database) => {
      await removeSite(database, id)
      return { id, removed: true }
    })
  },
  async apply(args, context) {
    const { values, positionals } = parseWords(args, { 'dry-run': { type: 'boolean' } })
    const [file] = takeWords(positionals, ['FILE'])
    const document = await readJson(file)
    return withDatabase(context, (database, config) =>
      applySites(database, document, { ...rulesOf(config, context), dryRun: values['dry-run'] === true }),
    )
  },
} satisfies Record<string, Command>

/** `site add|list|update|rotate-secret|remove|apply`: the sites that may log people in. */
export const siteCommand: Command = async ([name, ...args], context) =>
  chooseCommand(commands, name, 'site command')(args, context)

/**
 * A comment for the shell, as it stands among lines to paste: the site may use these providers, and this service does
 * not have them.
 */
function notConfigured(missing: readonly string[]): string {
  return `# The site may use ${missing.join(', ')} too, not configured in this service: a start answers unknown-provider until CLIENT_ID and CLIENT_SECRET are set.`
}

function rulesOf(config: Config, { providers }: CommandContext): SiteRules {
  return { loopback: config.mode === 'development', providers: providers.map(({ name }) => name) }
}

interface FieldOptions {
  readonly name?: string | undefined
  readonly 'redirect-url'?: readonly string[] | undefined
  readonly providers?: readonly string[] | undefined
  readonly 'require-secret'?: boolean | undefined
  readonly 'limit-factor'?: string | undefined
}

/** @param furtherUrls words after `--redirect-url URL`: several may follow one option */
function readFields(options: FieldOptions, furtherUrls: readonly string[]): Partial<SiteFields> {
  const { name, 'redirect-url': urls, providers, 'require-secret': requireSecret } = options
  const { 'limit-factor': factor } = options
  const [stray] = furtherUrls
  if (urls === undefined && stray !== undefined)
    throw new CommandError(`"${stray}" is one word too many: see --help.`)
  return {
    ...(name !== undefined && { name }),
    ...(urls !== undefined && { redirectUrls: [...urls, ...furtherUrls] }),
    ...(providers !== undefined && { providers: providers.flatMap((list) => list.split(',')) }),
    ...(requireSecret !== undefined && { requireSecret }),
    // Digits alone: "0x10" and "1e2" are numbers to JavaScript. What is no number is refused as one.
    ...(factor !== undefined && { limitFactor: /^\d+$/.test(factor) ? Number(factor) : Number.NaN }),
  }
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(`The file ${file} cannot be read (${error.code ?? error.message}).`)
  })
  try {
    // Editors on Windows begin a file with a byte order mark.
    return JSON.parse(text.replace(/^\ufeff/, ''))
  } catch (error) {
    throw new CommandError(
      `The file ${file} is not JSON: ${error instanceof Error ? error.message : 'unreadable'}`,
    )
  }
}
