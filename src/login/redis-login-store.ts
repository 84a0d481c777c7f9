import { createHash } from 'node:crypto'
import type { Cluster, Redis, Result } from 'ioredis'
import { Compile } from 'typebox/compile'
import { StoreUnavailable } from '../storage/redis-errors.ts'
import { Answer, Login } from './login.ts'
import type { LoginStore } from './login-store.ts'
import type { LoginSeal, SealPurpose } from './seal.ts'
import { sealOf } from './seal.ts'

declare module 'ioredis' {
  interface RedisCommander<Context> {
    answerLogin(key: string, kind: string, code: string, answer: Buffer, ttl: number): Result<string, Context>
    claimLogin(
      key: string,
      token: string,
      ttl: number,
    ): Result<[number, number, number, number] | null, Context>
    releaseLogin(key: string, token: string, ttl: number): Result<number, Context>
    failLogin(key: string, token: string): Result<number, Context>
  }
}

/**
 * One hash a login: `login` and `answer` sealed, `code` a digest to compare, `claim` the time of the claim, `claimer` its
 * token (absent where an older version claimed), `failed` for a claim whose finish opened no session, `released:TOKEN` for a claim that must not win if it still arrives.
 */
const scripts = {
  answerLogin: `
    if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HEXISTS', KEYS[1], 'claim') == 1 then return 'gone' end
    local code = redis.call('HGET', KEYS[1], 'code')
    if code then
      if ARGV[1] == 'code' and code == ARGV[2] then return 'kept' end
      return 'conflict'
    end
    redis.call('HSET', KEYS[1], 'answer', ARGV[3])
    if ARGV[1] == 'code' then
      redis.call('HSET', KEYS[1], 'code', ARGV[2])
      redis.call('EXPIRE', KEYS[1], ARGV[4])
    end
    return 'kept'`,
  claimLogin: `
    if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local claimed = redis.call('HGET', KEYS[1], 'claim')
    if claimed then return {0, tonumber(claimed), now, redis.call('HEXISTS', KEYS[1], 'failed')} end
    if redis.call('HEXISTS', KEYS[1], 'released:' .. ARGV[1]) == 1 then return {0, now, now, 0} end
    redis.call('HSET', KEYS[1], 'claim', string.format('%d', now), 'claimer', ARGV[1])
    redis.call('EXPIRE', KEYS[1], ARGV[2])
    return {1, now, now, 0}`,
  releaseLogin: `
    if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
    if redis.call('HGET', KEYS[1], 'claimer') == ARGV[1] then
      redis.call('HDEL', KEYS[1], 'claim', 'claimer', 'failed')
      redis.call('EXPIRE', KEYS[1], ARGV[2])
    else
      redis.call('HSET', KEYS[1], 'released:' .. ARGV[1], '1')
    end
    return 1`,
  failLogin: `
    if redis.call('HGET', KEYS[1], 'claimer') == ARGV[1] then redis.call('HSET', KEYS[1], 'failed', '1') end
    return 1`,
}

const compiledLogin = Compile(Login)
const compiledAnswer = Compile(Answer)

/** Seconds that a claimed record is kept: as long as a repeat may be told that the login is completed. */
const claimedTtl = 120

/**
 * Logins in Redis 6.2 or newer, single or cluster: one hash key a login, named by SHA-256 of its state and
 * sealed under the state, so that a dump of Redis is worth nothing (RFC 9700 §4.7 on state as a secret).
 */
export function createRedisLoginStore(client: Redis | Cluster, prefix: string): LoginStore {
  for (const [name, lua] of Object.entries(scripts)) client.defineCommand(name, { lua, numberOfKeys: 1 })

  const record = (state: string) => {
    const key = `${prefix}login:${createHash('sha256').update(state).digest('base64url')}`
    return { key, seal: sealOf(state, key) }
  }

  return {
    start: (state, login, ttlSeconds) =>
      answered(async () => {
        const { key, seal } = record(state)
        const results = await client
          .multi()
          .hset(key, { login: seal.seal('login', login) })
          .expire(key, ttlSeconds)
          .exec()
        const failed = results?.find(([error]) => error !== null)
        if (results === null || failed !== undefined)
          throw failed?.[0] ?? new Error('the transaction was dropped')
      }),
    find: (state) =>
      answered(async () => {
        const { key, seal } = record(state)
        const [sealedLogin, sealedAnswer, claim] = await client.hmgetBuffer(key, 'login', 'answer', 'claim')
        const login = opened(compiledLogin, seal, 'login', sealedLogin)
        const answer = opened(compiledAnswer, seal, 'answer', sealedAnswer)
        return login && { login, ...(answer && { answer }), claimed: claim instanceof Buffer }
      }),
    answer: (state, answer, codeTtlSeconds) =>
      answered(async () => {
        const { key, seal } = record(state)
        // Bound to the state: a short code could otherwise be guessed from its digest in a dump.
        const code =
          answer.kind === 'code'
            ? createHash('sha256')
                .update(state + answer.codeDigest)
                .digest('base64url')
            : ''
        const outcome = await client.answerLogin(
          key,
          answer.kind,
          code,
          seal.seal('answer', answer),
          codeTtlSeconds,
        )
        return outcome === 'kept' || outcome === 'conflict' ? outcome : 'gone'
      }),
    claim: (state, token) =>
      answered(async () => {
        const claim = await client.claimLogin(record(state).key, token, claimedTtl)
        if (claim === null) return undefined
        const [won, at, now, failed] = claim
        return { won: won === 1, at: new Date(at), now: new Date(now), failed: failed === 1 }
      }),
    release: (state, token, ttlSeconds) =>
      answered(async () => {
        await client.releaseLogin(record(state).key, token, ttlSeconds)
      }),
    fail: (state, token) =>
      answered(async () => {
        await client.failLogin(record(state).key, token)
      }),
  }
}

async function answered<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    throw new StoreUnavailable('Redis did not answer', { cause: error })
  }
}

/** What was sealed by another version, or spoiled, is as good as nothing. */
function opened<T>(
  schema: { Check(value: unknown): value is T },
  seal: LoginSeal,
  purpose: SealPurpose,
  sealed: Buffer | null | undefined,
): T | undefined {
  if (sealed === null || sealed === undefined) return undefined
  const value = seal.open(purpose, sealed)
  return schema.Check(value) ? value : undefined
}
