import { resolve } from 'node:path'
import type { Config } from '../config/config.ts'
import type { CheckSiteOptions } from '../site-check/check-site.ts'
import { checkSite } from '../site-check/check-site.ts'
import { reportText } from '../site-check/report.ts'
import { getSite } from '../sites/store.ts'
import type { Command, CommandContext } from './command.ts'
import { CommandError, CommandText, parseWords, takeWords } from './command.ts'
import { withDatabase } from './with-database.ts'

const options = {
  url: { type: 'string' },
  'return-url': { type: 'string' },
  provider: { type: 'string' },
  start: { type: 'string' },
  field: { type: 'string', multiple: true },
  sandbox: { type: 'string' },
  log: { type: 'string' },
  timeout: { type: 'string' },
  json: { type: 'boolean' },
} as const

/** What `site check --help` prints. */
export const checkSiteUsage = `Usage: node src/cli.ts site check ID --url URL …
In development: npm run site -- check ID --url URL …

Opens the page with the login buttons of a site as browsers do, logs in and fails to log in, and
reports what the site does right and what must be mended. Whole logins are tried in the sandbox
alone, the rest with every service.

  --url URL            the page with the login buttons
  --json               the report as JSON, with ids that stay the same
  --log FILE           the log of the site: it is searched for codes and states after the check
  --sandbox URL        the sandbox; the check finds that of npm start by itself
  --return-url URL     which of the return addresses, where the site has several
  --provider NAME      which provider, in place of the first that has a button
  --start URL          what the login button posts to, where the page needs scripts for that
  --field NAME=VALUE   and the fields that it posts; may be repeated
  --timeout SECONDS    for each answer of the site; 15 without it

With a secret of the site in the environment variable SITE_SECRET the check sees what the service
knows of its logins, among it whether the site sends the secret.

It exits with 0 where nothing must be mended, with 1 where something must, and with 2 where it could
not check.
`

/** Seconds: a site that asks the service to finish a login may take the 10 s that this may take. */
const usualTimeout = 15

/** Milliseconds for all points together. */
const wholeCheck = 300_000

/** `site check ID --url URL`: whether a site does at its login what it must do. */
export const checkSiteCommand: Command = async (args, context) => {
  const { values, positionals } = parseWords(args, options)
  const [id] = takeWords(positionals, ['ID'])
  if (values.url === undefined) throw new CommandError('--url is missing: the page with the login buttons.')
  const url = address('--url', values.url)
  const fields = values.field?.map((field): [string, string] => {
    const [name = '', value] = field.split(/=(.*)/s)
    if (value === undefined) throw new CommandError(`--field must be NAME=VALUE, not "${field}".`)
    return [name, value]
  })
  if (fields !== undefined && values.start === undefined)
    throw new CommandError('--field goes with --start URL: the address that the button posts to.')
  const report = await withDatabase(
    context,
    async (database, config) =>
      checkSite({
        site: await getSite(database, id),
        database,
        url,
        service: new URL(config.publicUrl),
        returnUrl: values['return-url'],
        provider: values.provider,
        start:
          values.start === undefined
            ? undefined
            : { kind: 'given', action: address('--start', values.start), fields: fields ?? [] },
        sandbox: sandboxOf(values.sandbox, config),
        secret: context.env.SITE_SECRET?.trim() || undefined,
        log: values.log === undefined ? undefined : resolve(values.log),
        timeout: timeoutOf(values.timeout),
        run: { progress: showProgress(context), limit: wholeCheck },
      }),
    ['PUBLIC_URL'],
  ).finally(() => context.progress(''))
  const text = values.json === true ? `${JSON.stringify(report, null, 2)}\n` : reportText(report)
  return new CommandText(text, report.result === 'passed' ? 0 : 1)
}

function address(option: string, value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:')
    throw new CommandError(`${option} must be an address with https or http.`)
  return url
}

/** In development without providers the service runs with a sandbox, and on embedded data never without. */
function sandboxOf(named: string | undefined, config: Config): CheckSiteOptions['sandbox'] {
  if (named !== undefined) return { url: address('--sandbox', named), needed: true }
  if (config.mode !== 'development' || config.providers.size > 0) return undefined
  return {
    url: new URL(`http://127.0.0.1:${config.sandboxPort}`),
    needed: config.database.url === undefined,
  }
}

function timeoutOf(seconds: string | undefined): number {
  if (seconds === undefined) return usualTimeout * 1000
  if (!/^[1-9]\d?$/.test(seconds)) throw new CommandError('--timeout must be 1 to 99 seconds.')
  return Number(seconds) * 1000
}

function showProgress({ progress }: CommandContext): CheckSiteOptions['run']['progress'] {
  return (done, of, title) => progress(`${done + 1}/${of} ${title}`)
}
