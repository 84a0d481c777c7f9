import type { RedisOptions } from 'ioredis'

/** Where Redis is: one server (found by sentinels, perhaps) or the first nodes of a cluster. */
export type RedisAddress =
  | { readonly kind: 'single'; readonly options: Omit<RedisOptions, 'replyMapping'>; readonly shown: string }
  | {
      readonly kind: 'cluster'
      readonly nodes: readonly { readonly host: string; readonly port: number }[]
      readonly options: Pick<RedisOptions, 'username' | 'password' | 'tls'>
      readonly shown: string
    }

/**
 * Reads REDIS_URL: `redis://[USER:PASSWORD@]HOST[:PORT][/DB]` (`rediss://` by TLS), several of them
 * comma-separated for Redis Cluster, or `redis+sentinel://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]/NAME[/DB]`
 * (user and password are the data servers'; `?sentinelPassword=` and `?sentinelUsername=` for the sentinels').
 * @returns undefined where it is none of these; `shown` names the hosts and holds no password
 */
export function parseRedisUrl(url: string): RedisAddress | undefined {
  if (/^rediss?\+sentinel:\/\//.test(url)) return sentinel(url)
  const urls = url.split(',').map((part) => URL.parse(part.trim()))
  const servers = urls.filter((part) => part !== null)
  const [first] = servers
  if (first === undefined || servers.length !== urls.length) return undefined
  if (!servers.every((server) => /^rediss?:$/.test(server.protocol) && server.hostname !== ''))
    return undefined
  const nodes = servers.map((server) => ({ host: hostOf(server), port: portOf(server, 6379) }))
  const shown = servers.map((server) => server.host).join(', ')
  const options = { ...credentials(first), ...(first.protocol === 'rediss:' && { tls: {} }) }
  const [node] = nodes
  if (nodes.length > 1) return { kind: 'cluster', nodes, options, shown }
  const db = database(first.pathname.slice(1))
  return db === undefined ? undefined : { kind: 'single', options: { ...node, ...options, db }, shown }
}

function sentinel(url: string): RedisAddress | undefined {
  const [scheme = '', rest = ''] = url.split('://')
  const slash = rest.indexOf('/')
  if (slash < 0) return undefined
  const authority = rest.slice(0, slash)
  const at = authority.lastIndexOf('@')
  const hosts = authority.slice(at + 1).split(',')
  const servers = hosts.map((host) => URL.parse(`redis://${host.trim()}`))
  const base = URL.parse(`redis://${authority.slice(0, at + 1)}sentinel${rest.slice(slash)}`)
  if (base === null || servers.includes(null)) return undefined
  const [name = '', db] = base.pathname.slice(1).split('/').map(decodeURIComponent)
  const number = database(db ?? '')
  if (name === '' || number === undefined) return undefined
  const username = base.searchParams.get('sentinelUsername')
  const password = base.searchParams.get('sentinelPassword')
  const options: Omit<RedisOptions, 'replyMapping'> = {
    sentinels: servers.flatMap((server) =>
      server === null ? [] : [{ host: hostOf(server), port: portOf(server, 26379) }],
    ),
    name,
    db: number,
    ...credentials(base),
    ...(username !== null && { sentinelUsername: username }),
    ...(password !== null && { sentinelPassword: password }),
    ...(scheme.startsWith('rediss') && { tls: {}, enableTLSForSentinelMode: true }),
    // Asks every sentinel once, then leaves the waiting to retryStrategy.
    sentinelRetryStrategy: () => null,
    sentinelReconnectStrategy: () => null,
    sentinelCommandTimeout: 1_000,
    failoverDetector: false,
  }
  return { kind: 'single', options, shown: `${hosts.join(', ')} (sentinels of ${name})` }
}

function credentials(url: URL): Pick<RedisOptions, 'username' | 'password'> {
  return {
    ...(url.username !== '' && { username: decodeURIComponent(url.username) }),
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
  }
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1')
}

function portOf(url: URL, fallback: number): number {
  return url.port === '' ? fallback : Number(url.port)
}

function database(text: string): number | undefined {
  if (text === '') return 0
  return /^\d{1,5}$/.test(text) ? Number(text) : undefined
}
