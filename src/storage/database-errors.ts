// SQLSTATEs (PostgreSQL, appendix A): the server cannot serve now, whatever the statement is.
const unavailable = /^(08\w{3}|53\w{3}|57P0\d|57014|55P03|25006|25P03|28P01|28000|3D000)$/
// Deadlock and serialization failure: the statement was undone, the same again may succeed.
const undone = /^(40P01|40001|P2034|TransactionWriteConflict)$/

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
 * Whether the database could not be used at all, so that the caller should come back later: no connection
 * (refused, reset, out of time, pool exhausted), shutting down or read-only, or no answer within its limits.
 * Sees through Prisma's wrapping.
 */
export function isDatabaseUnavailable(error: unknown): boolean {
  return layers(error).some(
    ({ codes, message }) =>
      codes.some(
        (code) =>
          unavailable.test(code) || socketCodes.has(code) || prismaCodes.has(code) || adapterKinds.has(code),
      ) ||
      (message !== undefined && messages.test(message)),
  )
}

/** Whether the same again may succeed soon: unavailable, or undone for another transaction's sake. */
export function isTransient(error: unknown): boolean {
  return (
    isDatabaseUnavailable(error) || layers(error).some(({ codes }) => codes.some((code) => undone.test(code)))
  )
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
      message: text('originalMessage') ?? text('message'),
    },
    ...inner.flatMap((layer) => layers(layer, depth + 1)),
  ]
}
