import { readFile } from 'node:fs/promises'
import type { Config } from '../config/config.ts'
import { idTokenAlgs, isIdTokenAlg } from '../keys/material.ts'
import { deleteSessionsOfSite } from '../sessions/all-sessions.ts'
import { applySites } from '../sites/apply.ts'
import type { SiteFields } from '../sites/site.ts'
import { siteToJson } from '../sites/site.ts'
import { addSite, listSites, removeSite, rotateSecret, updateSite } from '../sites/store.ts'
import type { SiteRules } from '../sites/validate.ts'
import { siteRules } from '../sites/validate.ts'
import { checkSiteCommand } from './check-site.ts'
import type { Command, CommandContext } from './command.ts'
import { CommandError, chooseCommand, parseWords, takeWords } from './command.ts'
import { withDatabase } from './with-database.ts'

const addOptions = {
  name: { type: 'string' },
  'redirect-url': { type: 'string', multiple: true },
  providers: { type: 'string', multiple: true },
  'require-secret': { type: 'boolean' },
  'limit-factor': { type: 'string' },
  'post-logout-redirect-url': { type: 'string', multiple: true },
  native: { type: 'boolean' },
  'id-token-alg': { type: 'string' },
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
        // No provider at all is configured for the sandbox, or for a job that got only the database: no note then.
        if (config.providers.size > 0 && missing.length > 0) context.note(notConfigured(missing))
        const standard = `# For a library of OpenID Connect: issuer ${config.publicUrl}, client_id ${site.id}`
        if (site.native) context.note(`${standard}, no secret, PKCE.`)
        else {
          context.note(
            guideRequests({
              publicUrl: config.publicUrl,
              provider,
              redirectUrl: redirectUrls[0] ?? '',
              credentials: { id: site.id, secret },
              requireSecret: site.requireSecret,
            }),
          )
          context.note(`${standard}, and the secret.`)
        }
        const { id, ...entry } = siteToJson(site)
        return { id, secret, ...entry }
      },
      ['PUBLIC_URL'],
    )
  },
  async list(args, context) {
    takeWords(parseWords(args, {}).positionals, [])
    return withDatabase(context, async (database) => ({ sites: (await listSites(database)).map(siteToJson) }))
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
      siteToJson(await updateSite(database, id, changes, rulesOf(config, context))),
    )
  },
  async 'rotate-secret'(args, context) {
    const [id] = takeWords(parseWords(args, {}).positionals, ['ID'])
    return withDatabase(context, (database) => rotateSecret(database, id))
  },
  async remove(args, context) {
    const [id] = takeWords(parseWords(args, {}).positionals, ['ID'])
    return withDatabase(context, async (database) => {
      await removeSite(database, id, (siteId) => deleteSessionsOfSite(database, siteId))
      return { id, removed: true }
    })
  },
  async apply(args, context) {
    const { values, positionals } = parseWords(args, { 'dry-run': { type: 'boolean' } })
    const [file] = takeWords(positionals, ['FILE'])
    const document = await readJson(file)
    return withDatabase(context, (database, config) =>
      applySites(database, document, {
        ...rulesOf(config, context),
        dryRun: values['dry-run'] === true,
      }),
    )
  },
  check: checkSiteCommand,
} satisfies Record<string, Command>

/** The built-in providers, and those that the configuration adds. */
function rulesOf({ mode, openIdProviders }: Config, { providers }: CommandContext): SiteRules {
  return siteRules(mode, [...providers, ...openIdProviders])
}

/** `site add|list|update|rotate-secret|remove|apply|check`: the sites that may log people in. */
export const siteCommand: Command = async ([name, ...args], context) =>
  chooseCommand(commands, name, 'site command')(args, context)

/**
 * Says that the site may use providers which this service does not have. It is a comment of the shell, because it is
 * printed among lines to paste.
 */
function notConfigured(missing: readonly string[]): string {
  return `# The site may use ${missing.join(', ')} too, not configured in this service: a start answers unknown-provider until CLIENT_ID and CLIENT_SECRET are set.`
}

interface FieldOptions {
  readonly name?: string | undefined
  readonly 'redirect-url'?: readonly string[] | undefined
  readonly providers?: readonly string[] | undefined
  readonly 'require-secret'?: boolean | undefined
  readonly 'limit-factor'?: string | undefined
  readonly 'post-logout-redirect-url'?: readonly string[] | undefined
  readonly native?: boolean | undefined
  readonly 'id-token-alg'?: string | undefined
}

/** @param furtherUrls words after `--redirect-url URL`: several may follow one option */
function readFields(options: FieldOptions, furtherUrls: readonly string[]): Partial<SiteFields> {
  const { name, 'redirect-url': urls, providers, 'require-secret': requireSecret } = options
  const { 'limit-factor': factor, native, 'id-token-alg': alg } = options
  const logoutUrls = options['post-logout-redirect-url']
  if (alg !== undefined && !isIdTokenAlg(alg))
    throw new CommandError(`--id-token-alg must be one of ${idTokenAlgs.join(', ')}.`)
  const [stray] = furtherUrls
  if (urls === undefined && stray !== undefined)
    throw new CommandError(`"${stray}" is one word too many: see --help.`)
  return {
    ...(name !== undefined && { name }),
    ...(urls !== undefined && { redirectUrls: [...urls, ...furtherUrls] }),
    ...(providers !== undefined && { providers: providers.flatMap((list) => list.split(',')) }),
    ...(requireSecret !== undefined && { requireSecret }),
    // Only digits, because JavaScript also reads "0x10" and "1e2" as numbers. Anything else becomes NaN, which checkFields refuses.
    ...(factor !== undefined && { limitFactor: /^\d+$/.test(factor) ? Number(factor) : Number.NaN }),
    // An empty value takes every URL away.
    ...(logoutUrls !== undefined && { postLogoutRedirectUrls: logoutUrls.filter((url) => url !== '') }),
    ...(native !== undefined && { native }),
    ...(alg !== undefined && { idTokenAlg: alg }),
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

/** What the guide for site administrators calls `$AUTH`, `$SITE_ID`, `$SITE_SECRET` and `$REDIRECT_URL`. */
export interface GuideVariables {
  readonly publicUrl: string
  readonly redirectUrl: string
  readonly credentials: { readonly id: string; readonly secret: string }
}

/** What the two requests are about. */
interface GuideRequests extends GuideVariables {
  readonly provider: string
  /** Whether the site is refused without its secret. */
  readonly requireSecret: boolean
}

/** One line for a shell that sets the variables of the guide, so that each block of it can be pasted. */
export function guideVariables({ publicUrl, redirectUrl, credentials }: GuideVariables): string {
  const variables = {
    AUTH: publicUrl,
    SITE_ID: credentials.id,
    SITE_SECRET: credentials.secret,
    REDIRECT_URL: redirectUrl,
  }
  const settings = Object.entries(variables).map(([name, value]) => `${name}=${quoted(value)}`)
  return `export ${settings.join(' ')}`
}

/**
 * The two requests of the guide for site administrators as lines for a shell: with the site's secret and, where the
 * site may leave it out, without. The variables stand before them; only STATE and CODE are left to set.
 */
function guideRequests({ provider, requireSecret, ...variables }: GuideRequests): string {
  const start = `-d provider=${provider} --data-urlencode "client_redirect_url=$REDIRECT_URL" "$AUTH/api/v1/oauth/authorize-url/"`
  const finish = `-d provider=${provider} --data-urlencode "state=$STATE" --data-urlencode "code=$CODE" "$AUTH/api/v1/oauth/authorize/"`
  const withSecret = 'curl -sS -u "$SITE_ID:$SITE_SECRET"'
  return [
    guideVariables(variables),
    '# 1. Start a login; send the user to the authorize_url of the answer:',
    `${withSecret} ${start}`,
    '# 2. The user comes back to your URL with provider, state and code; set STATE and CODE to get the tokens:',
    `${withSecret} ${finish}`,
    ...(requireSecret
      ? []
      : [
          '# The same without the secret, which this site may leave out:',
          `curl -sS ${start}`,
          `curl -sS ${finish}`,
        ]),
  ].join('\n')
}

/** A string quoted so that a POSIX shell reads it as one word. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
