import type { RedisOptions } from 'ioredis'
import { Cluster, Command, Redis } from 'ioredis'
import type { Deadlines } from '../deadlines.ts'
import type { RedisAddress } from './redis-address.ts'
import { messageOf } from './redis-errors.ts'

/**
 * ioredis ends a command by a timer. In a process that goes on after it stood still (a halted machine, a pod that got no
 * processor time) timers fire before answers are read that came long since, and all commands under way would fail. So the end of
 * a command waits until the sockets were read once more. The client of a Cluster makes its connections by itself, so that no
 * subclass would do.
 */
// oxlint-disable-next-line typescript/unbound-method -- it is called with its command below
const startTimer = Command.prototype.setTimeout
Command.prototype.setTimeout = function setPatientTimeout(milliseconds) {
  startTimer.call(this, milliseconds)
  const { reject } = this
  this.reject = (error) => {
    if (error.message === 'Command timed out') setImmediate(reject, error)
    else reject(error)
  }
}

/** A client that reconnects by itself, and the latest error of its connection. */
export interface RedisConnection {
  readonly client: Redis | Cluster
  /** The latest failure of a connection; undefined where there was none. */
  readonly failure: () => unknown
}

/** How long a connection and a command may take. */
export type RedisDeadlines = Pick<Deadlines, 'redisConnect' | 'redisCommand'>

/**
 * Opens a client, which connects and reconnects by itself. While it is not connected, commands fail at once. No command is
 * sent twice: a repeated claim would find the login taken by itself. And no command is sent after it was reported as
 * failed: a late claim would take a login of which the caller knows nothing.
 */
export function openRedis(address: RedisAddress, deadlines: RedisDeadlines): RedisConnection {
  const client = address.kind === 'cluster' ? openCluster(address, deadlines) : openSingle(address, deadlines)
  let failure: unknown
  client.on('error', (error: unknown) => {
    // The error of a single sentinel tells more than the one that all sentinels failed.
    if (failure === undefined || !messageOf(error).startsWith('All sentinels are unreachable'))
      failure = error
  })
  client.on('sentinelError', (error: unknown) => (failure = error))
  return { client, failure: () => failure }
}

const common = ({ redisConnect, redisCommand }: RedisDeadlines) =>
  ({
    // RESP2 and no ready check, because a restricted user may not be allowed HELLO, INFO and CLIENT.
    protocol: 2,
    enableReadyCheck: false,
    disableClientInfo: true,
    enableAutoPipelining: true,
    commandTimeout: redisCommand,
    connectTimeout: redisConnect,
    // A server that is halted or unreachable neither replies nor closes the connection.
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
    // After a failover this connection may lead to a replica, or to a master that lost its replicas and takes no writes
    // (min-replicas-to-write); a new one leads to the server to which the name, or the sentinels, point now.
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
    // The client goes through the list of sentinels from where it last stopped, so the end of the list may come before
    // all were asked. The first time it therefore starts again at once, and it waits only after a whole round in which
    // no sentinel named a master. A strategy that returns no number would end the client for good.
    sentinelRetryStrategy: (rounds: number) => (rounds === 1 ? 0 : backOff(rounds - 1)),
    sentinelCommandTimeout: 1_000,
    // Only the sentinels of REDIS_URL: the addresses that they report of each other may be unreachable from here, and
    // where addresses change, dead ones would accumulate as long as the process runs.
    updateSentinels: false,
    // A connection to each sentinel would report a failover only a little sooner: the client reconnects anyway when the
    // old master is gone, hangs, or has become a replica (which closes all connections).
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
    // A restricted user may not be allowed CLUSTER INFO; a cluster that is down says so in reply to each command.
    enableReadyCheck: false,
    clusterRetryStrategy: backOff,
    // Commands fail at once if their node or the cluster is down. By default the client would send them again to another
    // node, although they may have been carried out. MOVED and ASK are followed, as then nothing was carried out.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshTimeout: 1_000,
    // How often the client asks which node owns which slot. Otherwise it learns of a failover only from commands that are
    // redirected, and not from those in a pipeline with others, as they are under load.
    slotsRefreshInterval: 1_000,
    // Names are resolved at each connection; for an IP address no certificate could be verified.
    dnsLookup: (name, found) => found(null, name),
  })
  // By default the client connects to a node at its first command, which then waits for the connection even beyond its
  // deadline.
  cluster.on('+node', (node: Redis) => void node.connect().catch(() => {}))
  return cluster
}

/** Milliseconds: grows to two seconds, with jitter, so that replicas do not reconnect all at once. */
function backOff(times: number): number {
  return Math.min(2_000, 50 * 2 ** Math.min(times, 6)) * (0.5 + Math.random() / 2)
}
