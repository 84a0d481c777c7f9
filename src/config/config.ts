import manifest from '../../package.json' with { type: 'json' }
import type { Deadlines } from '../deadlines.ts'
import { deadlines, siteKept } from '../deadlines.ts'
import type { TrustedProxies } from '../http/client-ip.ts'
import { readTrustedProxies } from '../http/client-ip.ts'
import { readSecretKeys } from '../keys/seal.ts'
import { OperatorError } from '../operator-error.ts'
import { openIdDeclarations, openIdProvider } from '../providers/openid-provider.ts'
import type { ProviderPlugin } from '../providers/provider-plugin.ts'
import type { ProviderDeclaration, ProviderSettings, ProxySettings } from '../providers/settings.ts'
import { isLoopback, readProviders, readProxySettings, unreadProxies } from '../providers/settings.ts'
import type { DatabaseSettings } from '../storage/database-url.ts'
import { readDatabaseSettings } from '../storage/database-url.ts'
import type { RedisSettings } from '../storage/redis-address.ts'
import { readRedisSettings } from '../storage/redis-address.ts'
import type { TracingSettings } from '../tracing/settings.ts'
import { readTracingSettings } from '../tracing/settings.ts'
import type { Environment, Variables } from './variables.ts'
import { convert, trimmed } from './variables.ts'

/** The settings of the process, read once and then passed on. Times are seconds. */
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
  readonly build: Build
  readonly proxy: ProxySettings | undefined
  readonly providers: ReadonlyMap<string, ProviderSettings>
  /** Absent unless the variables of OpenTelemetry ask for traces. */
  readonly tracing: TracingSettings | undefined
  /** Those that OIDC_PROVIDERS adds to the built-in ones. */
  readonly openIdProviders: readonly ProviderPlugin[]
  readonly deadlines: Deadlines
  /** Milliseconds for which a site is remembered, so that a change to it is effective everywhere after two seconds. */
  readonly siteKept: number
  /** Sentences for the log about settings that weaken security and about values that were corrected. */
  readonly warnings: readonly string[]
}

/** Which build of the service this is. */
export interface Build {
  /** Of package.json. */
  readonly version: string
  /** `unknown` where the build did not say it. */
  readonly commit: string
}

/** The configuration cannot be used; `problems` has one sentence per variable that is wrong or missing. */
export class ConfigError extends OperatorError {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`The configuration is not usable:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

/** The variables that strict mode requires; `provider` (at least one) is required in development too. */
export type Need = 'DATABASE_URL' | 'REDIS_URL' | 'SECRET_KEYS' | 'PUBLIC_URL' | 'provider'

const serviceNeeds: readonly Need[] = ['DATABASE_URL', 'REDIS_URL', 'SECRET_KEYS', 'PUBLIC_URL', 'provider']

/**
 * Reads all variables.
 * @param declarations the variables of each provider's plugin; this file names no provider
 * @param needs what strict mode requires; a command of the CLI needs less than the service
 * @throws {ConfigError} naming everything that is wrong or missing at once
 */
export function readConfig(
  env: Environment,
  declarations: readonly ProviderDeclaration[],
  needs: readonly Need[] = serviceNeeds,
): Config {
  const problems: string[] = []
  const listed = openIdDeclarations(env.OIDC_PROVIDERS, declarations, problems)
  const declared = [...declarations, ...listed]
  const { values, warnings } = trimmed(env, declared, problems)
  const mode = values.NODE_ENV === 'development' ? 'development' : 'strict'
  const loopback = mode === 'development'
  // Strict mode does not use SANDBOX_PORT, and Kubernetes sets it to tcp://… for a Service called sandbox.
  const variables = convert(loopback ? values : { ...values, SANDBOX_PORT: undefined }, problems)
  const providers = readProviders(values, declared, { loopback, problems })

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
    database: readDatabaseSettings(variables, problems),
    redis: readRedisSettings(variables, problems),
    secretKeys: readSecretKeys(variables.SECRET_KEYS, problems),
    adminTokens: readAdminTokens(variables.ADMIN_TOKENS, problems),
    trustProxy: readTrustedProxies(variables.TRUST_PROXY, problems),
    logLevel: variables.LOG_LEVEL,
    loginTtl: variables.LOGIN_TTL,
    accessTokenTtl: variables.ACCESS_TOKEN_TTL,
    refreshTokenTtl: variables.REFRESH_TOKEN_TTL,
    refreshGrace: variables.REFRESH_GRACE,
    sessionMaxAge: variables.SESSION_MAX_AGE,
    drainDelay: variables.DRAIN_DELAY,
    tokenAlg: variables.TOKEN_ALG,
    rateLimit: variables.RATE_LIMIT === 'on',
    build: { version: manifest.version, commit: variables.COMMIT ?? 'unknown' },
    proxy: readProxySettings(variables, problems),
    providers,
    tracing: readTracingSettings(values, warnings),
    openIdProviders: listed.flatMap((declaration) => {
      const settings = providers.get(declaration.name)
      return settings === undefined ? [] : [openIdProvider(declaration, settings)]
    }),
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

/** Reads PUBLIC_URL: the origin of every URL that the service gives out. */
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

/**
 * Reads ADMIN_TOKENS.
 * @param problems gets a sentence, without the value, for each entry that cannot be used
 * @returns the name of each token by its SHA-256, lower-case hex
 */
function readAdminTokens(value: string | undefined, problems: string[]): Map<string, string> {
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

/**
 * The settings for the first line of the log, so that an operator who looks into a fault sees which are set and which
 * have their defaults. It has no secret, and no URL of a store, which may contain one. Times are seconds.
 */
export function settingsLine(config: Config) {
  return {
    ...config.build,
    node: process.version,
    mode: config.mode,
    host: config.host,
    port: config.port,
    managementPort: config.managementPort,
    publicUrl: config.publicUrl,
    providers: [...config.providers.keys()],
    database: config.database.url === undefined ? 'embedded' : 'postgresql',
    databasePoolMax: config.database.poolMax,
    databasePooler: config.database.pooler ?? 'none',
    logins: config.redis.url === undefined ? 'memory' : 'redis',
    rateLimit: config.rateLimit,
    trustProxy: config.trustProxy,
    httpsProxy: config.proxy !== undefined,
    traces: config.tracing !== undefined,
    logLevel: config.logLevel,
    tokenAlg: config.tokenAlg,
    loginTtl: config.loginTtl,
    accessTokenTtl: config.accessTokenTtl,
    refreshTokenTtl: config.refreshTokenTtl,
    refreshGrace: config.refreshGrace,
    sessionMaxAge: config.sessionMaxAge,
    drainDelay: config.drainDelay,
  }
}
