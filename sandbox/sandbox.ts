import type { FastifyInstance } from 'fastify'
import type { Config } from '../src/config/config.ts'
import type { ProviderRegistry } from '../src/providers/registry.ts'
import { isLoopback } from '../src/providers/settings.ts'
import type { DemoSiteOptions } from './demo-site/auth-movies-client.ts'
import { demoSite } from './demo-site/demo-site.ts'
import { createDouble } from './doubles/double.ts'
import type { Doubles } from './doubles/index.ts'
import { envOf, serveDoubles } from './doubles/index.ts'
import type { MenuEntry } from './menu.ts'
import { menu } from './menu.ts'
import { newServer } from './web.ts'

/** The service's providers, each with its circuit breaker. */
export type Circuits = Pick<ProviderRegistry, 'get'>

/** Where the sandbox listens, and the service that it works with. */
export interface SandboxOptions {
  readonly host: string
  /** The first port to try; the next free one is used. */
  readonly port: number
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
  /** Tells the demo site where the service is. Until then its pages say that the service is starting. */
  openDemo(options: DemoSiteOptions): void
  /** Lets the menu show and reset the circuit breakers of the service. */
  showCircuits(circuits: Circuits): void
  close(): Promise<void>
}

/** How many ports are tried, beginning with the first. */
const portsTried = 100

/**
 * Starts the sandbox.
 * @throws {Error} if the host is not an address of this computer, or if a hundred ports are taken
 */
export async function startSandbox({ host, port, publicUrl }: SandboxOptions): Promise<Sandbox> {
  const app = await newServer()
  const entries: MenuEntry[] = []
  let demo: DemoSiteOptions | undefined
  let circuits: Circuits | undefined

  const callback = (name: string) => [`${publicUrl.replace(/\/$/, '')}/api/v1/oauth/callback/${name}`]
  const close = async () => {
    await app.close()
  }
  const mounted: ((url: string) => void)[] = []
  const doubles = await serveDoubles(async (rules) => {
    const { plugin, double, serveAt } = createDouble(rules, callback(rules.name))
    await app.register(plugin, { prefix: `/${rules.name}` })
    mounted.push((url) => serveAt(`${url}/${rules.name}`, close))
    entries.push({ double, title: rules.title, mark: rules.mark })
    return double
  })
  await app.register(
    menu(
      () => entries,
      (name) => circuits?.get(name)?.guard,
    ),
  )
  await app.register(
    demoSite(
      () => demo,
      entries.map(({ double: { name }, title, mark }) => ({ name, title, mark })),
    ),
    { prefix: '/demo' },
  )

  const url = await listen(app, host, port)
  for (const serveAt of mounted) serveAt(url)
  return {
    url,
    demoUrl: `${url}/demo/`,
    demoRedirectUrl: `${url}/demo/return`,
    env: envOf(doubles),
    doubles,
    openDemo: (options) => {
      demo = options
    },
    showCircuits: (shown) => {
      circuits = shown
    },
    close,
  }
}

/** Listens on the first free port. @returns the URL for a browser on this computer */
async function listen(app: FastifyInstance, host: string, first: number): Promise<string> {
  for (let port = first; ; port += 1) {
    try {
      await app.listen({ host, port })
      break
    } catch (error) {
      if (!isTaken(error) || port >= Math.min(first + portsTried, 65_535)) throw error
    }
  }
  const address = app.server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const name = ['::', '0.0.0.0'].includes(host) ? 'localhost' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port ?? first}`
}

function isTaken(error: unknown): boolean {
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
