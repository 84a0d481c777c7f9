import { randomUUID } from 'node:crypto'
import type { Cluster, Redis, Result } from 'ioredis'
import { Compile } from 'typebox/compile'
import { StoreUnavailable } from '../storage/redis-errors.ts'
import { LoginEntry } from './entry.ts'
import { recentLogins } from './query.ts'
import type { LoginHistory } from './store.ts'
import { rememberedFor, streamOf, streams } from './store.ts'

declare module 'ioredis' {
  interface RedisCommander<Context> {
    appendToHistory(key: string, capacity: number, ttl: number, ...entries: string[]): Result<number, Context>
  }
}

const append = `
  for i = 3, #ARGV do redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'entry', ARGV[i]) end
  return redis.call('EXPIRE', KEYS[1], ARGV[2])`

const entries = Compile(LoginEntry)

/** Entries that wait or are sent at the same time, at most: where Redis is slow, further ones are lost rather than memory. */
const maxUnderWay = 1_000

/** Milliseconds that an entry waits for others of its stream. */
const gatheredFor = 10

/** Milliseconds by which the clock of Redis, which numbers the entries, may differ from that of this process. */
const clockSkew = 60_000

/**
 * The history in Redis 6.2 or newer, single or cluster: two capped streams per site, which end a day after their last
 * entry. Entries of one stream that come within a moment are sent by one command: sent one by one, they took more of a
 * callback's CPU time than its login did.
 */
export function createRedisLoginHistory(client: Redis | Cluster, prefix: string): LoginHistory {
  client.defineCommand('appendToHistory', { lua: append, numberOfKeys: 1 })
  const keyOf = (name: keyof typeof streams, siteId: string) => `${prefix}history:${name}:${siteId}`
  let waiting = new Map<string, { readonly capacity: number; readonly entries: string[] }>()
  let underWay = 0
  let sent: Promise<unknown> = Promise.resolve()

  const send = async (key: string, capacity: number, gathered: readonly string[]) => {
    try {
      await client.appendToHistory(key, capacity, rememberedFor / 1000, ...gathered)
    } catch {
      // The entries are lost. `dependency_up` and the logins themselves show that Redis does not reply.
    } finally {
      underWay -= gathered.length
    }
  }

  const sendAll = (): Promise<unknown> => {
    const all = [...waiting].map(([key, { capacity, entries }]) => send(key, capacity, entries))
    waiting = new Map()
    sent = Promise.all([sent, ...all])
    return sent
  }

  return {
    record(siteId, entry) {
      if (underWay >= maxUnderWay) return
      underWay++
      const name = streamOf(entry)
      const key = keyOf(name, siteId)
      if (waiting.size === 0) setTimeout(() => void sendAll(), gatheredFor)
      const stream = waiting.get(key) ?? { capacity: streams[name], entries: [] }
      stream.entries.push(JSON.stringify(entry))
      waiting.set(key, stream)
    },
    flush: async () => {
      await sendAll()
    },
    async recent(siteId, filter) {
      // Whoever asks after their own login was answered shall find it.
      await sendAll()
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

/**
 * Calls every command of the history, on a stream of its own that ends within a second, to see at the start of the
 * service that each is allowed.
 * @throws {Error} that of Redis, where it is not
 */
export async function tryRedisLoginHistory(client: Redis | Cluster, prefix: string): Promise<void> {
  const key = `${prefix}history:tried:${randomUUID()}`
  await Promise.all([client.xadd(key, 'MAXLEN', '~', 1, '*', 'entry', '{}'), client.expire(key, 1)])
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
