import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { createApp, providers } from '../src/app.ts'
import { readConfig } from '../src/config/config.ts'
import { createMetrics } from '../src/http/metrics.ts'
import { createSigningKeys } from '../src/keys/ring.ts'
import { createLog } from '../src/log.ts'
import { tryRedis } from '../src/redis-start-check.ts'
import { addSite } from '../src/sites/store.ts'
import { migrate } from '../src/storage/migrate.ts'
import { openDatabase } from '../src/storage/postgres.ts'
import { connectRedis } from '../src/storage/redis.ts'

// The service as in production, except for rate limits, which would otherwise be all that is measured.
const {
  BENCH_DATABASE_URL: url = '',
  BENCH_REDIS_URL: redisUrl = '',
  BENCH_PROVIDER_URL: provider = '',
} = process.env
const config = readConfig(
  {
    NODE_ENV: 'development',
    RATE_LIMIT: 'off',
    LOG_LEVEL: 'info',
    YANDEX_CLIENT_ID: 'bench',
    YANDEX_CLIENT_SECRET: 'bench',
    YANDEX_AUTHORIZE_URL: `${provider}/authorize`,
    YANDEX_TOKEN_URL: `${provider}/token`,
    YANDEX_USERINFO_URL: `${provider}/info`,
  },
  providers,
)
await migrate(url)
const database = openDatabase({ url, poolMax: config.database.poolMax })
const redis = await connectRedis({
  url: redisUrl,
  prefix: config.redis.prefix,
  tryOut: tryRedis,
  onWarning: () => {},
})
const { log } = createLog(config.logLevel)
const keys = await createSigningKeys({ ...config, database, secretKeys: [randomBytes(32)], log })
await addSite(
  database,
  { name: 'bench', redirectUrls: ['https://site.example/return'] },
  { loopback: true, providers: providers.map(({ name }) => name) },
)
const { app } = await createApp(config, { database, redis, keys, metrics: createMetrics(() => ({})), log })
await app.listen({ host: '127.0.0.1', port: 0 })
const { port } = app.server.address() as AddressInfo
process.once('SIGINT', () => process.exit())
process.send?.(`http://127.0.0.1:${port}`)
