import type { FastifyInstance } from 'fastify'
import type { ProviderRegistry } from '../src/providers/registry.ts'
import type { DemoSiteOptions } from './demo-site/auth-movies-client.ts'
import { demoSite } from './demo-site/demo-site.ts'
import type { CommonSwitches, ProviderDouble } from './doubles/double.ts'
import { createDouble } from './doubles/double-plugin.ts'
import type { GoogleSwitches } from './doubles/google.ts'
import { google } from './doubles/google.ts'
import type { MailSwitches } from './doubles/mail.ts'
import { mail } from './doubles/mail.ts'
import type { Rules } from './doubles/rules.ts'
import type { YandexSwitches } from './doubles/yandex.ts'
import { yandex } from './doubles/yandex.ts'
import type { MenuEntry } from './menu.ts'
import { menu } from './menu.ts'
import { newServer } from './serve.ts'

/** The service's providers, each with its circuit breaker. */
export type Circuits = Pick<ProviderRegistry, 'get'>

/** Where the sandbox listens, and whom it serves. */
export interface SandboxOptions {
  readonly host: string
  /** The first to try; the next free one is taken. */
  readonly port: number
  /** The service's own `PUBLIC_URL`: its callbacks are what is registered at the doubles. */
  readonly publicUrl: string
}

/** All three providers, the menu and the demo site on one port. */
export interface Sandbox {
  /** `http://127.0.0.1:3001`: the menu. */
  readonly url: string
  readonly demoUrl: string
  /** To be registered with the service for the demo site. */
  readonly demoRedirectUrl: string
  /** The variables that lead the service to the doubles. */
  readonly env: Readonly<Record<string, string>>
  readonly doubles: {
    readonly yandex: ProviderDouble<YandexSwitches>
    readonly google: ProviderDouble<GoogleSwitches>
    readonly mail: ProviderDouble<MailSwitches>
  }
  /** Tells the demo site where the service is; until then its pages say that it is starting. */
  openDemo(options: DemoSiteOptions): void
  /** Lets the menu show what the service thinks of each provider, and change its mind. */
  showCircuits(circuits: Circuits): void
  close(): Promise<void>
}

/** How many ports are tried from the first one on. */
const portsTried = 100

/**
 * Starts the sandbox.
 * @throws {Error} where the host is not one of this computer, or a hundred ports are taken
 */
export async function startSandbox({ host, port, publicUrl }: SandboxOptions): Promise<Sandbox> {
  const app = await newServer()
  const entries: MenuEntry[] = []
  let demo: DemoSiteOptions | undefined
  let circuits: Circuits | undefined

  const callback = (name: string) => [`${publicUrl.replace(/\/$/, '')}/api/v1/oauth/callback/${name}`]
  const mount = async <S extends CommonSwitches>(rules: Rules<S>) => {
    const double = createDouble(rules, callback(rules.name))
    await app.register(double.plugin, { prefix: `/${rules.name}` })
    return (url: string) => {
      const served = double.serveAt(`${url}/${rules.name}`, close)
      entries.push({ double: served, title: rules.title })
      return served
    }
  }
  const close = async () => {
    await app.close()
  }

  const [yandexAt, googleAt, mailAt] = [await mount(yandex()), await mount(google()), await mount(mail())]
  await app.register(
    menu(
      () => entries,
      (name) => circuits?.get(name)?.guard,
    ),
  )
  await app.register(
    demoSite(() => demo),
    { prefix: '/demo' },
  )

  const url = await listen(app, host, port)
  const doubles = { yandex: yandexAt(url), google: googleAt(url), mail: mailAt(url) }
  return {
    url,
    demoUrl: `${url}/demo/`,
    demoRedirectUrl: `${url}/demo/return`,
    env: { ...doubles.yandex.env, ...doubles.google.env, ...doubles.mail.env },
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

/** Listens on the first free port; the address as a browser on this computer writes it. */
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
