import { readFileSync } from 'node:fs'

const files = ['sslrootcert', 'sslcert', 'sslkey'] as const

const understood = [
  'schema',
  'sslmode',
  ...files,
  'sslnegotiation',
  'application_name',
  'host',
  'port',
] as const

const form = 'postgresql://USER:PASSWORD@HOST:5432/NAME'

/**
 * Checks the URL of a database. Parameters that would be ignored are refused, and repeated ones too: of two values of
 * `sslmode` the weaker could win.
 * @param url postgresql://USER:PASSWORD@HOST:5432/NAME?schema=…&sslmode=…
 * @param pooler the value of DATABASE_POOLER
 * @returns the end of a sentence about what is wrong, without URL or password; undefined where it can be used
 */
export function checkDatabaseUrl(url: string, pooler?: 'transaction'): string | undefined {
  if (!/^postgres(ql)?:\/\//.test(url)) return `must be of the form ${form}.`
  if (url.includes('#')) return 'holds a #: it must be percent-encoded as %23.'
  if (!isEncoded(url)) return 'is not percent-encoded rightly: % must be %25, and other characters UTF-8.'
  const authority = url.slice(url.indexOf('//') + 2).split(/[/?]/, 1)[0] ?? ''
  if (authority.slice(authority.lastIndexOf('@') + 1).includes(',')) return severalHosts
  const parsed = parse(url)
  if (parsed === null)
    return 'is not a URL: special characters in user name or password must be percent-encoded, a port is 1 to 65535.'
  const name = parsed.pathname.slice(1)
  if (name === '') return `must name a database: ${form}.`
  // A slash that is not encoded ends the authority in the middle of the password.
  if (/[/@]/.test(name))
    return 'has a name of the database with / or @ in it: in user name and password they must be percent-encoded.'
  return checkQuery(parsed.searchParams) ?? checkPlace(parsed) ?? checkSchema(parsed, pooler)
}

const severalHosts = 'must name one host: several are not supported; use an address that follows the primary.'

/** Whether the URL can be decoded as UTF-8 (RFC 3986 §2.1, as libpq and pg do) to a text without NUL. */
function isEncoded(url: string): boolean {
  try {
    return !decodeURIComponent(url).includes('\0')
  } catch {
    return false
  }
}

/**
 * Parses a URL as libpq does: the host before the path may be missing, which the URL standard does not allow. The host
 * that is inserted is never used, as `host` in the query has precedence and checkPlace requires it.
 */
function parse(url: string): URL | null {
  return URL.parse(url.replace(/^([a-z]+:\/\/[^/?]*@)(?=[/?]|$)/, '$1nowhere.invalid'))
}

function checkQuery(query: URLSearchParams): string | undefined {
  for (const name of query.keys()) {
    if (!understood.some((known) => known === name)) {
      // Any other text after a question mark may be the end of a password.
      const shown = /^\w+$/.test(name) ? `: ${name}` : ''
      return `has a parameter that is not supported${shown}. Supported are ${understood.join(', ')}.`
    }
    if (query.getAll(name).length > 1) return `has the parameter ${name} twice: say it once.`
  }
  return undefined
}

function checkPlace(url: URL): string | undefined {
  const { searchParams: query } = url
  const host = query.get('host') ?? decodeURIComponent(url.hostname)
  if (host === '' || host === 'nowhere.invalid')
    return `must name a host, or the folder of a Unix socket as in ?host=/run/postgresql: ${form}.`
  if (host.includes(',')) return severalHosts
  const port = query.get('port')
  if (port !== null && !(/^\d{1,5}$/.test(port) && Number(port) > 0 && Number(port) < 65_536))
    return 'has a port that is none: it is one number from 1 to 65535.'
  return checkTls(query, host.startsWith('/'))
}

function checkSchema({ searchParams }: URL, pooler: 'transaction' | undefined): string | undefined {
  const schema = searchParams.get('schema')
  if (schema === null) return undefined
  // The name is put into start-up parameters without quotation marks.
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema))
    return 'has a schema whose name is not lower-case letters, digits and underscores.'
  return pooler === undefined
    ? undefined
    : 'cannot choose a schema behind a pooler in transaction mode: set search_path on the database role.'
}

function checkTls(query: URLSearchParams, socket: boolean): string | undefined {
  const mode = query.get('sslmode')
  const negotiation = query.get('sslnegotiation')
  if (mode !== null && !['disable', 'require', 'verify-ca', 'verify-full'].includes(mode))
    return 'has an sslmode that is not supported: use disable, require, verify-ca or verify-full.'
  if (negotiation !== null && !['postgres', 'direct'].includes(negotiation))
    return 'has an sslnegotiation that is not supported: use postgres or direct.'
  const named = [...files, 'sslnegotiation'].filter((name) => query.has(name))
  if (mode === 'disable' && named.length > 0)
    return `has sslmode=disable and ${named.join(', ')}: without TLS they mean nothing, so drop the one or the other.`
  if (socket && ((mode !== null && mode !== 'disable') || named.length > 0))
    return 'asks for TLS on a Unix socket, where PostgreSQL has none: drop sslmode and what belongs to it.'
  if (query.get('sslrootcert') === 'system')
    return 'has sslrootcert=system, which is not supported: leave it out, as sslmode=verify-full trusts the public authorities by itself.'
  if (mode === 'verify-ca' && query.get('sslrootcert') === null)
    return 'needs sslrootcert for sslmode=verify-ca; with a public authority use verify-full.'
  if (query.has('sslcert') !== query.has('sslkey'))
    return 'needs both sslcert and sslkey for a certificate of the client.'
  for (const name of files) {
    const flaw = checkFile(query.get(name))
    if (flaw !== undefined) return `names a file in ${name} that ${flaw}.`
  }
  return undefined
}

/** Checks the file now, because pg reads it only for each connection and accepts any content. */
function checkFile(path: string | null): string | undefined {
  if (path === null) return undefined
  try {
    return readFileSync(path, 'latin1').includes('-----BEGIN ') ? undefined : 'is not in the format PEM'
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    return missing ? 'does not exist' : 'cannot be read'
  }
}

/**
 * The URL as pg takes it, and separately the schema, which pg does not know. `sslmode` has the meaning of PostgreSQL's
 * documentation: `require` encrypts without verifying, `verify-full` verifies.
 * @param url accepted by checkDatabaseUrl
 */
export function connectionOf(url: string): { connectionString: string; schema?: string } {
  const parsed = parse(url)
  if (parsed === null) throw new TypeError('The address of the database was not checked.')
  const schema = parsed.searchParams.get('schema')
  parsed.searchParams.delete('schema')
  if (parsed.searchParams.has('sslmode')) parsed.searchParams.set('uselibpqcompat', 'true')
  return { connectionString: parsed.href, ...(schema !== null && { schema }) }
}

/** How PostgreSQL is reached. */
export interface DatabaseSettings {
  /** Absent in development: the embedded database. */
  readonly url?: string
  /** For migrations and session locks. */
  readonly directUrl?: string
  readonly poolMax: number
  readonly pooler?: 'transaction'
}

/**
 * Reads the variables of PostgreSQL. Only DATABASE_URL goes through a pooler and is checked for it.
 * @param problems gets a sentence, without the value, for each variable that cannot be used
 */
export function readDatabaseSettings(
  variables: {
    readonly DATABASE_URL?: string
    readonly DATABASE_DIRECT_URL?: string
    readonly DATABASE_POOL_MAX: number
    readonly DATABASE_POOLER?: 'transaction'
  },
  problems: string[],
): DatabaseSettings {
  for (const name of ['DATABASE_URL', 'DATABASE_DIRECT_URL'] as const) {
    const value = variables[name]
    const pooler = name === 'DATABASE_URL' ? variables.DATABASE_POOLER : undefined
    const flaw = value === undefined ? undefined : checkDatabaseUrl(value, pooler)
    if (flaw !== undefined) problems.push(`${name} ${flaw}`)
  }
  const url = variables.DATABASE_URL
  const directUrl = variables.DATABASE_DIRECT_URL ?? url
  return {
    ...(url !== undefined && { url }),
    ...(directUrl !== undefined && { directUrl }),
    poolMax: variables.DATABASE_POOL_MAX,
    ...(variables.DATABASE_POOLER !== undefined && { pooler: variables.DATABASE_POOLER }),
  }
}
