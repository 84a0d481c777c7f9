import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import type { FastifyBaseLogger } from 'fastify'
import type { Cluster, Redis } from 'ioredis'
import { pino } from 'pino'
import type t from 'tap'
import type { ProviderDouble } from '../../sandbox/doubles/double.ts'
import { serveDouble } from '../../sandbox/doubles/double.ts'
import type { DoubleName, Doubles } from '../../sandbox/doubles/index.ts'
import { envOf, serveDoubles } from '../../sandbox/doubles/index.ts'
import { createApp, providers } from '../../src/app.ts'
import type { Config } from '../../src/config/config.ts'
import { readConfig } from '../../src/config/config.ts'
import type { Environment } from '../../src/config/variables.ts'
import type { Deadlines } from '../../src/deadlines.ts'
import { createMetrics } from '../../src/http/metrics.ts'
import type { SigningKeys } from '../../src/keys/ring.ts'
import { createSigningKeys } from '../../src/keys/ring.ts'
import { errorForLog } from '../../src/log.ts'
import { tryRedis } from '../../src/redis-start-check.ts'
import { addSite } from '../../src/sites/store.ts'
import { connectRedis } from '../../src/storage/redis.ts'
import type { TestDatabase } from './database.ts'
import { testDatabase } from './database.ts'
import { patient } from './deadlines.ts'
import { eventually, freePort } from './process.ts'

type Test = Pick<typeof t, 'teardown'>

/** The service's PUBLIC_URL. The tests reach it at `url` instead. */
export const publicUrl = 'http://127.0.0.1:3000'

/** The redirect URL that the tests' site registers. */
export const redirectUrl = 'https://client.example/oauth/return'

/** The whole public service with a real socket, a real database and a double of every provider. */
export interface TestService {
  /** The URL where it listens. */
  readonly url: string
  readonly config: Config
  readonly database: TestDatabase
  readonly doubles: Readonly<Record<DoubleName, ProviderDouble>>
  readonly site: { readonly id: string; readonly secret: string }
  /** All lines of its log. */
  readonly log: readonly string[]
  readonly metrics: ReturnType<typeof createMetrics>
  readonly keys: SigningKeys
  /** Absent if logins are stored in memory. */
  readonly redis?: Redis | Cluster
  /** What a management server needs. */
  readonly managed: Omit<Awaited<ReturnType<typeof createApp>>, 'app'> & { readonly log: FastifyBaseLogger }
  close(): Promise<void>
}

/** What a test may change. */
export interface TestServiceOptions {
  readonly env?: Environment
  /** Stores logins in this Redis instead of memory. */
  readonly redis?: { readonly url: string; readonly prefix: string }
  readonly database?: TestDatabase
  readonly secretKeys?: readonly Buffer[]
  /** The doubles to use; new ones by default. A second replica shares those of the first one. */
  readonly doubles?: TestService['doubles']
  readonly site?: TestService['site']
  /** Makes PUBLIC_URL the URL where it listens, which clients that use discovery require: at this port, or at a free one. */
  readonly reachable?: boolean | number
  /** The clock of its signing keys. */
  readonly now?: () => number
  /** Long ones by default; a test of deadlines passes the service's own (src/deadlines.ts). */
  readonly deadlines?: Deadlines
  /** Milliseconds for which a site is cached. */
  readonly siteKept?: number
}

/** Starts a double of every provider, registered for the callbacks of a service with this PUBLIC_URL. */
export async function startDoubles(test: Test, origin = publicUrl): Promise<Doubles> {
  return serveDoubles(async (rules) => {
    const redirectUris = [`${origin}/api/v1/oauth/callback/${rules.name}`]
    const double = await serveDouble(rules, { redirectUris })
    test.teardown(() => double.close())
    return double
  })
}

/** The key that seals the test services' signing keys. */
export const sharedSecretKeys = [randomBytes(32)]

/** Starts the service. When `test` ends it is closed, also if the start failed halfway. */
export async function startTestService(test: Test, options: TestServiceOptions = {}): Promise<TestService> {
  const { reachable = false } = options
  const listenAt = reachable === true ? await freePort() : Number(reachable)
  const origin = listenAt === 0 ? publicUrl : `http://127.0.0.1:${listenAt}`
  const deadlines = options.deadlines ?? patient
  const database = options.database ?? (await testDatabase(test, 10, deadlines))
  const doubles = options.doubles ?? (await startDoubles(test, origin))
  const opened: (() => unknown)[] = []
  let closed: Promise<void> | undefined
  const close = async () => {
    for (const one of opened.toReversed()) await one()
  }
  const closeOnce = () => (closed ??= close())
  test.teardown(closeOnce)
  const fromEnvironment = readConfig(
    {
      NODE_ENV: 'development',
      PUBLIC_URL: origin,
      ...envOf(doubles),
      ...(options.redis && { REDIS_URL: options.redis.url, REDIS_PREFIX: options.redis.prefix }),
      ...options.env,
    },
    providers,
  )
  const config = {
    ...fromEnvironment,
    deadlines,
    ...(options.siteKept !== undefined && { siteKept: options.siteKept }),
  }
  const lines: string[] = []
  const log = pino(
    {
      level: 'trace',
      serializers: {
        err: (error: unknown) => errorForLog(error),
        req: () => undefined,
        res: () => undefined,
      },
    },
    { write: (line: string) => void lines.push(line) },
  )
  // With the service's own deadlines a busy machine may be late with a connection: the start is no part of the test.
  const redis =
    options.redis &&
    (await connectRedis({
      ...options.redis,
      tryOut: tryRedis,
      onWarning: () => {},
      deadlines: { ...deadlines, redisReady: patient.redisReady },
    }))
  opened.push(() => redis?.disconnect())
  await eventually(() => database.pool.query('SELECT'))
  const secretKeys = options.secretKeys ?? sharedSecretKeys
  const keys = await createSigningKeys({
    ...config,
    database,
    secretKeys,
    log,
    ...(options.now && { now: options.now }),
  })
  opened.push(() => keys.close())
  const metrics = createMetrics()
  const { app, ...managed } = await createApp(config, {
    database,
    keys,
    metrics,
    log,
    ...(redis && { redis }),
  })
  opened.push(() => app.close())
  await app.listen({ host: '127.0.0.1', port: listenAt })
  const { port } = app.server.address() as AddressInfo
  const site = options.site ?? (await registerSite(database, redirectUrl))
  return {
    url: `http://127.0.0.1:${port}`,
    config,
    database,
    doubles,
    site,
    log: lines,
    metrics,
    keys,
    ...(redis && { redis }),
    managed: { ...managed, log },
    close: closeOnce,
  }
}

/** Registers a site that may use every provider. */
export async function registerSite(
  database: TestDatabase,
  url: string,
  requireSecret = false,
  postLogoutRedirectUrls: readonly string[] = [],
) {
  const { id, secret } = await addSite(
    database,
    {
      name: `site ${randomBytes(6).toString('hex')}`,
      redirectUrls: [url],
      requireSecret,
      postLogoutRedirectUrls,
    },
    { providers: providers.map(({ name }) => name), loopback: true },
  )
  return { id, secret }
}
