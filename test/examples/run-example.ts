import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Browser, BrowserContext } from 'playwright-core'
import type { Test } from 'tap'
import t from 'tap'
import { startBrowser } from '../openid/person.ts'
import { withoutChromium } from '../support/chromium.ts'
import { eventually, freePort } from '../support/process.ts'
import type { TestService } from '../support/service.ts'
import { registerSite, startTestService } from '../support/service.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import type { Language } from '../support/tools.ts'
import { skipWithout } from '../support/tools.ts'

/** How the program of an example is started. */
export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** It does not say itself where it is: a framework starts it, or, where its arguments name a HOST, PHP's own server. */
  readonly silent?: true
}

/** A running example, the service behind it, and the browser in front of it. */
export interface Running {
  readonly service: TestService
  readonly site: { readonly id: string; readonly secret: string }
  readonly origin: string
  readonly browser: Browser
  /** Between a site that uses the two requests and the service. */
  readonly network: TcpProxy
  /** What the program has printed. */
  readonly said: () => string
}

/** What is tested of an example. */
export interface Cases {
  /** Clients of the standard door find the service by its own address alone, so that nothing can stand in between. */
  readonly door: 'two requests' | 'standard'
  run(test: Test, running: Running): Promise<void>
}

/** Milliseconds of an access token after which the examples refresh it: they do so where less than a minute is left. */
export const fresh = 3_000

/** Where the example comes back to. */
export const returnPath = '/return'

/**
 * Runs an example in front of a service with a double of every provider, and tests it by a browser.
 * @param needed what the machine must have
 * @param prepare gives the program, compiled where it must be; it listens where `REDIRECT_URL` points to
 * @param cases what is tested of it
 */
export function testExample(
  name: string,
  needed: readonly Language[],
  prepare: (test: Test) => Program | Promise<Program>,
  cases: Cases,
): void {
  const skip = skipWithout(...needed) || withoutChromium
  // Maven and pip download at their first run.
  t.test(name, { skip, timeout: needed.includes('maven') ? 900_000 : 180_000 }, async (t) => {
    const program = await prepare(t)
    if (program.silent === undefined) await endsWithoutVariables(t, program)
    const origin = `http://127.0.0.1:${await freePort()}`
    const env = { ACCESS_TOKEN_TTL: String((60_000 + fresh) / 1_000) }
    const service = await startTestService(t, { reachable: true, env })
    const site = await registerSite(service.database, origin + returnPath, true, [`${origin}/`])
    const network = await startTcpProxy(t, service.url)
    const said = await startProgram(t, program, origin, {
      AUTH: cases.door === 'standard' ? service.url : network.through(service.url),
      SITE_ID: site.id,
      SITE_SECRET: site.secret,
      REDIRECT_URL: origin + returnPath,
    })
    if (program.silent === undefined) t.match(said(), `My site: ${origin}/\n`)
    if (process.platform === 'linux')
      await t.rejects(fetch(origin.replace('127.0.0.1', '127.0.0.2')), 'it listens on one address alone')
    await cases.run(t, { service, site, origin, network, said, browser: await startBrowser(t) })
  })
}

/** Somebody who forgot to paste the line of variables reads one sentence. */
async function endsWithoutVariables(t: Test, { command, args, env, cwd }: Program): Promise<void> {
  const all = {
    AUTH: 'http://127.0.0.1:1',
    SITE_ID: 'id',
    SITE_SECRET: 'secret',
    REDIRECT_URL: 'http://127.0.0.1:1/',
  }
  for (const name of Object.keys(all)) {
    const child = spawn(command, args, {
      env: { PATH: process.env.PATH, ...env, ...all, [name]: undefined },
      stdio: ['ignore', 'inherit', 'pipe'],
      timeout: 20_000,
      ...(cwd !== undefined && { cwd }),
    })
    let said = ''
    child.stderr.on('data', (text) => (said += String(text)))
    const [code]: unknown[] = await once(child, 'close')
    t.equal(code, 1, `without ${name}`)
    t.match(
      said,
      /^.*set AUTH, SITE_ID, SITE_SECRET and REDIRECT_URL, as `npm run site -- add` prints them\.\n$/,
    )
  }
}

/** Starts the program of an example. @returns what it has printed by now */
export async function startProgram(
  test: Test,
  { command, args, env, cwd }: Program,
  origin: string,
  variables: Readonly<Record<string, string>>,
): Promise<() => string> {
  const fill = (text: string) => text.replace('HOST', new URL(origin).host)
  const child = spawn(command, args.map(fill), {
    // PORT is the service's: the sites take no notice of it.
    env: { PATH: process.env.PATH, PORT: '1', ...env, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, which is ended as a whole: PHP's server has workers that outlive it.
    detached: true,
    ...(cwd !== undefined && { cwd }),
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += String(text)))
  const closed = once(child, 'close')
  test.teardown(async () => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    await closed
    if (!test.passing()) test.comment(said)
  })
  await eventually(() => fetch(`${origin}/nothing`, { redirect: 'manual' }), 60_000).catch(
    (cause: unknown) => {
      throw new Error(`It does not listen: ${said}`, { cause })
    },
  )
  return () => said
}

/** The cookie of the example's session. The service has cookies of its own at the same host. */
export async function sessionCookie(context: BrowserContext) {
  const cookies = await context.cookies()
  return cookies.find(({ name, httpOnly }) => /^(JSESSIONID|session)$/.test(name) && httpOnly)
}
