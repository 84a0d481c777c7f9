import { isIPv6 } from 'node:net'
import type { RedisOptions } from 'ioredis'

type Access = Pick<RedisOptions, 'username' | 'password' | 'tls'>

interface Node {
  readonly host: string
  readonly port: number
}

/** Where Redis is: one server, the sentinels that know one, or the first nodes of a cluster. */
export type RedisAddress =
  | {
      readonly kind: 'single'
      readonly node: Node
      readonly access: Access
      readonly db: number
      readonly shown: string
    }
  | {
      readonly kind: 'sentinel'
      readonly sentinels: readonly Node[]
      /** The name of the master in the sentinels. */
      readonly name: string
      readonly access: Access
      /** The credentials of the sentinels themselves. */
      readonly sentinelAccess: Pick<RedisOptions, 'sentinelUsername' | 'sentinelPassword'>
      readonly db: number
      readonly shown: string
    }
  | {
      readonly kind: 'cluster'
      readonly nodes: readonly Node[]
      readonly access: Access
      readonly shown: string
    }

/** REDIS_URL cannot be used; `message` is the rest of a sentence after the variable's name, and has no part of a password. */
export class RedisUrlError extends Error {
  override readonly name = 'RedisUrlError'
}

/**
 * Reads REDIS_URL: `redis://[USER:PASSWORD@]HOST[:PORT][/DB]` (`rediss://` by TLS), several of them
 * comma-separated for Redis Cluster, or `redis+sentinel://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]/NAME[/DB]`
 * (user and password are those of the data servers; `?sentinelUsername=` and `?sentinelPassword=` those of the sentinels).
 * Parts that would be ignored are refused. `shown` names the hosts and has no password.
 * @throws {RedisUrlError}
 */
export function parseRedisUrl(url: string): RedisAddress {
  if (/\s/.test(url.replaceAll(/,\s+/g, ','))) refuse('has a blank in it.')
  const sentinel = /^redis(s?)\+sentinel:\/\/(.*)$/.exec(url)
  if (sentinel !== null) return sentinels(sentinel[2] ?? '', sentinel[1] === 's')
  const parts = url.split(/,\s*(?=rediss?:\/\/)/).map((part) => /^redis(s?):\/\/(.*)$/.exec(part))
  const servers = parts.map((part) => {
    if (part === null)
      return refuse(
        'must be redis://HOST:PORT (several comma-separated for Redis Cluster) or redis+sentinel://HOST:PORT,HOST:PORT/NAME.',
      )
    return server(part[2] ?? '', part[1] === 's')
  })
  const [first = refuse('is empty.')] = servers
  const shown = servers.map(({ shown }) => shown).join(', ')
  if (servers.length === 1) {
    const { node, access } = first
    return { kind: 'single', node, access, db: database(first.path), shown }
  }
  for (const { path, access } of servers) {
    if (database(path) !== 0) refuse('has a database number, but Redis Cluster has database 0 alone.')
    if (
      (access.tls === undefined) !== (first.access.tls === undefined) ||
      (access.password !== undefined && access.password !== first.access.password) ||
      (access.username !== undefined && access.username !== first.access.username)
    )
      refuse('must give all addresses of a Redis Cluster the same scheme, user and password.')
  }
  return { kind: 'cluster', nodes: servers.map(({ node }) => node), access: first.access, shown }
}

function refuse(flaw: string): never {
  throw new RedisUrlError(flaw)
}

/** `[USER:PASSWORD@]HOST[:PORT][/DB]` */
function server(rest: string, tls: boolean) {
  const { credentials, hosts, path, query } = divided(rest)
  if (query !== '')
    refuse(
      `has the parameter "${query.split(/[=&]/, 1)[0]}", which nothing reads: remove everything after the "?".`,
    )
  if (hosts.includes(','))
    refuse(
      'must repeat redis:// before each address of a Redis Cluster, and write a comma in its password as %2C.',
    )
  const node = host(hosts, 6379)
  return { node, access: { ...credentials, ...(tls && { tls: {} }) }, path, shown: hosts }
}

/** `[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]/NAME[/DB][?sentinelPassword=…]` */
function sentinels(rest: string, tls: boolean): RedisAddress {
  const { credentials, hosts, path, query } = divided(rest)
  const named = hosts.split(/,\s*/)
  const [name = '', db = '', ...more] = path.split('/')
  if (name === '')
    refuse('must name the master after the sentinels: redis+sentinel://HOST:PORT,HOST:PORT/NAME.')
  if (more.length > 0) refuse('has more than a name and a database number after the sentinels.')
  const sentinelAccess: { sentinelUsername?: string; sentinelPassword?: string } = {}
  for (const pair of query === '' ? [] : query.split('&')) {
    const [key = '', value = ''] = pair.split(/=(.*)/s)
    if (key !== 'sentinelUsername' && key !== 'sentinelPassword')
      // What follows a raw "&" of a password looks like a parameter: only one that has a value is named.
      return refuse(
        `has ${pair.includes('=') ? `the parameter "${key}"` : 'a parameter'}, which nothing reads: only sentinelUsername and sentinelPassword are known, and an "&" in a value is written %26.`,
      )
    if (sentinelAccess[key] !== undefined) refuse(`has the parameter ${key} twice.`)
    sentinelAccess[key] = decoded(value, key)
  }
  const master = decoded(name, "master's name")
  return {
    kind: 'sentinel',
    sentinels: named.map((one) => host(one, 26379)),
    name: master,
    access: { ...credentials, ...(tls && { tls: {} }) },
    sentinelAccess,
    db: database(db),
    shown: `${named.join(', ')} (sentinels of ${master})`,
  }
}

/** Divides what follows `//` into its parts, and refuses raw characters that would divide it in the wrong places. */
function divided(rest: string) {
  // The password of the sentinels may have a raw "@", as it is at the end.
  const beforeQuery = rest.split(/\?sentinel(?:Username|Password)=/, 1)[0] ?? ''
  const raw = /[/?#]/.exec(beforeQuery.slice(0, Math.max(0, beforeQuery.lastIndexOf('@'))))?.[0]
  if (raw !== undefined)
    refuse(`has a raw "${raw}" in its user or password: write ${encodeURIComponent(raw)} in its place.`)
  if (rest.includes('#')) refuse('has a raw "#" in it: write %23 in a password, or leave it out.')
  const [, authority = '', path = '', query = ''] = /^([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(rest) ?? []
  const at = authority.lastIndexOf('@')
  const [user = '', password = ''] = authority.slice(0, Math.max(0, at)).split(/:(.*)/s)
  const credentials = {
    ...(user !== '' && { username: decoded(user, 'user') }),
    ...(password !== '' && { password: decoded(password, 'password') }),
  }
  return { credentials, hosts: authority.slice(at + 1), path, query }
}

function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return refuse(`has a raw "%" in its ${what}: write %25 in its place.`)
  }
}

/** `HOST[:PORT]`, an IPv6 address in brackets. */
function host(text: string, fallback: number): Node {
  const [, bracketed, plain = '', port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/s.exec(text) ?? []
  const name = bracketed ?? plain
  if (bracketed === undefined && text.split(':').length > 2)
    refuse('must have an IPv6 address in brackets: redis://[::1]:6379.')
  if (name === '') refuse('has no host.')
  if (bracketed === undefined ? !/^[\p{L}\p{N}._-]+$/u.test(name) : !isIPv6(name))
    refuse('has a host that is neither a name nor an address.')
  const number = port === undefined ? fallback : Number(/^\d{1,5}$/.test(port) ? port : Number.NaN)
  if (!(number >= 1 && number <= 65_535)) refuse('has a port that is no number from 1 to 65535.')
  return { host: name, port: number }
}

function database(text: string): number {
  if (text === '') return 0
  return /^\d{1,5}$/.test(text)
    ? Number(text)
    : refuse('has something after the host that is no database number.')
}

/** How Redis is reached; `url` may be absent in development, where logins are then kept in memory. */
export interface RedisSettings {
  readonly url?: string
  readonly prefix: string
}

/**
 * Reads the variables of Redis.
 * @param problems gets a sentence, without the value, where REDIS_URL cannot be used
 */
export function readRedisSettings(
  variables: { readonly REDIS_URL?: string; readonly REDIS_PREFIX: string },
  problems: string[],
): RedisSettings {
  const url = variables.REDIS_URL
  try {
    if (url !== undefined) parseRedisUrl(url)
  } catch (error) {
    if (!(error instanceof RedisUrlError)) throw error
    problems.push(`REDIS_URL ${error.message}`)
  }
  return { prefix: variables.REDIS_PREFIX, ...(url !== undefined && { url }) }
}
