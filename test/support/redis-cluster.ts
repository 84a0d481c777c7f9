import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type t from 'tap'
import { eventually } from './process.ts'
import { startRedis } from './redis.ts'
import type { RedisServer } from './redis-server.ts'
import { askServer } from './redis-server.ts'

type Test = Pick<typeof t, 'teardown'>

/** A Redis Cluster of three masters with one replica each: the smallest one that survives the loss of a master. */
export interface RedisCluster {
  /** REDIS_URL with three addresses. */
  readonly url: string
  readonly servers: readonly RedisServer[]
  /** The servers that own slots, according to the first one that responds. */
  masters(): Promise<readonly RedisServer[]>
  /** The master of a replica. */
  masterOf(replica: RedisServer): Promise<RedisServer>
  /** Waits until every living server reports owners of all slots without `dead`. */
  elected(dead: RedisServer): Promise<void>
  /** Waits until every master has a replica that is up to date. */
  replicated(): Promise<void>
}

/**
 * Starts the six servers; removed when `test` ends. A node counts as dead after a second without a response.
 * @param more further arguments of each server
 */
export async function startRedisCluster(test: Test, more: readonly string[] = []): Promise<RedisCluster> {
  const args = [
    '--cluster-enabled',
    'yes',
    '--cluster-node-timeout',
    '1000',
    '--repl-diskless-sync-delay',
    '0',
    ...more,
  ]
  const servers = await Promise.all(Array.from({ length: 6 }, () => startRedis(test, args)))
  const hosts = servers.map(({ port }) => `127.0.0.1:${port}`)
  const create = ['--cluster', 'create', ...hosts, '--cluster-replicas', '1', '--cluster-yes']
  await promisify(execFile)('redis-cli', create)

  const ownersBy = async (asked: RedisServer): Promise<readonly RedisServer[]> => {
    const [info, slots] = await askServer(asked.port, (client) =>
      Promise.all([client.cluster('INFO'), client.cluster('SLOTS')]),
    )
    if (!info.includes('cluster_state:ok')) throw new Error(info)
    const ports = new Set(slots.map(([, , owner]) => (Array.isArray(owner) ? owner[1] : undefined)))
    return servers.filter(({ port }) => ports.has(port))
  }
  const masters = () => Promise.any(servers.map(ownersBy))
  const replicated = () =>
    eventually(async () => {
      for (const server of servers) {
        const owners = await ownersBy(server)
        if (owners.length !== 3) throw new Error(`${owners.length} masters`)
        const info = await askServer(server.port, (client) => client.info('replication'))
        const fine = owners.includes(server)
          ? /^slave\d+:.*state=online/m.test(info)
          : /^master_link_status:up/m.test(info)
        if (!fine) throw new Error(info)
      }
    }, 30_000)
  await replicated()
  return {
    url: servers
      .slice(0, 3)
      .map(({ url }) => url)
      .join(','),
    servers,
    masters,
    async masterOf(replica) {
      const role: unknown = await askServer(replica.port, (client) => client.role())
      const found = servers.find(({ port }) => Array.isArray(role) && role[2] === port)
      if (found === undefined) throw new Error('It is no replica.')
      return found
    },
    elected: (dead) =>
      eventually(async () => {
        for (const server of servers)
          if (server !== dead && (await ownersBy(server)).includes(dead)) throw new Error('no new owner yet')
      }, 30_000),
    replicated,
  }
}
