import { setTimeout as sleep } from 'node:timers/promises'
import { createCache } from 'async-cache-dedupe'
import { Prisma } from '../../prisma/client/client.ts'
import { siteKept } from '../deadlines.ts'
import type { Database } from '../storage/postgres.ts'
import type { Site } from './site.ts'
import { idTokenAlgOf, siteId } from './site.ts'

/**
 * How a site is looked up that is not in the cache: at once, or in one batch with the other look-ups of the same tenth
 * of a second. Batches are for callers that have exceeded a rate limit: however many requests they send, the
 * database gets at most ten statements per second, and a request with correct values still finds its site.
 */
export type Pace = 'at-once' | 'batched'

/** Finds sites, at most 2 s behind the database. Database errors are passed on as they are. */
export interface Sites {
  byRedirectUrl(url: string, pace?: Pace): Promise<Site | undefined>
  byId(id: string, pace?: Pace): Promise<Site | undefined>
  /** At most 200 registered URLs, of any site, at this host (as hostOf gives it): to find the nearest one. */
  urlsOfHost(host: string, pace?: Pace): Promise<readonly string[]>
}

// Entries per cache and process; a site has at most 100 URLs of at most 2,000 characters.
const cacheSize = 2_000

/** Milliseconds that a batch waits for more look-ups. */
const batchWait = 100

/** Keys per batch. */
const batchSize = 1_000

/**
 * Looks each site up by one statement, through a small cache of its own.
 * @param keptFor milliseconds that a site is cached
 */
export function createSites(database: Database, keptFor = siteKept): Sites {
  const byRedirectUrl = bothPaces((urls) => findSites(database, byUrls(urls)), keptFor)
  const byId = bothPaces((ids) => findSites(database, byIds(ids)), keptFor)
  const urlsOfHost = bothPaces((hosts) => findUrls(database, hosts), keptFor)
  // A value that cannot be registered needs no query; NUL would even be an error in PostgreSQL.
  const registrable = /^[\x21-\x7e]{1,2000}$/
  return {
    byRedirectUrl: async (url, pace = 'at-once') =>
      registrable.test(url) ? byRedirectUrl[pace](url) : undefined,
    byId: async (id, pace = 'at-once') => (siteId.test(id) ? byId[pace](id) : undefined),
    urlsOfHost: async (host, pace = 'at-once') =>
      registrable.test(host) ? ((await urlsOfHost[pace](host)) ?? []) : [],
  }
}

/** One cache per pace: a look-up at once must not wait for a batch that another caller's junk requests started. */
function bothPaces<Found>(
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Found>>,
  keptFor: number,
): Readonly<Record<Pace, (key: string) => Promise<Found | undefined>>> {
  const options = { size: cacheSize, keptFor }
  return {
    'at-once': shortCache(async (key) => (await load([key])).get(key), options),
    batched: shortCache(inBatches(load, batchWait), options),
  }
}

interface SiteRow {
  /** The id or URL that it was found by. */
  readonly key: string
  readonly id: string
  readonly name: string
  readonly urls: string[]
  readonly providers: string[]
  readonly require_secret: boolean
  readonly limit_factor: number
  readonly disabled: boolean
  readonly post_logout_redirect_urls: string[]
  readonly native: boolean
  readonly id_token_alg: string
  readonly secrets: string[]
}

/** Which rows of `sites AS s` to select, and the column that is the key of each. */
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
      s.disabled_at IS NOT NULL AS disabled, s.post_logout_redirect_urls, s.native, s.id_token_alg,
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
    postLogoutRedirectUrls: row.post_logout_redirect_urls,
    native: row.native,
    idTokenAlg: idTokenAlgOf(row.id_token_alg),
    secretHashes: row.secrets.map((hash) => Buffer.from(hash, 'hex')),
  }
}

/** URLs per host, at most. */
const urlsPerHost = 200

async function findUrls(
  database: Database,
  hosts: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await database.prisma.redirectUrl.findMany({
    where: { host: { in: [...hosts] } },
    select: { host: true, url: true },
    take: urlsPerHost * hosts.length,
  })
  const byHost = Map.groupBy(rows, ({ host }) => host)
  return new Map(
    [...byHost].map(([host, found]) => [host, found.slice(0, urlsPerHost).map(({ url }) => url)]),
  )
}

/**
 * Caches what `load` finds for a moment; callers who ask for the same key at the same time share one call. A key that
 * was not found is not cached, and neither is an error: it reaches every caller who waits for that call.
 * @param options.size entries of the cache; the least recently used is dropped first
 * @param options.keptFor milliseconds after which an entry is loaded again
 */
export function shortCache<Found>(
  load: (key: string) => Promise<Found | undefined>,
  { size, keptFor }: { readonly size: number; readonly keptFor: number },
): (key: string) => Promise<Found | undefined> {
  // The library counts whole seconds by a coarse clock, so the exact limit is checked below.
  const ttl = Math.ceil(keptFor / 1000)
  const cache = createCache({ storage: { type: 'memory', options: { size } } }).define(
    'entry',
    { ttl: (entry: Entry<Found>) => (entry.found === undefined ? 0 : ttl) },
    async (key: string): Promise<Entry<Found>> => {
      const askedAt = performance.now()
      return { askedAt, found: await load(key) }
    },
  )
  return async (key) => {
    const entry = await cache.entry(key)
    if (performance.now() - entry.askedAt <= keptFor) return entry.found
    await cache.clear('entry', key)
    return (await cache.entry(key)).found
  }
}

interface Entry<Found> {
  /** Before the database was asked: a change that it did not see can only be younger. */
  readonly askedAt: number
  readonly found: Found | undefined
}

interface Batch<Found> {
  readonly keys: Set<string>
  readonly found: Promise<ReadonlyMap<string, Found>>
}

/**
 * Collects the keys that are asked for within a moment and loads them by one call, so that the number of calls stays
 * small however many requests come.
 * @param load gives what it finds, by key
 * @param milliseconds how long the first key of a batch waits for others
 */
export function inBatches<Found>(
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Found>>,
  milliseconds: number,
): (key: string) => Promise<Found | undefined> {
  let open: Batch<Found> | undefined
  const begin = (): Batch<Found> => {
    const keys = new Set<string>()
    const send = async () => {
      await sleep(milliseconds)
      if (open?.keys === keys) open = undefined
      return await load([...keys])
    }
    return { keys, found: send() }
  }
  return async (key) => {
    if (open === undefined || open.keys.size >= batchSize) open = begin()
    const { keys, found } = open
    keys.add(key)
    return (await found).get(key)
  }
}
