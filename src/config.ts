import { isIP } from 'node:net'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { ProviderDeclaration, ProviderSettings } from './providers/settings.ts'
import { isLoopback, readProviders } from './providers/settings.ts'
import { checkDatabaseUrl } from './storage/database-url.ts'
import { Variables } from './variables.ts'

/** What the process runs on: read once, passed on, never looked up again. Times are seconds. */
export interface Config {
  readonly mode: 'strict' | 'development'
  readonly host: string
  readonly port: number
  readonly managementPort: number
  readonly sandboxPort: number
  /** An origin: no path, no trailing slash. */
  readonly publicUrl: string
  readonly database: {
    /** Absent in development: the embedded database. */
    readonly url?: string
    /** For migrations and session locks. */
    readonly directUrl?: string
    readonly poolMax: number
    readonly pooler?: 'transaction'
  }
  readonly redis: { readonly url?: string; readonly prefix: string }
  /** 32 bytes each, newest first; empty in development until `.data/secret-keys` is made. */
  readonly secretKeys: readonly Buffer[]
  /** Name by SHA-256 of the token, lower-case hex. */
  readonly adminTokens: ReadonlyMap<string, string>
  readonly trustProxy: false | number | readonly string[]
  readonly logLevel: string
  readonly loginTtl: number
  readonly accessTokenTtl: number
  readonly refreshTokenTtl: number
  readonly refreshGrace: number
  readonly sessionMaxAge: number
  readonly drainDelay: number
  readonly tokenAlg: 'EdDSA' | 'ES256'
  readonly rateLimit: boolean
  readonly proxy?: { readonly https: string; readonly none?: string }
  readonly providers: ReadonlyMap<string, ProviderSettings>
  /** Loosened settings and mended values, for the log. */
  readonly warnings: readonly string[]
}

/** Milliseconds. Each inner deadline is the lesser of its own and what is left of its request's. */
export const deadlines = {
  start: 2_000,
  callback: 1_000,
  finish: 10_000,
  refresh: 2_000,
  redisCommand: 500,
  databaseAcquire: 1_000,
  databaseStatement: 2_000,
  providerConnect: 2_000,
  providerAnswer: 5_000,
} as const

/** Milliseconds: how long a finish may follow the first code, and how long afterwards it is still told apart. */
export const finishWithin = 600_000
export const rememberExpired = 3_600_000

/** The configuration cannot be used; `problems` has one sentence for each thing that is wrong or missing. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`The configuration is not usable:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

/** An environment as the process has it. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What strict mode demands before anything is opened; `provider` in development too. */
export type Need = 'DATABASE_URL' | 'REDIS_URL' | 'SECRET_KEYS' | 'PUBLIC_URL' | 'provider'

const serviceNeeds: readonly Need[] = ['DATABASE_URL', 'REDIS_URL', 'SECRET_KEYS', 'PUBLIC_URL', 'provider']

/**
 * Reads every variable once.
 * @param declarations what each provider's plugin needs; this file names no provider
 * @param needs what strict mode demands; a command of the CLI needs less than the service
 * @throws {ConfigError} naming everything that is wrong or missing at once
 */
export function readConfig(
  env: Environment,
  declarations: readonly ProviderDeclaration[],
  needs: readonly Need[] = serviceNeeds,
): Config {
  const problems: string[] = []
  const { values, warnings } = trimmed(env)
  const variables = convert(values, problems)
  const mode = values.NODE_ENV === 'development' ? 'development' : 'strict'
  const loopback = mode === 'development'
  const providers = readProviders(values, declarations, { loopback, problems })

  if (mode === 'strict') {
    for (const name of needs)
      if (name !== 'provider' && values[name] === undefined) problems.push(`${name} is missing.`)
  }
  if (needs.includes('provider') && providers.size === 0)
    problems.push(
      `No provider is configured: set CLIENT_ID and CLIENT_SECRET of at least one, as in ${declarations[0]?.name.toUpperCase()}_CLIENT_ID.`,
    )
  const config = {
    mode,
    host: variables.HOST ?? (loopback ? '127.0.0.1' : '::'),
    port: variables.PORT,
    managementPort: variables.MANAGEMENT_PORT,
    sandboxPort: variables.SANDBOX_PORT,
    publicUrl: publicUrl(variables, loopback, problems),
    database: database(variables, problems),
    redis: redis(variables, problems),
    secretKeys: secretKeys(variables.SECRET_KEYS, problems),
    adminTokens: adminTokens(variables.ADMIN_TOKENS, problems),
    trustProxy: trustProxy(variables.TRUST_PROXY, problems),
    logLevel: variables.LOG_LEVEL,
    loginTtl: variables.LOGIN_TTL,
    accessTokenTtl: variables.ACCESS_TOKEN_TTL,
    refreshTokenTtl: variables.REFRESH_TOKEN_TTL,
    refreshGrace: variables.REFRESH_GRACE,
    sessionMaxAge: variables.SESSION_MAX_AGE,
    drainDelay: variables.DRAIN_DELAY,
    tokenAlg: variables.TOKEN_ALG,
    rateLimit: variables.RATE_LIMIT === 'on',
    ...(variables.HTTPS_PROXY !== undefined && {
      proxy: {
        https: variables.HTTPS_PROXY,
        ...(variables.NO_PROXY !== undefined && { none: variables.NO_PROXY }),
      },
    }),
    providers,
    warnings,
  } satisfies Config
  if (!config.rateLimit) warnings.push('RATE_LIMIT=off: anybody may call as often as they like.')
  for (const [name, provider] of providers)
    if (!provider.pkce)
      warnings.push(`${name.toUpperCase()}_PKCE=off: a leaked code of ${name} could be used.`)
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}

function trimmed(env: Environment) {
  const values: Record<string, string> = {}
  const warnings: string[] = []
  for (const [name, raw] of Object.entries(env)) {
    const value = raw?.trim()
    if (value === undefined || value === '') continue
    if (value !== raw) warnings.push(`${name}: blanks or line ends around the value were removed.`)
    values[name] = value
  }
  // Trimming is worth a word only where the value is ours; the caller's other variables are none of our business.
  const ours = (name: string) =>
    name in Variables.properties || /_(CLIENT_ID|CLIENT_SECRET|URL|SCOPE)\b/.test(name)
  return { values, warnings: warnings.filter((warning) => ours(warning.slice(0, warning.indexOf(':')))) }
}

/** Defaults, then strings to numbers; what fits nothing is named (without its value: it may be a secret). */
function convert(values: Environment, problems: string[]): Variables {
  const picked = Object.fromEntries(
    Object.keys(Variables.properties).flatMap((name) =>
      values[name] === undefined ? [] : [[name, values[name]]],
    ),
  )
  const defaults = Value.Default(Variables, {}) as Variables
  const candidate: Record<string, unknown> = { ...defaults }
  for (const [name, value] of Object.entries(picked)) {
    const schema = Variables.properties[name as keyof typeof Variables.properties]
    const converted = Type.IsInteger(schema) ? Number(value) : value
    if (Value.Check(schema, converted)) candidate[name] = converted
    else problems.push(`${name} must be ${expectation(schema)}.`)
  }
  return Value.Parse(Variables, candidate)
}

function expectation(schema: object): string {
  if ('minimum' in schema && 'maximum' in schema)
    return `a whole number from ${String(schema.minimum)} to ${String(schema.maximum)}`
  if ('anyOf' in schema && Array.isArray(schema.anyOf))
    return `one of ${schema.anyOf.map((option: { const: string }) => option.const).join(', ')}`
  if ('const' in schema) return `"${String(schema.const)}", or left out`
  return 'of the documented form'
}

function publicUrl(variables: Variables, loopback: boolean, problems: string[]): string {
  const value = variables.PUBLIC_URL
  if (value === undefined) return `http://127.0.0.1:${variables.PORT}`
  const url = URL.parse(value)
  if (url === null || url.origin !== value.replace(/\/$/, '') || !/^https?:$/.test(url.protocol))
    problems.push('PUBLIC_URL must be an origin such as https://login.example, without a path.')
  else if (url.protocol !== 'https:' && !(loopback && isLoopback(url.hostname)))
    problems.push('PUBLIC_URL must be https (plain http only to loopback, in development).')
  return url?.origin ?? value
}

function database(variables: Variables, problems: string[]): Config['database'] {
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

function redis(variables: Variables, problems: string[]): Config['redis'] {
  const url = variables.REDIS_URL
  if (
    url !== undefined &&
    !/^(rediss?:\/\/[^,]+(,rediss?:\/\/[^,]+)*|rediss?\+sentinel:\/\/[^/]+\/.+)$/.test(url)
  )
    problems.push(
      'REDIS_URL must be redis://HOST:PORT (several comma-separated for Redis Cluster) or redis+sentinel://HOST:PORT,HOST:PORT/NAME.',
    )
  return { prefix: variables.REDIS_PREFIX, ...(url !== undefined && { url }) }
}

function secretKeys(value: string | undefined, problems: string[]): Buffer[] {
  const keys = (value ?? '')
    .split(',')
    .flatMap((part) => (part.trim() === '' ? [] : [Buffer.from(part.trim(), 'base64')]))
  if (keys.some((key) => key.length !== 32 || new Set(key).size < 8))
    problems.push(
      'SECRET_KEYS must hold base64 of 32 random bytes each, comma-separated (openssl rand -base64 32).',
    )
  return keys
}

function adminTokens(value: string | undefined, problems: string[]): Map<string, string> {
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

function trustProxy(value: string | undefined, problems: string[]): Config['trustProxy'] {
  if (value === undefined) return false
  if (/^[1-9]\d?$/.test(value)) return Number(value)
  const ranges = value.split(',').map((range) => range.trim())
  const valid = (range: string) => {
    const [address = '', bits, ...rest] = range.split('/')
    const family = isIP(address)
    return (
      family > 0 &&
      rest.length === 0 &&
      (bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)))
    )
  }
  if (!ranges.every(valid))
    problems.push(
      'TRUST_PROXY must be a number of hops (1 to 99) or addresses and CIDR ranges; never "true".',
    )
  return ranges
}
