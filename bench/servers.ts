import { randomBytes } from 'node:crypto'
import { totalmem } from 'node:os'
import { Client } from 'pg'
import { providers } from '../src/app.ts'
import { addSite } from '../src/sites/store.ts'
import { migrate } from '../src/storage/migrate.ts'
import { openDatabase } from '../src/storage/postgres.ts'
import { startPostgres } from '../test/support/postgres-server.ts'
import { startRedisServer } from '../test/support/redis-server.ts'
import type { Program } from './program.ts'
import { startProgram } from './program.ts'

/** PostgreSQL, Redis and the provider, each in processes of its own, for everything that is measured. */
export interface Servers {
  readonly provider: Program
  /** A superuser's URL of PostgreSQL. */
  readonly postgresUrl: string
  /** A Redis database of its own, empty. */
  redis(): string
  /** A PostgreSQL database of its own, empty. @returns its URL */
  emptyDatabase(): Promise<string>
  /** Both, with the schema and a site: what the service and its floors are started with. */
  environment(): Promise<Environment>
  end(): Promise<void>
}

/** The variables of a measured program. */
export type Environment = Readonly<{
  BENCH_DATABASE_URL: string
  BENCH_REDIS_URL: string
  BENCH_PROVIDER_URL: string
  BENCH_SITE_ID: string
  /** base64, for the service's signing keys. */
  BENCH_SECRET_KEY: string
}>

/** As in production: a COMMIT waits for the disk, and a quarter of the memory is PostgreSQL's cache, as its manual advises. */
const durable = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  shared_buffers: `${Math.floor(totalmem() / 4 / 2 ** 20)}MB`,
  max_wal_size: '2GB',
  max_connections: '400',
}

/** Starts them on free ports of loopback. They end with this process, also where it is told to end early. */
export async function startServers(): Promise<Servers> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  const postgres = await startPostgres(durable)
  const redis = await startRedisServer(['--databases', '64'])
  const provider = await startProgram({ script: 'provider.ts' })
  let redisDatabases = 0
  let databases = 0
  const servers = {
    provider,
    postgresUrl: postgres.url,
    redis: () => `${redis.url}/${redisDatabases++}`,
    async emptyDatabase() {
      const name = `bench_${++databases}`
      const client = new Client({ connectionString: postgres.url })
      await client.connect()
      await client.query(`CREATE DATABASE ${name}`)
      await client.end()
      return Object.assign(new URL(postgres.url), { pathname: name }).href
    },
    async environment() {
      const url = await servers.emptyDatabase()
      await migrate(url)
      return {
        BENCH_DATABASE_URL: url,
        BENCH_REDIS_URL: servers.redis(),
        BENCH_PROVIDER_URL: provider.url,
        BENCH_SITE_ID: await registerSite(url),
        BENCH_SECRET_KEY: randomBytes(32).toString('base64'),
      }
    },
    async end() {
      await provider.end()
      await Promise.all([postgres.remove(), redis.remove()])
    },
  }
  return servers
}

/** The factor puts every limit of the site out of the bench's reach; all requests are counted all the same. */
async function registerSite(url: string): Promise<string> {
  const database = openDatabase({ url, poolMax: 1 })
  try {
    const site = { name: 'bench', redirectUrls: ['https://site.example/return'], limitFactor: 1_000 }
    const rules = { loopback: true, providers: providers.map(({ name }) => name) }
    return (await addSite(database, site, rules)).id
  } finally {
    await database.close()
  }
}
