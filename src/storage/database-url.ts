import { existsSync } from 'node:fs'

const understood = [
  'schema',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'sslnegotiation',
  'application_name',
  'host',
] as const

/**
 * What is wrong with a database's address, as a sentence that holds neither the address nor the password;
 * undefined where it can be used. What we would silently ignore is refused.
 * @param url postgresql://USER:PASSWORD@HOST:5432/NAME?schema=…&sslmode=…
 * @param pooler as the variable DATABASE_POOLER says
 */
export function checkDatabaseUrl(url: string, pooler?: 'transaction'): string | undefined {
  if (!/^postgres(ql)?:\/\//.test(url))
    return 'must be of the form postgresql://USER:PASSWORD@HOST:5432/NAME.'
  const authority = url.slice(url.indexOf('//') + 2).split(/[/?#]/, 1)[0] ?? ''
  if (authority.slice(authority.lastIndexOf('@') + 1).includes(','))
    return 'must name one host: several are not supported; use an address that follows the primary.'
  const parsed = URL.parse(url)
  if (parsed === null)
    return 'is not a URL: special characters in user name or password must be percent-encoded.'
  if (parsed.pathname.length < 2) return 'must name a database: postgresql://USER:PASSWORD@HOST:5432/NAME.'
  const query = parsed.searchParams
  for (const name of query.keys())
    if (!understood.some((known) => known === name))
      return `has a parameter that is not supported: ${name}. Supported are ${understood.join(', ')}.`
  return checkSchema(query.get('schema'), pooler) ?? checkTls(query)
}

function checkSchema(schema: string | null, pooler: 'transaction' | undefined): string | undefined {
  if (schema === null) return undefined
  // It goes unquoted into start-up parameters.
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema))
    return 'has a schema whose name is not lower-case letters, digits and underscores.'
  return pooler === undefined
    ? undefined
    : 'cannot choose a schema behind a pooler in transaction mode: set search_path on the database role.'
}

function checkTls(query: URLSearchParams): string | undefined {
  const mode = query.get('sslmode')
  if (mode !== null && !['disable', 'require', 'verify-ca', 'verify-full'].includes(mode))
    return 'has an sslmode that is not supported: use disable, require, verify-ca or verify-full.'
  if (mode === 'verify-ca' && query.get('sslrootcert') === null)
    return 'needs sslrootcert for sslmode=verify-ca; with a public authority use verify-full.'
  for (const name of ['sslrootcert', 'sslcert', 'sslkey']) {
    const file = query.get(name)
    if (file !== null && !existsSync(file)) return `names a file in ${name} that does not exist.`
  }
  return undefined
}

/**
 * An address as pg takes it, and apart the schema, which pg does not know. `sslmode` means what PostgreSQL's
 * own documentation says: `require` encrypts without verifying, `verify-full` verifies.
 */
export function connectionOf(url: string): { connectionString: string; schema?: string } {
  const parsed = new URL(url)
  const schema = parsed.searchParams.get('schema')
  parsed.searchParams.delete('schema')
  if (parsed.searchParams.has('sslmode')) parsed.searchParams.set('uselibpqcompat', 'true')
  return { connectionString: parsed.href, ...(schema !== null && { schema }) }
}
