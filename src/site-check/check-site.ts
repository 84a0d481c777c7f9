import { randomBytes } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import type { SiteRecord } from '../sites/site.ts'
import type { Database } from '../storage/postgres.ts'
import type { Checkup } from './checkup.ts'
import { createFacts } from './facts.ts'
import type { LoginControl } from './login-page.ts'
import { findLoginControl, leadsToProvider } from './login-page.ts'
import { readPage } from './page.ts'
import type { Report } from './report.ts'
import { CannotCheck, countsOf } from './report.ts'
import type { RunOptions } from './run.ts'
import { runCases } from './run.ts'
import { Sandbox } from './sandbox.ts'
import type { VisitorSettings } from './visitor.ts'
import { NoAnswer, Visitor } from './visitor.ts'

/** What is checked, and how. */
export interface CheckSiteOptions {
  readonly site: SiteRecord
  readonly database: Database
  /** The page with the login buttons. */
  readonly url: URL
  /** The service's PUBLIC_URL. */
  readonly service: URL
  /** Which of the site's return addresses; the one on the host of `url` where none is named. */
  readonly returnUrl: string | undefined
  /** The provider to log in by; the first that has a button where none is named. */
  readonly provider: string | undefined
  /** What the login button posts, where the page shows none to a browser without scripts. */
  readonly start: Extract<LoginControl, { readonly kind: 'given' }> | undefined
  /** A sandbox that must be there, or one that may be. */
  readonly sandbox: { readonly url: URL; readonly needed: boolean } | undefined
  /** A secret of the site, for the history of its logins. */
  readonly secret: string | undefined
  /** The site's log; what it holds before the check does not count. */
  readonly log: string | undefined
  /** Milliseconds for each answer. */
  readonly timeout: number
  readonly run: RunOptions
}

/**
 * Drives a site through good and bad days as the browsers of its visitors would, and reports what it did.
 * @throws {CannotCheck} where nothing can be said about the site
 */
export async function checkSite(options: CheckSiteOptions): Promise<Report> {
  const { site, url, service, database, secret, timeout } = options
  const returnUrl = chooseReturnUrl(options)
  const origins = new Set([url.origin, new URL(returnUrl).origin, service.origin])
  // The way to the provider ends every visit, even where the sandbox serves the site as well.
  const mayVisit = (to: URL) => origins.has(to.origin) && !leadsToProvider(to, service)
  const settings = { timeout, mayVisit }
  const visitor = (language = 'en') => new Visitor({ ...settings, language })
  const providers = providersOf(options)
  const sandbox = await reachSandbox(options, settings)
  const log = options.log === undefined ? undefined : await logFrom(options.log)
  const facts = createFacts({ database, service, siteId: site.id, secret, timeout })
  // A wrong secret is told at once.
  await facts.logins?.()
  const first = await visitor('ru')
    .open(url)
    .catch((error: unknown) => {
      throw error instanceof NoAnswer ? new CannotCheck(`${error.message}: is the site running?`) : error
    })
  const control = options.start ?? findLoginControl(first, providers)
  const checkup: Checkup = {
    site: { ...site, providers },
    loginUrl: url,
    returnUrl,
    service,
    control,
    sandbox,
    facts,
    marker: `sitecheck${randomBytes(4).toString('hex')}`,
    log,
    visitor,
    wordsBefore: readPage(first.last.body, first.last.url).text,
    errorPages: [],
    secrets: new Set(),
    begun: false,
    login: undefined,
    memberUrl: url,
    signal: 'words',
  }
  const cases = await runCases(checkup, options.run)
  const counts = countsOf(cases)
  return {
    site: { id: site.id, name: site.name },
    url: withoutQuery(url),
    return_url: returnUrl,
    provider: control.kind === 'on-page' ? (control.provider ?? null) : (options.provider ?? null),
    sandbox: sandbox?.url.origin ?? null,
    marker: checkup.marker,
    result: counts.failed === 0 ? 'passed' : 'failed',
    counts,
    cases: inOrder(cases),
  }
}

function withoutQuery({ origin, pathname }: URL): string {
  return origin + pathname
}

const order = ['start', 'return', 'login', 'people', 'errors', 'traces'] as const

function inOrder(cases: Report['cases']): Report['cases'] {
  return order.flatMap((group) => cases.filter((one) => one.group === group))
}

function chooseReturnUrl({ site, url, returnUrl }: CheckSiteOptions): string {
  const registered = site.redirectUrls.join(', ')
  if (returnUrl !== undefined) {
    if (site.redirectUrls.includes(returnUrl)) return returnUrl
    throw new CannotCheck(`${returnUrl} is not registered for this site; registered are ${registered}.`)
  }
  const here = site.redirectUrls.filter((one) => new URL(one).origin === url.origin)
  const [only, ...more] = here.length > 0 ? here : site.redirectUrls
  if (only === undefined) throw new CannotCheck('This site has no return address.')
  if (more.length === 0) return only
  throw new CannotCheck(`Name one of the return addresses of this site by --return-url: ${registered}.`)
}

function providersOf({ site, provider }: CheckSiteOptions): readonly string[] {
  if (provider === undefined) return site.providers
  if (site.providers.includes(provider)) return [provider]
  throw new CannotCheck(`This site may not use ${provider}; it may use ${site.providers.join(', ')}.`)
}

async function reachSandbox(
  { sandbox: named }: CheckSiteOptions,
  settings: VisitorSettings,
): Promise<Sandbox | undefined> {
  if (named === undefined) return undefined
  const mayVisit = ({ origin }: URL) => origin === named.url.origin
  const sandbox = new Sandbox(named.url, new Visitor({ ...settings, mayVisit }))
  if (await sandbox.answers()) return sandbox
  if (!named.needed) return undefined
  throw new CannotCheck(
    `No sandbox answers at ${named.url.origin}: does the service run? Name its sandbox by --sandbox.`,
  )
}

/** What a log gets from now on. */
async function logFrom(file: string): Promise<() => Promise<string>> {
  const unreadable = (error: NodeJS.ErrnoException): never => {
    throw new CannotCheck(`The log ${file} cannot be read (${error.code ?? error.message}).`)
  }
  const { size } = await stat(file).catch(unreadable)
  return async () => {
    const bytes = await readFile(file).catch(unreadable)
    // A log that is shorter now was begun anew.
    return bytes.subarray(bytes.length < size ? 0 : size).toString()
  }
}
