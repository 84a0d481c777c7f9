import type { ProviderDeclaration, ProviderSettings } from '../providers/settings.ts'
import { isLoopback, readProviders } from '../providers/settings.ts'
import type { Environment } from './environment.ts'
import { convert, trimmed } from './environment.ts'
import type { DatabaseSettings, ProxySettings, RedisSettings, TrustedProxies } from './values.ts'
import {
  adminTokens,
  database,
  proxy,
  publicUrl,
  redis,
  secretKeys,
  trustProxy,
  unreadProxies,
} from './values.ts'

/** What the process runs on: read once, passed on, never looked up again. Times are seconds. */
export interface Config {
  readonly mode: 'strict' | 'development'
  readonly host: string
  readonly port: number
  readonly managementHost: string
  readonly managementPort: number
  readonly sandboxPort: number
  /** An origin: no path, no trailing slash. */
  readonly publicUrl: string
  readonly database: DatabaseSettings
  readonly redis: RedisSettings
  /** 32 bytes each, newest first; empty in development until `.data/secret-keys` is made. */
  readonly secretKeys: readonly Buffer[]
  /** Name by SHA-256 of the token, lower-case hex. */
  readonly adminTokens: ReadonlyMap<string, string>
  readonly trustProxy: TrustedProxies
  readonly logLevel: string
  readonly loginTtl: number
  readonly accessTokenTtl: number
  readonly refreshTokenTtl: number
  readonly refreshGrace: number
  readonly sessionMaxAge: number
  readonly drainDelay: number
  readonly tokenAlg: 'EdDSA' | 'ES256'
  readonly rateLimit: boolean
  readonly proxy: ProxySettings | undefined
  readonly providers: ReadonlyMap<string, ProviderSettings>
  readonly deadlines: Deadlines
  /** Milliseconds that a site is remembered, so that a change to it holds everywhere after two seconds. */
  readonly siteKept: number
  /** Loosened settings and mended values, for the log. */
  readonly warnings: readonly string[]
}

/**
 * Milliseconds. Each inner deadline is the lesser of its own and what is left of its request's. No variable sets them:
 * they are what the service promises to its callers. Only tests that are about something else have longer ones.
 */
export interface Deadlines {
  /** The requests of a login, and the refresh of its tokens. */
  readonly start: number
  readonly callback: number
  readonly finish: number
  readonly refresh: number
  /** The first usable connection, when the process starts. */
  readonly redisReady: number
  /** A new connection; also the silence of one that owes an answer. */
  readonly redisConnect: number
  readonly redisCommand: number
  /** A connection out of the pool, be it a new one. */
  readonly databaseAcquire: number
  readonly databaseStatement: number
  readonly providerConnect: number
  /** A whole answer, its body included. */
  readonly providerAnswer: number
}

/** The service's own deadlines. */
export const deadlines: Deadlines = {
  start: 2_000,
  callback: 1_000,
  finish: 10_000,
  refresh: 2_000,
  redisReady: 5_000,
  redisConnect: 2_000,
  redisCommand: 500,
  databaseAcquire: 1_000,
  databaseStatement: 2_000,
  providerConnect: 2_000,
  providerAnswer: 5_000,
}

/** Milliseconds: how long a site is remembered. */
export const siteKept = 1_900

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

export type { Environment } from './environment.ts'

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
  const { values, warnings } = trimmed(env, declarations, problems)
  const mode = values.NODE_ENV === 'development' ? 'development' : 'strict'
  const loopback = mode === 'development'
  // Kubernetes sets it to tcp://… for a Service called sandbox; strict mode has no use for it.
  const variables = convert(loopback ? values : { ...values, SANDBOX_PORT: undefined }, problems)
  const providers = readProviders(values, declarations, { loopback, problems })

  if (mode === 'strict') {
    for (const name of needs)
      if (name !== 'provider' && values[name] === undefined) problems.push(`${name} is missing.`)
  }
  if (needs.includes('provider') && providers.size === 0)
    problems.push(
      `No provider is configured: set CLIENT_ID and CLIENT_SECRET of at least one, as in ${declarations[0]?.name.toUpperCase()}_CLIENT_ID.`,
    )
  warnings.push(...unreadProxies(values))
  const host = variables.HOST ?? (loopback ? '127.0.0.1' : '::')
  const config = {
    mode,
    host,
    port: variables.PORT,
    managementHost: variables.MANAGEMENT_HOST ?? host,
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
    proxy: proxy(variables, problems),
    providers,
    deadlines,
    siteKept,
    warnings,
  } satisfies Config
  if (loopback && !isLoopback(config.host))
    warnings.push(
      `HOST=${config.host} with NODE_ENV=development: other computers may reach a service that is not in strict mode.`,
    )
  if (!config.rateLimit) warnings.push('RATE_LIMIT=off: anybody may call as often as they like.')
  for (const [name, provider] of providers)
    if (!provider.pkce)
      warnings.push(`${name.toUpperCase()}_PKCE=off: a leaked code of ${name} could be used.`)
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}
