import { randomUUID } from 'node:crypto'
import type { Cluster, Redis } from 'ioredis'
import { Compile } from 'typebox/compile'
import { StoreUnavailable } from '../storage/redis-errors.ts'
import { LoginEntry } from './entry.ts'
import { recentLogins } from './query.ts'
import type { LoginHistory } from './store.ts'
import { rememberedFor, streamOf, streams } from './store.ts'

const entries = Compile(LoginEntry)

/** Entries that may be on their way at once: a Redis that is slow costs entries, not memory. */
const mostUnderWay = 1_000

/** Milliseconds by which Redis's clock, which numbers the entries, may differ from ours. */
const clockSkew = 60_000

/**
 * The history in Redis 6.2 or newer, single or cluster: two capped streams a site, gone a day after their last
 * entry. Each command names one key, and those of one moment go out together (`enableAutoPipelining`).
 */
export function createRedisLoginHistory(client: Redis | Cluster, prefix: string): LoginHistory {
  const keyOf = (name: keyof typeof streams, siteId: string) => `${prefix}history:${name}:${siteId}`
  let underWay = 0

  const send = async (siteId: string, entry: LoginEntry) => {
    const name = streamOf(entry)
    const key = keyOf(name, siteId)
    underWay++
    try {
      await append(client, key, JSON.stringify(entry), { most: streams[name], seconds: rememberedFor / 1000 })
    } catch {
      // Redis away shows in `dependency_up` and in the logins themselves; the entry is lost.
    } finally {
      underWay--
    }
  }

  return {
    record(siteId, entry) {
      if (underWay < mostUnderWay) void send(siteId, entry)
    },
    async recent(siteId, filter) {
      const since = Math.max(Date.now() - rememberedFor, filter.since ?? 0)
      const read = (name: keyof typeof streams) =>
        client.xrange(keyOf(name, siteId), Math.max(0, since - clockSkew), '+')
      try {
        const [starts, logins] = await Promise.all([read('starts'), read('logins')])
        const found = [...starts, ...logins].flatMap(([, [, json]]) => parsed(json))
        return recentLogins(found, { ...filter, since })
      } catch (error) {
        throw new StoreUnavailable('Redis did not answer', { cause: error })
      }
    },
  }
}

/** Two commands on one key, which go out together. */
async function append(
  client: Redis | Cluster,
  key: string,
  entry: string,
  { most, seconds }: { most: number; seconds: number },
): Promise<void> {
  await Promise.all([client.xadd(key, 'MAXLEN', '~', most, '*', 'entry', entry), client.expire(key, seconds)])
}

/**
 * Does what the history does, on a stream of its own that ends within a second.
 * @throws whatever Redis refuses it with
 */
export async function tryRedisLoginHistory(client: Redis | Cluster, prefix: string): Promise<void> {
  const key = `${prefix}history:tried:${randomUUID()}`
  await append(client, key, '{}', { most: 1, seconds: 1 })
  await client.xrange(key, '-', '+')
}

/** What another version wrote in another form is left out. */
function parsed(json: string | undefined): [] | [LoginEntry] {
  try {
    const entry: unknown = JSON.parse(json ?? '')
    return entries.Check(entry) ? [entry] : []
  } catch {
    return []
  }
}
