import type { RedisAddress } from './redis-address.ts'

/** Redis did not reply, or not in time: the login is unknown, and so is whether the call was carried out. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
}

/** Failures that do not go away by waiting: the operator must change something. */
const final =
  /NOPERM|no permissions|user executing the script|NOAUTH|WRONGPASS|unknown command|DB index|SELECT is not allowed|cluster support disabled|is a sentinel/

/** Whether it is useless to try again. */
export function isFinal(reason: string): boolean {
  return final.test(reason)
}

/**
 * The message of Redis or of the connection to it: for a discarded transaction that of the refused command, for a store's
 * error that of its cause.
 * @returns undefined for the client's own messages about a missing connection, which tell nothing
 */
export function reasonOf(error: unknown): string | undefined {
  const reason = messageOf(innermost(error))
  return ownWords.test(reason) ? undefined : reason
}

const ownWords =
  /^undefined$|enableOfflineQueue|max retries|^Connection is closed|timed out|startup nodes|slots cache/i

function innermost(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  if (error instanceof AggregateError) return innermost(error.errors[0] ?? error.message)
  if ('previousErrors' in error && Array.isArray(error.previousErrors) && error.previousErrors.length > 0)
    return innermost(error.previousErrors[0])
  if ('lastNodeError' in error && error.lastNodeError != null) return innermost(error.lastNodeError)
  return error.cause === undefined ? error : innermost(error.cause)
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Explains a reason by what the operator must change; otherwise gives the reason itself, without a full stop. */
export function explained(reason: string, address: RedisAddress, prefix: string): string {
  const command = /run the '([^']+)/.exec(reason)?.[1]
  if (/NOPERM|no permissions/.test(reason)) {
    if (command !== undefined)
      return `its user may not run ${command.toUpperCase().replace('|', ' ')} (ACL SETUSER … +${command})`
    if (/key/.test(reason))
      return `its user may not read and write keys that begin with "${prefix}" (ACL SETUSER … ~${prefix}*)`
  }
  if (reason.startsWith('READONLY'))
    return 'it is a replica, which takes no writes: name its master, or the sentinels that know it'
  if (/cluster support disabled/.test(reason))
    return 'several addresses are for Redis Cluster, and this server is in none: name one, or its sentinels'
  if (/DB index/.test(reason)) return 'it has no database of that number'
  if (/SELECT is not allowed/.test(reason)) return 'Redis Cluster has database 0 alone'
  if (address.kind === 'sentinel') {
    if (/invalid reply/.test(reason)) return `no sentinel knows a master called "${address.name}"`
    if (reason.startsWith('failed to connect to sentinel')) return `no sentinel answers: ${trimmed(reason)}`
  }
  return trimmed(reason)
}

function trimmed(reason: string): string {
  return reason.replace(/\.+$/, '')
}
