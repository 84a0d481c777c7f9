import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { providers } from '../plugins/index.ts'
import { CommandError, parseWords, takeWords } from '../src/command-line/command.ts'
import type { Config } from '../src/config/config.ts'
import { readConfig } from '../src/config/config.ts'
import type { Environment } from '../src/config/variables.ts'
import { runUntilStopped } from '../src/main.ts'
import type { Service } from '../src/service.ts'
import { StartError } from '../src/service.ts'
import { checkRegistration, demoCredentials } from './demo-site/credentials.ts'
import { people } from './doubles/people.ts'
import { blockingVariables } from './sandbox.ts'
import type { Together } from './with-service.ts'
import { startTogether } from './with-service.ts'

// `npm run sandbox`: the service and the sandbox for the tests of a site, on fixed ports and fresh data. It prints one line
// of JSON when a login can begin, and nothing else.

const help = `npm run --silent sandbox -- [OPTIONS]

Runs the service with doubles of all providers, for the tests of your own site. Prints one line of JSON when it is ready.
Ctrl-C or SIGTERM ends it; nothing is left.

  --redirect-url URL   registers the return URL of your site; may be repeated   SANDBOX_REDIRECT_URLS (separated by blanks)
  --site-id ID         the id of the site; made where absent                    SANDBOX_SITE_ID
  --site-secret TEXT   its secret; made where absent                            SANDBOX_SITE_SECRET
  --data FOLDER        keeps the data there; a new folder, removed at the end,  SANDBOX_DATA
                       where absent
  --help               this text

Ports: PORT (3000), SANDBOX_PORT (3001), MANAGEMENT_PORT (9464). LOG_LEVEL=info adds the log of the service.
`

const optionsOfLine = {
  'redirect-url': { type: 'string', multiple: true },
  'site-id': { type: 'string' },
  'site-secret': { type: 'string' },
  data: { type: 'string' },
  help: { type: 'boolean' },
} as const

/**
 * The variables of the service that this command reads. A site's own tests often have a DATABASE_URL or REDIS_URL of their
 * own, which the sandbox must never touch.
 */
const variables = [
  'HOST',
  'PORT',
  'PUBLIC_URL',
  'MANAGEMENT_HOST',
  'MANAGEMENT_PORT',
  'SANDBOX_PORT',
  'LOG_LEVEL',
  'LOGIN_TTL',
  'ACCESS_TOKEN_TTL',
  'REFRESH_TOKEN_TTL',
  'REFRESH_GRACE',
  'SESSION_MAX_AGE',
  'TOKEN_ALG',
  'RATE_LIMIT',
] as const

/** Characters that HTTP Basic and a shell take as they are. */
const usableSecret = /^[\x21-\x7e]{8,200}$/

/** What the command was called with. */
interface Call {
  readonly redirectUrls: readonly string[]
  readonly id: string | undefined
  readonly secret: string | undefined
  readonly folder: string | undefined
}

/** Milliseconds that a stop may take: machines of a CI are slow at times, and nobody waits before them. */
const stopWithin = 10_000

const args = process.argv.slice(2)
if (args.includes('--help')) process.stdout.write(help)
else await runUntilStopped(() => start(args, process.env), stopWithin)

async function start(words: readonly string[], env: Environment): Promise<Service> {
  const call = readCall(words, env)
  const own = Object.fromEntries(variables.map((name) => [name, env[name]]))
  const serviceEnv = { LOG_LEVEL: 'silent', ...defined(own), NODE_ENV: 'development' }
  const config = readConfig(serviceEnv, providers, [])
  const blocking = blockingVariables(config)
  if (blocking.length > 0)
    throw new StartError(
      `The sandbox logs anybody in as anybody, so it runs on this computer alone: leave out ${blocking.join(', ')}.`,
    )
  checkRegistration(call)
  const folder = call.folder ?? (await newFolder())
  const together = await startTogether({
    env: serviceEnv,
    config,
    directory: folder,
    nextPort: false,
    register: (database, { demoRedirectUrl }) =>
      demoCredentials(database, folder, {
        redirectUrls: [...new Set([demoRedirectUrl, ...call.redirectUrls])],
        id: call.id,
        secret: call.secret,
      }),
  })
  const { service } = together
  await announce(config, together, call).catch(async (error: unknown) => {
    await service.close()
    throw error
  })
  return service
}

/** A folder that goes with the process, however it ends (a SIGKILL apart). */
async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'auth-movies-sandbox-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function readCall(words: readonly string[], env: Environment): Call {
  const { values, positionals } = parseWords(words, optionsOfLine)
  takeWords(positionals, [])
  const listed = env.SANDBOX_REDIRECT_URLS?.split(/\s+/).filter((url) => url !== '') ?? []
  const secret = values['site-secret'] ?? nonEmpty(env.SANDBOX_SITE_SECRET)
  if (secret !== undefined && !usableSecret.test(secret))
    throw new CommandError(
      'The secret of the site must have 8 to 200 printable ASCII characters and no blank.',
    )
  const folder = values.data ?? nonEmpty(env.SANDBOX_DATA)
  return {
    redirectUrls: values['redirect-url'] ?? listed,
    id: values['site-id'] ?? nonEmpty(env.SANDBOX_SITE_ID),
    secret,
    folder: folder === undefined ? undefined : resolve(folder),
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

function defined(env: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

/** Prints the line, after the service has said itself that it is ready. */
async function announce(config: Config, { sandbox, site, service }: Together, call: Call): Promise<void> {
  const { managementHost: host, managementPort, publicUrl } = config
  const health = `http://${host.includes(':') ? `[${host}]` : host}:${managementPort}/health/ready`
  const { status } = await fetch(health)
  if (status !== 200)
    throw new StartError(`The service started, but is not ready: ${health} answers ${status}.`)
  const line = {
    ready: true,
    service_url: publicUrl,
    sandbox_url: sandbox.url,
    demo_url: sandbox.demoUrl,
    faults_url: `${sandbox.url}/faults`,
    health_url: health,
    site_id: site.id,
    site_secret: site.secret,
    redirect_urls: [...new Set([...call.redirectUrls, sandbox.demoRedirectUrl])],
    providers: service.providers.list().map(({ adapter }) => adapter.name),
    people: Object.keys(people),
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
