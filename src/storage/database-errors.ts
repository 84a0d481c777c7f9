// SQLSTATEs (PostgreSQL, appendix A): the server cannot serve now, whatever the statement is.
const unavailable = /^(08\w{3}|53\w{3}|57P0\d|57014|55P03|25006|25P03|28P01|28000|3D000)$/
// Deadlock and serialization failure: the statement was undone, the same again may succeed.
const undone = /^(40P01|40001|P2034|TransactionWriteConflict)$/
// No connection, no room, no lock, no time, no writes: what the server refused it has not carried out. Its farewells
// (57P01, 57P02) are not among these: they may come after a COMMIT.
const refused =
  /^(53\w{3}|57P03|57014|55P03|25006|28P01|28000|3D000|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|P1000|P1001|P1010|P2024|P2037|DatabaseNotReachable|TooManyConnections|TlsConnectionError|AuthenticationFailed|DatabaseAccessDenied|DatabaseDoesNotExist)$/
// OpenSSL's and Node's names of what is wrong with a certificate, as far as a server can be wrong.
const certificate =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+|CERT_\w+|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|ERR_TLS_CERT_ALTNAME_INVALID|TlsConnectionError)$/
const noTls = 'The server does not support SSL connections'

const socketCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

// https://www.prisma.io/docs/orm/reference/error-reference: no connection, access, time or room.
const prismaCodes = new Set(['P1000', 'P1001', 'P1002', 'P1008', 'P1010', 'P1011', 'P1017', 'P2024', 'P2037'])

// The adapter's own names, which are all that is left of a connection's error under a raw query.
const adapterKinds = new Set([
  'DatabaseNotReachable',
  'ConnectionClosed',
  'SocketTimeout',
  'TooManyConnections',
  'TlsConnectionError',
  'AuthenticationFailed',
  'DatabaseAccessDenied',
  'DatabaseDoesNotExist',
])

// What pg and its pool throw without any code.
const messages =
  /^(timeout exceeded when trying to connect|Connection terminated|Query read timeout|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end)/

/**
 * A new connection has other settings than it asked for: a pooler stands in between and drops them. With it times
 * would be hours off and named statements would clash, so that the connection is not used.
 */
export class SettingsNotKept extends Error {
  override readonly name = 'SettingsNotKept'
  readonly code = 'SettingsNotKept'
}

/**
 * Whether the database could not be used at all, so that the caller should come back later: no connection
 * (refused, reset, out of time, pool exhausted), shutting down or read-only, or no answer within its limits.
 * Sees through Prisma's wrapping.
 */
export function isDatabaseUnavailable(error: unknown): boolean {
  return layers(error).some(
    ({ codes, message }) =>
      codes.some(
        (code) =>
          unavailable.test(code) ||
          certificate.test(code) ||
          socketCodes.has(code) ||
          prismaCodes.has(code) ||
          adapterKinds.has(code) ||
          code === 'SettingsNotKept',
      ) ||
      (message !== undefined && (messages.test(message) || message === noTls)),
  )
}

/**
 * Whether the statement has certainly not been carried out, so that it may be repeated even where twice would be
 * wrong: it was refused, undone, or never sent.
 */
export function isNotCarriedOut(error: unknown): boolean {
  return has(error, refused) || has(error, undone)
}

/** Whether the server refused to write: a standby, or a primary that was demoted. */
export function isReadOnly(error: unknown): boolean {
  return has(error, /^25006$/)
}

/** Whether the role may not do what was asked of it (insufficient_privilege). */
export function lacksRights(error: unknown): boolean {
  return has(error, /^42501$/)
}

/** What an operator is told about a database that takes no writes. */
export const takesNoWrites =
  'The database takes no writes: it is a standby, or default_transaction_read_only is on; DATABASE_URL must lead to the primary, also after a failover.'

/**
 * Why the database cannot be used and what to do, in one sentence for its operator.
 * @param error one that isDatabaseUnavailable accepts
 */
export function unavailableBecause(error: unknown): string {
  const messages = layers(error).flatMap(({ message }) => message ?? [])
  if (
    has(error, /^SettingsNotKept$/) ||
    messages.some((message) => /unsupported startup parameter/i.test(message))
  )
    return 'A pooler stands before the database and drops the settings of a connection: set DATABASE_POOLER=transaction for DATABASE_URL, and lead DATABASE_DIRECT_URL past it.'
  const reason = messages.find((message) => message !== '') ?? String(error)
  if (messages.includes(noTls))
    return 'The database offers no TLS: turn it on there, or leave sslmode out of DATABASE_URL.'
  if (has(error, certificate))
    return `The certificate of the database is not accepted (${reason}): name the file of its authority by sslrootcert in DATABASE_URL, and the host as the certificate names it.`
  if (isReadOnly(error)) return takesNoWrites
  if (has(error, /^(28P01|28000|3D000)$/))
    return `The database refuses the connection (${reason}): check user, password and name in DATABASE_URL.`
  return `The database cannot be used now (${reason}): check that it runs, and DATABASE_URL.`
}

/** Whether the same again may succeed soon: unavailable, or undone for another transaction's sake. */
export function isTransient(error: unknown): boolean {
  return isDatabaseUnavailable(error) || has(error, undone)
}

function has(error: unknown, code: RegExp): boolean {
  return layers(error).some(({ codes }) => codes.some((one) => code.test(one)))
}

/** Whether the row to which this foreign key leads is gone: removed while the statement ran. */
export function isForeignKeyViolation(error: unknown, constraint: string): boolean {
  return layers(error).some(
    ({ codes, message }) => codes.includes('23503') && message?.includes(constraint) === true,
  )
}

interface Layer {
  readonly codes: readonly string[]
  readonly message: string | undefined
}

/** The error and what it wraps: by `cause`, by an AggregateError's list, by Prisma's `meta.driverAdapterError`. */
function layers(error: unknown, depth = 0): Layer[] {
  if (typeof error !== 'object' || error === null || depth > 6) return []
  const text = (name: string) => {
    const value: unknown = Reflect.get(error, name)
    return typeof value === 'string' ? value : undefined
  }
  const meta: unknown = Reflect.get(error, 'meta')
  const inner: unknown[] = [Reflect.get(error, 'cause'), Reflect.get(error, 'driverAdapterError'), meta]
  const list: unknown = Reflect.get(error, 'errors')
  if (Array.isArray(list)) inner.push(...list)
  return [
    {
      codes: [text('code'), text('originalCode'), text('kind')].filter((code) => code !== undefined),
      message: text('originalMessage') ?? text('message') ?? text('reason'),
    },
    ...inner.flatMap((layer) => layers(layer, depth + 1)),
  ]
}
