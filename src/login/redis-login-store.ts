import { createCipheriv, createDecipheriv, createSecretKey, hash } from 'node:crypto'
import type { Cluster, Redis, Result } from 'ioredis'
import { Compile } from 'typebox/compile'
import { StoreUnavailable } from '../storage/redis-errors.ts'
import { AuthorizationResponse, digest, Login } from './login.ts'
import type { LoginStore } from './login-store.ts'
import { claimedTtl } from './login-store.ts'
import { randomPart } from './random.ts'

declare module 'ioredis' {
  interface RedisCommander<Context> {
    startLogin(key: string, login: Buffer, ttl: number): Result<number, Context>
    recordLoginResponse(
      key: string,
      kind: string,
      code: string,
      response: Buffer,
      ttl: number,
    ): Result<string, Context>
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
 * One hash per login. Its fields: `login` and `answer` (the authorization response), both sealed; `code`, a digest to
 * compare; `claim`, the time of the claim; `claimer`, the claim's token (absent where an older version claimed);
 * `failed`, if the finish of the claim opened no session; `released:TOKEN`, for a claim that must not win if it still
 * arrives. Replicas of another version read these fields, so their names do not change.
 */
const scripts = {
  startLogin: `
    redis.call('HSET', KEYS[1], 'login', ARGV[1])
    return redis.call('EXPIRE', KEYS[1], ARGV[2])`,
  recordLoginResponse: `
    if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HEXISTS', KEYS[1], 'claim') == 1 then return 'gone' end
    local code = redis.call('HGET', KEYS[1], 'code')
    if code then
      if ARGV[1] == 'code' and code == ARGV[2] then return 'recorded' end
      return 'conflict'
    end
    redis.call('HSET', KEYS[1], 'answer', ARGV[3])
    if ARGV[1] == 'code' then
      redis.call('HSET', KEYS[1], 'code', ARGV[2])
      redis.call('EXPIRE', KEYS[1], ARGV[4])
    end
    return 'recorded'`,
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
const compiledResponse = Compile(AuthorizationResponse)

/**
 * Logins in Redis 6.2 or newer, single or cluster: one hash key per login, named by SHA-256 of its state and sealed
 * under the state, so that a dump of Redis is worth nothing (RFC 9700 §4.7 on state as a secret).
 */
export function createRedisLoginStore(client: Redis | Cluster, prefix: string): LoginStore {
  for (const [name, lua] of Object.entries(scripts)) client.defineCommand(name, { lua, numberOfKeys: 1 })

  const keyOf = (state: string) => `${prefix}login:${digest(state)}`
  const record = (state: string) => ({ key: keyOf(state), seal: sealOf(state) })

  return {
    start: (state, login, ttlSeconds) =>
      orUnavailable(async () => {
        const { key, seal } = record(state)
        await client.startLogin(key, seal.seal('login', login), ttlSeconds)
      }),
    find: (state) =>
      orUnavailable(async () => {
        const { key, seal } = record(state)
        const [sealedLogin, sealedResponse, claim] = await client.hmgetBuffer(key, 'login', 'answer', 'claim')
        const login = opened(compiledLogin, seal, 'login', sealedLogin)
        const response = opened(compiledResponse, seal, 'answer', sealedResponse)
        return login && { login, ...(response && { response }), claimed: claim instanceof Buffer }
      }),
    recordResponse: (state, response, codeTtlSeconds) =>
      orUnavailable(async () => {
        const { key, seal } = record(state)
        // Bound to the state: a short code could otherwise be guessed from its digest in a dump.
        const code = response.kind === 'code' ? digest(state + response.codeDigest) : ''
        const outcome = await client.recordLoginResponse(
          key,
          response.kind,
          code,
          seal.seal('answer', response),
          codeTtlSeconds,
        )
        return outcome === 'recorded' || outcome === 'conflict' ? outcome : 'gone'
      }),
    claim: (state, token) =>
      orUnavailable(async () => {
        const claim = await client.claimLogin(keyOf(state), token, claimedTtl)
        if (claim === null) return undefined
        const [won, at, now, failed] = claim
        return { won: won === 1, at: new Date(at), now: new Date(now), failed: failed === 1 }
      }),
    release: (state, token, ttlSeconds) =>
      orUnavailable(async () => {
        await client.releaseLogin(keyOf(state), token, ttlSeconds)
      }),
    fail: (state, token) =>
      orUnavailable(async () => {
        await client.failLogin(keyOf(state), token)
      }),
  }
}

async function orUnavailable<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw new StoreUnavailable('Redis did not answer', { cause: error })
  }
}

/** A value that another version sealed in another form, or that was damaged, counts as absent. */
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

const ivBytes = 12
const tagBytes = 16

/**
 * What a sealed value is: part of the authenticated data, so that one value never passes for another. `answer` is the
 * authorization response; records of other versions are sealed by this word.
 */
const purposes = { login: Buffer.from('login'), answer: Buffer.from('answer') }

type SealPurpose = keyof typeof purposes

/** Seals with one login's key, which comes from its state alone: somebody with the store but no state can read nothing. */
interface LoginSeal {
  seal(purpose: SealPurpose, value: unknown): Buffer
  /** @returns undefined where the value was not sealed by this key for this purpose */
  open(purpose: SealPurpose, sealed: Buffer): unknown
}

/**
 * AES-256-GCM with the purpose as additional data. The key is derived by the one-step function of NIST SP 800-56C §4,
 * SHA-256 of counter, secret and label, which is enough for a secret of 256 random bits; HKDF takes ten times as long
 * (docs/decisions/0026-hot-path.md).
 * @param state the login's 256 random bits, base64url
 */
function sealOf(state: string): LoginSeal {
  // OpenSSL takes a key object in half the time that it takes a buffer.
  const key = createSecretKey(hash('sha256', `\0\0\0\x01${state}auth-movies login`, 'buffer'))
  return {
    seal(purpose, value) {
      const iv = randomPart(ivBytes)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(purposes[purpose])
      const sealed = cipher.update(JSON.stringify(value), 'utf8')
      return Buffer.concat([iv, sealed, cipher.final(), cipher.getAuthTag()])
    },
    open(purpose, sealed) {
      if (sealed.length < ivBytes + tagBytes) return undefined
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, ivBytes))
      decipher.setAAD(purposes[purpose]).setAuthTag(sealed.subarray(-tagBytes))
      try {
        const opened = decipher.update(sealed.subarray(ivBytes, -tagBytes))
        return JSON.parse(Buffer.concat([opened, decipher.final()]).toString())
      } catch {
        return undefined
      }
    },
  }
}
