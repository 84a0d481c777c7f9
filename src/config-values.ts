import { isIP } from 'node:net'
import { holdsEverybody } from './http/client-ip.ts'
import { isLoopback } from './providers/settings.ts'
import { checkDatabaseUrl } from './storage/database-url.ts'
import { parseRedisUrl, RedisUrlError } from './storage/redis-address.ts'
import type { Variables } from './variables.ts'

/** How PostgreSQL is reached. */
export interface DatabaseSettings {
  /** Absent in development: the embedded database. */
  readonly url?: string
  /** For migrations and session locks. */
  readonly directUrl?: string
  readonly poolMax: number
  readonly pooler?: 'transaction'
}

/** How Redis is reached; no address in development: logins live in memory then. */
export interface RedisSettings {
  readonly url?: string
  readonly prefix: string
}

/** Whose X-Forwarded-For counts: nobody's, so many hops, or these addresses and ranges. */
export type TrustedProxies = false | number | readonly string[]

/** How providers are reached. */
export interface ProxySettings {
  readonly https: string
  readonly none?: string
}

// What the form of a variable alone does not tell. Each takes the variables and adds to `problems` a sentence for
// whatever is wrong with its own.

/** The origin of every address that we give out. */
export function publicUrl(variables: Variables, loopback: boolean, problems: string[]): string {
  const value = variables.PUBLIC_URL
  if (value === undefined) return `http://127.0.0.1:${variables.PORT}`
  const url = URL.parse(value)
  if (url === null || url.origin !== value.replace(/\/$/, '') || !/^https?:$/.test(url.protocol))
    problems.push('PUBLIC_URL must be an origin such as https://login.example, without a path.')
  else if (url.protocol !== 'https:' && !(loopback && isLoopback(url.hostname)))
    problems.push('PUBLIC_URL must be https (plain http only to loopback, in development).')
  return url?.origin ?? value
}

/** PostgreSQL's addresses; only the one that leads through a pooler is held against it. */
export function database(variables: Variables, problems: string[]): DatabaseSettings {
  for (const name of ['DATABASE_URL', 'DATABASE_DIRECT_URL'] as const) {
    const value = variables[name]
    const pooler = name === 'DATABASE_URL' ? variables.DATABASE_POOLER : undefined
    const flaw = value === undefined ? undefined : checkDatabaseUrl(value, pooler)
    if (flaw !== undefined) problems.push(`${name} ${flaw}`)
  }
  const url = variables.DATABASE_URL
  const directUrl = variables.DATABASE_DIRECT_URL ?? url
  return {
    ...(url !== undefined && { url }),
    ...(directUrl !== undefined && { directUrl }),
    poolMax: variables.DATABASE_POOL_MAX,
    ...(variables.DATABASE_POOLER !== undefined && { pooler: variables.DATABASE_POOLER }),
  }
}

/** Single, cluster or by sentinels. */
export function redis(variables: Variables, problems: string[]): RedisSettings {
  const url = variables.REDIS_URL
  try {
    if (url !== undefined) parseRedisUrl(url)
  } catch (error) {
    if (!(error instanceof RedisUrlError)) throw error
    problems.push(`REDIS_URL ${error.message}`)
  }
  return { prefix: variables.REDIS_PREFIX, ...(url !== undefined && { url }) }
}

/** 32 random bytes each. */
export function secretKeys(value: string | undefined, problems: string[]): Buffer[] {
  const parts = value === undefined ? [] : value.split(',').map((part) => part.trim())
  // 32 bytes in standard base64; as good as no random key has fewer than 16 different bytes.
  const keys = parts.map((part) => Buffer.from(/^[A-Za-z0-9+/]{43}=$/.test(part) ? part : '', 'base64'))
  if (keys.some((key) => new Set(key).size < 16))
    problems.push(
      'SECRET_KEYS must hold base64 of 32 random bytes each, comma-separated (openssl rand -base64 32).',
    )
  return keys
}

/** The token's name by the digest of the token. */
export function adminTokens(value: string | undefined, problems: string[]): Map<string, string> {
  const tokens = new Map<string, string>()
  for (const entry of (value ?? '').split(',').filter((part) => part.trim() !== '')) {
    const match = /^([\w.-]{1,64}):([0-9a-f]{64})$/i.exec(entry.trim())
    if (match?.[1] === undefined || match[2] === undefined)
      problems.push(
        'ADMIN_TOKENS must be NAME:SHA-256-OF-TOKEN in hex, comma-separated (made by `admin-token NAME`).',
      )
    else tokens.set(match[2].toLowerCase(), match[1])
  }
  return tokens
}

/** A number of hops or address ranges: never everybody. */
export function trustProxy(value: string | undefined, problems: string[]): TrustedProxies {
  if (value === undefined) return false
  if (/^[1-9]\d?$/.test(value)) return Number(value)
  const ranges = value.split(',').map((range) => range.trim())
  const valid = (range: string) => {
    const [address = '', bits, ...rest] = range.split('/')
    const family = isIP(address)
    return (
      family > 0 &&
      rest.length === 0 &&
      (bits === undefined || (/^[1-9]\d*$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))) &&
      // A range of all IPv4-mapped addresses is everybody.
      !holdsEverybody(range)
    )
  }
  if (!ranges.every(valid))
    problems.push(
      'TRUST_PROXY must be a number of hops (1 to 99) or addresses and CIDR ranges; never "true".',
    )
  return ranges
}

/** The proxy for requests to providers. */
export function proxy(
  { HTTPS_PROXY: https, NO_PROXY: none }: Variables,
  problems: string[],
): ProxySettings | undefined {
  if (https === undefined) return undefined
  const url = URL.parse(https)
  if (!/^https?:$/.test(url?.protocol ?? ''))
    problems.push('HTTPS_PROXY must be an address such as http://proxy.example:3128.')
  else if (/%(?![0-9a-f]{2})/i.test(`${url?.username}${url?.password}`))
    problems.push('HTTPS_PROXY must have %25 in place of a % in its user name or password.')
  return { https, ...(none !== undefined && { none }) }
}

/**
 * Other programs' names for a proxy are not read, so that one table holds every variable. Said for each that may have been
 * meant: behind a firewall nobody could log in.
 */
export function unreadProxies(env: Readonly<Record<string, string | undefined>>): string[] {
  if (env.HTTPS_PROXY !== undefined)
    return env.no_proxy === undefined || env.NO_PROXY !== undefined
      ? []
      : ['no_proxy is not read: NO_PROXY alone names the hosts that are reached without HTTPS_PROXY.']
  return ['https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy']
    .filter((name) => env[name] !== undefined)
    .map((name) => `${name} is not read: HTTPS_PROXY alone sets the proxy for requests to providers.`)
}
