import type { Client } from './generated/client/index.ts'
import { createClient, createConfig } from './generated/client/index.ts'

export * from './generated/index.ts'
export type { Client }

/** How a site reaches the service. */
export interface SiteSettings {
  /** The address of the service, such as `https://login.example`. */
  readonly url: string
  /** The site's id and secret; without them only requests that need none succeed. */
  readonly id?: string
  readonly secret?: string
  /** Milliseconds after which a request is given up: above the 10 seconds that a finish may take. 12,000 by default. */
  readonly timeout?: number
}

/**
 * A client for one site: give it to every call as `client`. Requests that take the site's secret get it; those about a
 * user take `auth: accessToken`. Redirects are not followed, as a POST would become a GET.
 */
export function siteClient({ url, id, secret, timeout = 12_000 }: SiteSettings): Client {
  return createClient(
    createConfig({
      baseUrl: url.replace(/\/$/, ''),
      auth: ({ scheme }) =>
        scheme === 'basic' && id !== undefined && secret !== undefined ? `${id}:${secret}` : undefined,
      redirect: 'error',
      fetch: (input: RequestInfo | URL, init?: RequestInit) =>
        fetch(input, { ...init, signal: AbortSignal.timeout(timeout) }),
    }),
  )
}
