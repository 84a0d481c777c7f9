// SQLSTATEs (PostgreSQL, appendix A) with which the server refuses every statement at present.
const unavailable = /^(08\w{3}|53\w{3}|57P0\d|57014|55P03|25006|25P03|28P01|28000|3D000)$/
// Deadlock and serialization failure: the statement was rolled back and may succeed when it is repeated.
const undone = /^(40P01|40001|P2034|TransactionWriteConflict)$/
// No connection, no resources, no lock, no time, no writes: the server has certainly not carried out the statement.
// 57P01 and 57P02, with which it ends connections, are not among these: they may come after a COMMIT.
const refused =
  /^(53\w{3}|57P03|57014|55P03|25006|28P01|28000|3D000|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|P1000|P1001|P1010|P2024|P2037|DatabaseNotReachable|TooManyConnections|TlsConnectionError|AuthenticationFailed|DatabaseAccessDenied|DatabaseDoesNotExist)$/
// The codes of OpenSSL and Node for a certificate of the server that is not accepted.
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

// https://www.prisma.io/docs/orm/reference/error-reference: no connection, no access, no time, no resources.
const prismaCodes = new Set(['P1000', 'P1001', 'P1002', 'P1008', 'P1010', 'P1011', 'P1017', 'P2024', 'P2037'])

// The adapter's own names. Of a connection's error, a raw query shows nothing else.
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

// The messages of errors that pg and its pool throw without a code.
const messages =
  /^(timeout exceeded when trying to connect|Connection terminated|Query read timeout|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end)/

/**
 * A new connection does not have the settings that were requested, because a pooler between dropped them. It is not used:
 * times would be hours off, and named statements would clash.
 */
export class SettingsNotKept extends Error {
  override readonly name = 'SettingsNotKept'
  readonly code = 'SettingsNotKept'
}

/**
 * Whether the database could not be used at all, so that the caller should retry later: there is no connection (refused,
 * reset, timed out, pool exhausted), the server is shutting down or read-only, or it did not reply in time. Looks into the
 * errors that Prisma wraps.
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
 * Whether the statement has certainly not been carried out: it was refused, rolled back, or never sent. It may then be
 * repeated even where carrying it out twice would be wrong.
 */
export function isNotCarriedOut(error: unknown): boolean {
  return has(error, refused) || has(error, undone)
}

/** Whether the server refused to write: a standby, or a primary that was demoted. */
export function isReadOnly(error: unknown): boolean {
  return has(error, /^25006$/)
}

/** Whether the role lacks the privilege for the statement (insufficient_privilege). */
export function lacksRights(error: unknown): boolean {
  return has(error, /^42501$/)
}

/** The sentence for an operator about a database that takes no writes. */
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

/** Whether the same statement may succeed soon: the database is unavailable, or rolled it back because of another transaction. */
export function isTransient(error: unknown): boolean {
  return isDatabaseUnavailable(error) || has(error, undone)
}

function has(error: unknown, code: RegExp): boolean {
  return layers(error).some(({ codes }) => codes.some((one) => code.test(one)))
}

/** Whether the row that this foreign key references is missing, because it was removed while the statement ran. */
export function isForeignKeyViolation(error: unknown, constraint: string): boolean {
  return layers(error).some(
    ({ codes, message }) => codes.includes('23503') && message?.includes(constraint) === true,
  )
}

interface Layer {
  readonly codes: readonly string[]
  readonly message: string | undefined
}

/** The error and all errors that it wraps: as `cause`, in an AggregateError, or as Prisma's `meta.driverAdapterError`. */
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
