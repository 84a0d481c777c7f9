import manifest from '../../package.json' with { type: 'json' }
import type { Config } from './config.ts'

/**
 * What the process runs on, for the first line of its log: whoever looks into a fault sees what was set, and what a
 * forgotten variable left at its default. No secret, and no address of a store, as those may hold one. Times are seconds.
 */
export function settingsLine(config: Config) {
  return {
    version: manifest.version,
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
