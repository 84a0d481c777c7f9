import { randomUUID } from 'node:crypto'
import type { Cluster, Redis } from 'ioredis'
import { Compile } from 'typebox/compile'
import { StoreUnavailable } from '../storage/redis-errors.ts'
import { LoginEntry } from './entry.ts'
import { recentLogins } from './query.ts'
import type { LoginHistory } from './store.ts'
import { rememberedFor, streamOf, streams } from './store.ts'

const entries = Compile(LoginEntry)

/** Entries that are sent at the same time, at most: where Redis is slow, further entries are lost rather than memory. */
const maxUnderWay = 1_000

/** Milliseconds by which the clock of Redis, which numbers the entries, may differ from that of this process. */
const clockSkew = 60_000

/**
 * The history in Redis 6.2 or newer, single or cluster: two capped streams per site, which end a day after their last
 * entry. Each command names one key, and commands of one moment are sent together (`enableAutoPipelining`).
 */
export function createRedisLoginHistory(client: Redis | Cluster, prefix: string): LoginHistory {
  const keyOf = (name: keyof typeof streams, siteId: string) => `${prefix}history:${name}:${siteId}`
  let underWay = 0

  const send = async (siteId: string, entry: LoginEntry) => {
    const name = streamOf(entry)
    const key = keyOf(name, siteId)
    underWay++
    try {
      await append(client, key, JSON.stringify(entry), { max: streams[name], seconds: rememberedFor / 1000 })
    } catch {
      // The entry is lost. `dependency_up` and the logins themselves show that Redis does not reply.
    } finally {
      underWay--
    }
  }

  return {
    record(siteId, entry) {
      if (underWay < maxUnderWay) void send(siteId, entry)
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

/** Two commands on one key, which are sent together. */
async function append(
  client: Redis | Cluster,
  key: string,
  entry: string,
  { max, seconds }: { max: number; seconds: number },
): Promise<void> {
  await Promise.all([client.xadd(key, 'MAXLEN', '~', max, '*', 'entry', entry), client.expire(key, seconds)])
}

/**
 * Calls every command of the history, on a stream of its own that ends within a second, to see at the start of the
 * service that each is allowed.
 * @throws {Error} that of Redis, where it is not
 */
export async function tryRedisLoginHistory(client: Redis | Cluster, prefix: string): Promise<void> {
  const key = `${prefix}history:tried:${randomUUID()}`
  await append(client, key, '{}', { max: 1, seconds: 1 })
  await client.xrange(key, '-', '+')
}

/** Leaves out an entry that another version wrote in another form. */
function parsed(json: string | undefined): [] | [LoginEntry] {
  try {
    const entry: unknown = JSON.parse(json ?? '')
    return entries.Check(entry) ? [entry] : []
  } catch {
    return []
  }
}
