import { lookup as lookUpName } from 'node:dns/promises'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { createCache } from 'async-cache-dedupe'
import { buildConnector, errors } from 'undici'

/** One IP address of a host, as `dns.lookup` gives it. */
export interface Address {
  readonly address: string
  /** 4 or 6. */
  readonly family: number
}

/** Resolves all IP addresses of a host, the preferred one first. */
export type LookUp = (hostname: string) => Promise<readonly Address[]>

/** The resolver of the system, in its order (RFC 6724). */
export const systemLookUp: LookUp = (hostname) => lookUpName(hostname, { all: true })

/** Seconds for which addresses are cached, so that at full load not every login asks the resolver. */
const addressTtl = 5

/** Milliseconds until the next address is tried, in parallel to the earlier ones (RFC 8305 §5, "Connection Attempt Delay"). */
const attemptDelay = 250

/**
 * Makes undici connect to a host by trying its addresses in parallel (Happy Eyeballs, RFC 8305): an attempt lasts until one
 * of them connects or the time is over. Node's own `autoSelectFamily` ends an attempt before it begins the next one, so
 * that it gives up a host 300 ms away in favour of an address that leads nowhere.
 * @param timeout milliseconds for name and connection together; TLS gets the same time again, as a last resort
 */
export function createConnector(timeout: number, lookUp: LookUp): buildConnector.connector {
  const secure = buildConnector({ allowH2: false, timeout })
  // Only addresses are cached, no errors.
  const known = createCache({ storage: { type: 'memory', options: { size: 100 } } }).define(
    'addresses',
    { ttl: addressTtl },
    (hostname: string) => lookUp(hostname),
  )
  const reachAndSecure: (...args: Parameters<buildConnector.connector>) => Promise<void> = async (
    options,
    callback,
  ) => {
    let socket: Socket
    try {
      socket = await reach(options, timeout, (hostname) => known.addresses(hostname))
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)), null)
      return
    }
    if (options.protocol === 'https:') secure({ ...options, httpSocket: socket }, callback)
    else callback(null, socket)
  }
  return (options, callback) => void reachAndSecure(options, callback)
}

async function reach(
  { hostname, port, protocol }: buildConnector.Options,
  timeout: number,
  lookUp: LookUp,
): Promise<Socket> {
  const until = performance.now() + timeout
  const addresses = alternating(await lookUp(hostname))
  const portNumber = Number(port === '' ? (protocol === 'https:' ? 443 : 80) : port)
  return await firstToConnect(addresses, portNumber, until - performance.now())
}

/** RFC 8305 §4: alternates the families, so that one without a route does not delay the other. */
function alternating(addresses: readonly Address[]): Address[] {
  const preferred = addresses.filter(({ family }) => family === addresses[0]?.family)
  const others = addresses.filter((address) => !preferred.includes(address))
  return addresses.flatMap((_, index) => [preferred[index], others[index]]).filter((one) => one !== undefined)
}

/**
 * Returns the first socket that connects, and closes all others.
 * @param within milliseconds for all addresses together
 * @throws the error of the first address when all have failed, ConnectTimeoutError when the time is over
 */
function firstToConnect(addresses: readonly Address[], port: number, within: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const waiting = [...addresses]
  const attempts = new Set<Socket>()
  let firstError: Error | undefined
  let nextAttempt: NodeJS.Timeout | undefined

  const end = () => {
    clearTimeout(nextAttempt)
    clearTimeout(limit)
    for (const socket of attempts) socket.destroy()
  }
  const attempt = () => {
    clearTimeout(nextAttempt)
    const address = waiting.shift()
    if (address === undefined) return
    const socket = connect({ host: address.address, port, noDelay: true, keepAlive: true })
    attempts.add(socket)
    const onError = (error: Error) => {
      attempts.delete(socket)
      firstError ??= error
      if (waiting.length > 0) return attempt()
      if (attempts.size > 0) return
      end()
      reject(firstError)
    }
    socket.once('error', onError).once('connect', () => {
      socket.off('error', onError)
      attempts.delete(socket)
      end()
      resolve(socket)
    })
    nextAttempt = setTimeout(attempt, attemptDelay)
  }
  const limit = setTimeout(
    () => {
      end()
      reject(new errors.ConnectTimeoutError(`no connection to any of ${addresses.length} addresses`))
    },
    Math.max(0, within),
  )
  attempt()
  return promise
}
