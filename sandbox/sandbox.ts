import type { FastifyInstance } from 'fastify'
import type { Config } from '../src/config/config.ts'
import type { LoginStore } from '../src/login/login-store.ts'
import type { ProviderRegistry } from '../src/providers/registry.ts'
import { isLoopback } from '../src/providers/settings.ts'
import type { DemoSiteOptions } from './demo-site/auth-movies-client.ts'
import { authMovies } from './demo-site/auth-movies-client.ts'
import { demoSite } from './demo-site/demo-site.ts'
import { LoginJournal } from './demo-site/login-record.ts'
import { createDouble } from './doubles/double.ts'
import type { Doubles } from './doubles/index.ts'
import { envOf, serveDoubles } from './doubles/index.ts'
import { DetourImpossible } from './doubles/login-fault.ts'
import { isPossibleAt } from './faults/catalogue.ts'
import { createDetours } from './faults/detours.ts'
import { passHintsOn } from './faults/hints.ts'
import { createLoginClock } from './faults/login-clock.ts'
import { faultPages } from './faults/pages.ts'
import { faultRoutes } from './faults/routes.ts'
import { hintOfFault, SetFaults } from './faults/set-faults.ts'
import type { MenuEntry } from './menu.ts'
import { menu } from './menu.ts'
import { newServer } from './web.ts'

/** Where the sandbox listens, and the service that it works with. */
export interface SandboxOptions {
  readonly host: string
  readonly port: number
  /** Takes the next free port where that one is taken, in place of an error. */
  readonly nextPort?: boolean
  /** The service's `PUBLIC_URL`: its callbacks are registered at the doubles. */
  readonly publicUrl: string
}

/** A double of every provider, the menu and the demo site on one port. */
export interface Sandbox {
  /** `http://127.0.0.1:3001`: the menu. */
  readonly url: string
  readonly demoUrl: string
  /** The redirect URL to register for the demo site. */
  readonly demoRedirectUrl: string
  /** The variables that point the service to the doubles. */
  readonly env: Readonly<Record<string, string>>
  readonly doubles: Doubles
  /** Where the service must keep its logins, so that the sandbox can make them older. */
  readonly logins: LoginStore
  /**
   * Connects the service that runs with it: its logins hand their faults to the doubles, and the pages show its circuits and
   * close them.
   */
  connect(service: ConnectedService): void
  /** Tells the demo site where the service is. Until then its pages say that the service is starting. */
  openDemo(options: DemoSiteOptions): void
  close(): Promise<void>
}

/** What the sandbox uses of the service that it runs with. */
export interface ConnectedService {
  readonly providers: Pick<ProviderRegistry, 'get' | 'list'>
}

/** How many ports are tried, beginning with the first. */
const portsTried = 100

/**
 * Starts the sandbox.
 * @throws {Error} if the host is not an address of this computer, or if a hundred ports are taken
 */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { host, port, publicUrl, nextPort = false } = options
  const app = await newServer()
  const entries: MenuEntry[] = []
  let demo: DemoSiteOptions | undefined
  let service: ConnectedService | undefined
  const { logins, clock } = createLoginClock()
  const faults = new SetFaults(createDetours({ clock, startLogin: otherLogin(publicUrl, () => demo) }))
  const journal = new LoginJournal()
  const circuit = (name: string) => service?.providers.get(name)?.guard

  const callback = (name: string) => [`${publicUrl.replace(/\/$/, '')}/api/v1/oauth/callback/${name}`]
  const close = async () => {
    await app.close()
  }
  const mounted: ((url: string) => void)[] = []
  const doubles = await serveDoubles(async (rules) => {
    const { name } = rules
    faults.addProvider({ name, isPossible: (id) => isPossibleAt(id, rules) })
    const { plugin, double, serveAt } = createDouble(rules, callback(name), (request) =>
      faults.ofLogin(name, request),
    )
    await app.register(plugin, { prefix: `/${rules.name}` })
    mounted.push((url) => serveAt(`${url}/${rules.name}`, close))
    entries.push({ double, title: rules.title, mark: rules.mark })
    return double
  })
  const closeCircuits = (provider: string | undefined) => {
    for (const { double } of entries)
      if (provider === undefined || double.name === provider) circuit(double.name)?.reset()
  }
  await app.register(faultRoutes({ faults, journal, closeCircuits }))
  await app.register(faultPages({ faults, journal, entries, publicUrl }))
  await app.register(menu({ entries, faults, journal, circuit }))
  await app.register(
    demoSite(
      () => demo,
      entries.map(({ double: { name }, title, mark }) => ({ name, title, mark })),
      { playFault: (provider, asked) => faults.forDemo(provider, asked), hintOfFault, journal },
    ),
    { prefix: '/demo' },
  )

  const url = await listen(app, host, port, nextPort)
  for (const serveAt of mounted) serveAt(url)
  return {
    url,
    demoUrl: `${url}/demo/`,
    demoRedirectUrl: `${url}/demo/return`,
    env: envOf(doubles),
    doubles,
    logins,
    connect: (connected) => {
      service = connected
      passHintsOn(connected.providers)
    },
    openDemo: (options) => {
      demo = options
    },
    close,
  }
}

/**
 * Starts a login of another person at the service, for a redirect URL of any site.
 * @param demo the site whose secret the sandbox knows
 */
function otherLogin(publicUrl: string, demo: () => DemoSiteOptions | undefined) {
  return async (provider: string, redirectUrl: string): Promise<string> => {
    const { siteId = '', siteSecret } = demo() ?? {}
    const options = { serviceUrl: publicUrl.replace(/\/$/, ''), siteId, redirectUrl }
    const withSecret = siteSecret !== undefined && { siteSecret }
    let started = await authMovies({ ...options, ...withSecret }, 'en').startLogin(provider)
    // It belongs to another site, which the sandbox can only ask for without a secret.
    if (!started.ok) started = await authMovies(options, 'en').startLogin(provider)
    if (started.ok) return started.body.authorize_url
    throw new DetourImpossible(
      `The service refused to start the login of another person: ${started.trouble.description}`,
    )
  }
}

/** Listens on the port, or on the first free one from there on. @returns the URL for a browser on this computer */
async function listen(app: FastifyInstance, host: string, first: number, next: boolean): Promise<string> {
  for (let port = first; ; port += 1) {
    try {
      await app.listen({ host, port })
      break
    } catch (error) {
      if (!next || !isTaken(error) || port >= Math.min(first + portsTried, 65_535)) throw error
    }
  }
  const address = app.server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const name = ['::', '0.0.0.0'].includes(host) ? 'localhost' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port ?? first}`
}

/** Whether a server could not listen because another program does. */
export function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
}

/**
 * The variables that do not allow the sandbox to start. It logs anybody in as anybody, so it must not use a database, a
 * Redis or a host name that others use. SECRET_KEYS alone would be harmless with the embedded storage, but an operator who
 * sets them runs a real service and does not want a sandbox.
 * @returns their names; none if the sandbox may start
 */
export function blockingVariables({ host, publicUrl, database, redis, secretKeys }: Config): string[] {
  const blocking = {
    DATABASE_URL: database.url !== undefined,
    DATABASE_DIRECT_URL: database.url === undefined && database.directUrl !== undefined,
    REDIS_URL: redis.url !== undefined,
    SECRET_KEYS: secretKeys.length > 0,
    HOST: !isLoopback(host),
    PUBLIC_URL: !isLoopback(new URL(publicUrl).hostname),
  }
  return Object.entries(blocking)
    .filter(([, isSet]) => isSet)
    .map(([name]) => name)
}
