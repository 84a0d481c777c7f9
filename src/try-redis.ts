import { createHash, randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { Cluster } from 'ioredis'
import { tryRateLimits } from './http/rate-limit.ts'
import { tryLoginStore } from './login/login-store.ts'
import { createRedisLoginStore } from './login/redis-login-store.ts'
import { tryRedisLoginHistory } from './login-history/redis-store.ts'

/** So many keys, drawn at random, miss a given one of three masters once in a thousand times. */
const severalSlots = 18

/**
 * Does once with Redis whatever the service does with it: commands, scripts and keys of logins, of their history and
 * of the limits. All of it is gone a second later.
 * @throws whatever Redis refuses it with
 */
export async function tryRedis(client: Redis | Cluster, prefix: string): Promise<void> {
  await tryCommandsOfScripts(client, prefix)
  await loginsTried(client, prefix)()
  await tryRedisLoginHistory(client, prefix)
  await tryRateLimits(client, prefix)
}

/**
 * What logins alone need of Redis, for the look at its state: a server that answers PING may still refuse every login.
 * @returns throws whatever Redis refuses it with
 */
export function loginsTried(client: Redis | Cluster, prefix: string): () => Promise<void> {
  const logins = createRedisLoginStore(client, prefix)
  const attempts = client instanceof Cluster ? severalSlots : 1
  return async () => {
    await Promise.all(Array.from({ length: attempts }, () => tryLoginStore(logins)))
  }
}

/**
 * What our scripts and those of the limits run, each by itself: within a script Redis refuses a command without its
 * name. EVAL and EVALSHA, because the client sends the one at a script's first use of a connection, the other later.
 */
async function tryCommandsOfScripts(client: Redis | Cluster, prefix: string): Promise<void> {
  const script = 'return 1'
  const hash = `${prefix}tried:hash:${randomUUID()}`
  const number = `${prefix}tried:number:${randomUUID()}`
  await Promise.all([
    client.eval(script, 1, hash),
    client.evalsha(createHash('sha1').update(script).digest('hex'), 1, hash),
    client.hset(hash, 'field', 'value'),
    client.expire(hash, 1),
    client.exists(hash),
    client.hexists(hash, 'field'),
    client.hget(hash, 'field'),
    client.hdel(hash, 'field'),
    client.time(),
    client.set(number, 0, 'EX', 1, 'NX'),
    client.incrby(number, 1),
    client.pttl(number),
  ])
}
