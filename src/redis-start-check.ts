import { createHash, randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { Cluster } from 'ioredis'
import { tryRateLimits } from './http/rate-limit.ts'
import { tryLoginStore } from './login/login-store.ts'
import { createRedisLoginStore } from './login/redis-login-store.ts'
import { tryRedisLoginHistory } from './login-history/redis-store.ts'

/** Random keys of which, with a probability of 99.9 %, at least one belongs to any given one of three masters. */
const severalSlots = 18

/**
 * Does once with Redis everything that the service does with it: the commands, scripts and keys of logins, of their
 * history and of the rate limits. All keys expire within a second.
 * @throws the errors of Redis as they are
 */
export async function tryRedis(client: Redis | Cluster, prefix: string): Promise<void> {
  await tryCommandsOfScripts(client, prefix)
  await loginsTried(client, prefix)()
  await tryRedisLoginHistory(client, prefix)
  await tryRateLimits(client, prefix)
}

/**
 * Does with Redis only what logins need, to find its state: a server that replies to PING may still refuse every login.
 * @returns a function that throws the errors of Redis as they are
 */
export function loginsTried(client: Redis | Cluster, prefix: string): () => Promise<void> {
  const logins = createRedisLoginStore(client, prefix)
  const attempts = client instanceof Cluster ? severalSlots : 1
  return async () => {
    await Promise.all(Array.from({ length: attempts }, () => tryLoginStore(logins)))
  }
}

/**
 * Runs each command of the service's scripts and of the rate limiter's by itself, because an error of Redis does not name
 * the command when it was refused within a script. Both EVAL and EVALSHA, because the client sends EVAL at the first use
 * of a script on a connection and EVALSHA afterwards.
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
