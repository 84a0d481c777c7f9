import { createApp } from '../src/app.ts'
import { createSigningKeys } from '../src/keys/ring.ts'
import { createLog } from '../src/log.ts'
import { tryRedis } from '../src/redis-start-check.ts'
import { openDatabase } from '../src/storage/postgres.ts'
import { connectRedis } from '../src/storage/redis.ts'
import { given, listenForBench } from './child.ts'
import { benchConfig } from './config.ts'
import { metricsOf, withoutHistory } from './switched-off.ts'

// The service as in production, with everything on except what BENCH_WITHOUT names: log, metrics, history or limits.
const without = new Set((process.env.BENCH_WITHOUT ?? '').split(','))
const config = benchConfig(given('BENCH_PROVIDER_URL'), {
  RATE_LIMIT: without.has('limits') ? 'off' : 'on',
  LOG_LEVEL: without.has('log') ? 'silent' : 'info',
})
const database = openDatabase({ url: given('BENCH_DATABASE_URL'), poolMax: config.database.poolMax })
const redis = await connectRedis({
  url: given('BENCH_REDIS_URL'),
  prefix: config.redis.prefix,
  tryOut: tryRedis,
  onWarning: () => {},
})
const { log } = createLog(config.logLevel)
const secretKeys = [Buffer.from(given('BENCH_SECRET_KEY'), 'base64')]
const keys = await createSigningKeys({ ...config, database, secretKeys, log })
const { app } = await createApp(config, {
  database,
  redis: without.has('history') ? withoutHistory(redis) : redis,
  keys,
  metrics: metricsOf({ silent: without.has('metrics') }),
  log,
})
await listenForBench(app)
