import { Prisma } from '../../prisma/client/client.ts'
import { siteKept } from '../deadlines.ts'
import type { Database } from '../storage/postgres.ts'
import { shortCache } from './short-cache.ts'
import { together } from './together.ts'

/** A client site, with everything that a login asks of it. */
export interface Site {
  /** Public: the user name of HTTP Basic and the tokens' `client_id`. */
  readonly id: string
  readonly name: string
  /** Raw strings, compared as such. */
  readonly redirectUrls: readonly string[]
  /** Those that this site may use, each by its name; never "all". */
  readonly providers: readonly string[]
  readonly requireSecret: boolean
  /** Its limits are times this (src/http/rate-limit.ts). */
  readonly limitFactor: number
  readonly disabled: boolean
  /** SHA-256 of each live secret: two at most. */
  readonly secretHashes: readonly Buffer[]
}

/**
 * How a site is looked up that is not in the cache: at once, or together with what else is asked within a tenth of a
 * second. The second is for callers that have asked for too much already: it costs the database ten statements a
 * second, whatever they send, and a right answer comes all the same.
 */
export type Pace = 'at-once' | 'together'

/** Finds sites, at most 2 s behind the database. Its errors are the database's own. */
export interface Sites {
  byRedirectUrl(url: string, pace?: Pace): Promise<Site | undefined>
  byId(id: string, pace?: Pace): Promise<Site | undefined>
  /** Registered URLs of all sites at this host (as hostOf gives it), 200 at most: for telling differences. */
  urlsOfHost(host: string): Promise<readonly string[]>
}

// Of each kind, in one process; a site has at most 100 URLs of at most 2,000 characters.
const remembered = 2_000

/** Milliseconds that a batch of look-ups waits for more. */
const gathering = 100

/**
 * Looks sites up by one statement each, through a small cache of its own.
 * @param keptFor milliseconds that an answer is remembered
 */
export function createSites(database: Database, keptFor = siteKept): Sites {
  const byRedirectUrl = bothPaces((urls) => findSites(database, byUrls(urls)), keptFor)
  const byId = bothPaces((ids) => findSites(database, byIds(ids)), keptFor)
  const urlsOfHost = shortCache((host) => findUrls(database, host), { size: remembered, keptFor })
  // What cannot be registered is not worth a query, and NUL would be an error in PostgreSQL.
  const printable = /^[\x21-\x7e]{1,2000}$/
  return {
    byRedirectUrl: async (url, pace = 'at-once') =>
      printable.test(url) ? byRedirectUrl[pace](url) : undefined,
    byId: async (id, pace = 'at-once') => (siteId.test(id) ? byId[pace](id) : undefined),
    urlsOfHost: async (host) => (printable.test(host) ? ((await urlsOfHost(host)) ?? []) : []),
  }
}

/** What a site's id may look like: unchanged by HTTP Basic and by URLs, and never taken for an option. */
export const siteId = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$/

/** One cache for each pace: what is asked at once must not wait for a batch that somebody else's junk began. */
function bothPaces(
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Site>>,
  keptFor: number,
): Readonly<Record<Pace, (key: string) => Promise<Site | undefined>>> {
  const options = { size: remembered, keptFor }
  return {
    'at-once': shortCache(async (key) => (await load([key])).get(key), options),
    together: shortCache(together(load, gathering), options),
  }
}

interface SiteRow {
  /** What it was found by. */
  readonly key: string
  readonly id: string
  readonly name: string
  readonly urls: string[]
  readonly providers: string[]
  readonly require_secret: boolean
  readonly limit_factor: number
  readonly disabled: boolean
  readonly secrets: string[]
}

/** Which rows of `sites` AS s, and the key of each. */
interface Condition {
  readonly key: Prisma.Sql
  readonly from: Prisma.Sql
}

const byIds = (ids: readonly string[]): Condition => ({
  key: Prisma.sql`s.id`,
  from: Prisma.sql`sites AS s WHERE s.id = ANY(${ids})`,
})

const byUrls = (urls: readonly string[]): Condition => ({
  key: Prisma.sql`asked.url`,
  from: Prisma.sql`sites AS s JOIN redirect_urls AS asked ON asked.site_id = s.id WHERE asked.url = ANY(${urls})`,
})

async function findSites(database: Database, { key, from }: Condition): Promise<ReadonlyMap<string, Site>> {
  const rows = await database.prisma.$queryRaw<SiteRow[]>`
    SELECT ${key} AS key, s.id, s.name, s.providers, s.require_secret, s.limit_factor,
      s.disabled_at IS NOT NULL AS disabled,
      ARRAY(SELECT u.url FROM redirect_urls AS u WHERE u.site_id = s.id ORDER BY u.url) AS urls,
      ARRAY(SELECT encode(h.hash, 'hex') FROM site_secrets AS h WHERE h.site_id = s.id) AS secrets
    FROM ${from}`
  return new Map(rows.map((row) => [row.key, siteOf(row)]))
}

function siteOf(row: SiteRow): Site {
  return {
    id: row.id,
    name: row.name,
    redirectUrls: row.urls,
    providers: row.providers,
    requireSecret: row.require_secret,
    limitFactor: row.limit_factor,
    disabled: row.disabled,
    secretHashes: row.secrets.map((hash) => Buffer.from(hash, 'hex')),
  }
}

async function findUrls(database: Database, host: string): Promise<readonly string[] | undefined> {
  const rows = await database.prisma.redirectUrl.findMany({
    where: { host },
    select: { url: true },
    take: 200,
  })
  return rows.length === 0 ? undefined : rows.map(({ url }) => url)
}
