import type { RedisOptions } from 'ioredis'
import { Cluster, Redis } from 'ioredis'
import type { Deadlines } from '../deadlines.ts'
import type { RedisAddress } from './redis-address.ts'

/** A client that keeps itself connected, and what it met last while it tried to. */
export interface RedisConnection {
  readonly client: Redis | Cluster
  /** The latest failure of a connection; undefined where there was none. */
  readonly failure: () => unknown
}

/** How long a connection and a command may take. */
export type RedisDeadlines = Pick<Deadlines, 'redisConnect' | 'redisCommand'>

/**
 * Opens a client, connected or not. It reconnects for ever, and while it is not connected commands fail at once.
 * No command is sent twice and none later than it was asked for: a claim that was sent again would lose against
 * itself, and one that was sent late would take a login behind its caller's back.
 */
export function openRedis(address: RedisAddress, deadlines: RedisDeadlines): RedisConnection {
  const client = address.kind === 'cluster' ? openCluster(address, deadlines) : openSingle(address, deadlines)
  let failure: unknown
  client.on('error', (error: unknown) => {
    // What a sentinel said tells more than that the end of their list was reached.
    if (failure === undefined || !messageOf(error).startsWith('All sentinels are unreachable'))
      failure = error
  })
  client.on('sentinelError', (error: unknown) => (failure = error))
  return { client, failure: () => failure }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

const common = ({ redisConnect, redisCommand }: RedisDeadlines) =>
  ({
    // RESP2 and no ready check: HELLO, INFO and CLIENT are commands that a restricted user may lack.
    protocol: 2,
    enableReadyCheck: false,
    disableClientInfo: true,
    enableAutoPipelining: true,
    commandTimeout: redisCommand,
    connectTimeout: redisConnect,
    // A server that is halted or cut off answers nothing and closes nothing.
    socketTimeout: redisConnect,
    keepAlive: 10_000,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  }) as const satisfies RedisOptions

function openSingle(address: Exclude<RedisAddress, { kind: 'cluster' }>, deadlines: RedisDeadlines): Redis {
  const options: Omit<RedisOptions, 'replyMapping'> = {
    ...common(deadlines),
    ...address.access,
    ...(address.kind === 'single' ? address.node : bySentinels(address)),
    db: address.db,
    retryStrategy: backOff,
    enableOfflineQueue: false,
    // After a failover this connection leads to a replica, or to a master that has lost its replicas and takes no
    // writes (min-replicas-to-write): a new one leads to where the name, or the sentinels, point now.
    reconnectOnError: (error) => /^(READONLY|NOREPLICAS|MASTERDOWN)/.test(error.message),
  }
  return new Redis(options)
}

function bySentinels(address: Extract<RedisAddress, { kind: 'sentinel' }>) {
  return {
    ...address.sentinelAccess,
    sentinels: [...address.sentinels],
    name: address.name,
    enableTLSForSentinelMode: address.access.tls !== undefined,
    // The list is asked from where the last connection left off, so that its end comes after a failover as well: it
    // begins again at once, and only a whole round in which no sentinel named a master is a reason to wait. A
    // strategy that gives no number ends the client for good.
    sentinelRetryStrategy: (rounds: number) => (rounds === 1 ? 0 : backOff(rounds - 1)),
    sentinelCommandTimeout: 1_000,
    // Those that are named in REDIS_URL alone: what they tell of one another may be an address that leads nowhere from
    // here, and where addresses change, dead ones would pile up for as long as the process lives.
    updateSentinels: false,
    // A connection to each sentinel would tell of a failover a little sooner. A new connection is asked for anyhow when
    // the old master is gone, hangs, or has become a replica (then it closes all connections).
    failoverDetector: false,
  }
}

function openCluster(
  { nodes, access }: Extract<RedisAddress, { kind: 'cluster' }>,
  deadlines: RedisDeadlines,
): Cluster {
  const cluster = new Cluster([...nodes], {
    redisOptions: { ...common(deadlines), ...access },
    enableAutoPipelining: true,
    enableOfflineQueue: false,
    // CLUSTER INFO is a command that a restricted user may lack; a cluster that is down says so to each command.
    enableReadyCheck: false,
    clusterRetryStrategy: backOff,
    // Commands whose node is gone, or whose cluster is down, fail at once. The client would send them again, to
    // another node, and some of them were carried out already. MOVED and ASK are followed: nothing was carried out.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshTimeout: 1_000,
    // Who owns which slot is asked anew so often. Without it the client learns of a failover only from commands that are
    // moved, and not from those that share a pipeline with others, as they do under load.
    slotsRefreshInterval: 1_000,
    // Names stay names, looked up at each connection: by an address no certificate could be checked.
    dnsLookup: (name, found) => found(null, name),
  })
  // By itself it connects to a node at its first command and keeps that command until then, past its deadline if
  // need be.
  cluster.on('+node', (node: Redis) => void node.connect().catch(() => {}))
  return cluster
}

/** Milliseconds: grows to two seconds; jittered, so that a fleet does not come back in step. */
function backOff(times: number): number {
  return Math.min(2_000, 50 * 2 ** Math.min(times, 6)) * (0.5 + Math.random() / 2)
}
