import type t from 'tap'
import { eventually } from './process.ts'
import { startRedis, startSentinel } from './redis.ts'
import type { RedisServer } from './redis-server.ts'
import { askServer } from './redis-server.ts'

type Test = Pick<typeof t, 'teardown'>

/** A master with two replicas, watched by three sentinels: the smallest set that can elect a new master. */
export interface SentinelSet {
  /** REDIS_URL. */
  readonly url: string
  /** The data servers; the first is the master at the beginning. */
  readonly servers: readonly RedisServer[]
  readonly sentinels: readonly RedisServer[]
  /** The data server that the first responding sentinel names as master. */
  master(): Promise<RedisServer>
  /** Waits until the sentinels name another master than `old`. */
  elected(old: RedisServer): Promise<RedisServer>
  /** Waits until the master has `count` replicas that are up to date. */
  replicated(count: number): Promise<void>
}

const name = 'main'

/** Starts the six servers; removed when `test` ends. */
export async function startSentinelSet(test: Test): Promise<SentinelSet> {
  const first = await startRedis(test, ['--repl-diskless-sync-delay', '0'])
  const replica = ['--repl-diskless-sync-delay', '0', '--replicaof', '127.0.0.1', String(first.port)]
  const others = await Promise.all([0, 1].map(() => startRedis(test, replica)))
  const servers = [first, ...others]
  const sentinels = await Promise.all([0, 1, 2].map(() => startSentinel(test, first.port, name)))

  const master = async () => {
    for (const { port } of sentinels) {
      const answer = await askServer(port, (client) =>
        client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name),
      ).catch(() => undefined)
      const found = servers.find((server) => String(server.port) === answerAt(answer, 1))
      if (found !== undefined) return found
    }
    throw new Error('No sentinel names a master.')
  }
  const replicated = (count: number) =>
    eventually(async () => {
      const { port } = await master()
      const info = await askServer(port, (client) => client.info('replication'))
      const online = info.match(/^slave\d+:.*state=online/gm)?.length ?? 0
      if (online !== count) throw new Error(`${online} replicas are up to date`)
    }, 30_000)
  await replicated(2)
  // An election is possible when the sentinels know one another and both replicas.
  await eventually(async () => {
    for (const { port } of sentinels) {
      const info = await askServer(port, (client) => client.info('sentinel'))
      if (!/status=ok,.*slaves=2,sentinels=3/.test(info)) throw new Error(info)
    }
  }, 30_000)
  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${name}`,
    servers,
    sentinels,
    master,
    replicated,
    elected: (old) =>
      eventually(async () => {
        const now = await master()
        if (now === old) throw new Error('The old master is still the master.')
        return now
      }, 30_000),
  }
}

function answerAt(answer: unknown, index: number): unknown {
  return Array.isArray(answer) ? answer[index] : undefined
}
