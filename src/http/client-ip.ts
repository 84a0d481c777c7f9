import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6

/** Whether the word of this address about its own caller counts. The connection's peer is hop 0. */
type Trusts = (address: Address, hop: number) => boolean

/** Longer than any address with quotes, brackets, zone and port. */
const longestEntry = 100

/**
 * Makes the reader of client addresses, which walks X-Forwarded-For from the right as long as the address that
 * added the next entry is trusted. An entry that is no IP address ends the walk: the address that added it counts
 * then, so that nobody gets a limit of their own by inventing names.
 * @param proxies whose X-Forwarded-For counts
 * @param onIgnored told once that somebody sent the header whose word about it does not count
 * @returns takes the address of the connection and the header; gives an IP address without port, quotes or zone,
 *   an IPv4-mapped one as IPv4; the empty string only where the connection is gone already
 */
export function clientIpReader(
  proxies: TrustedProxies,
  onIgnored: () => void = () => {},
): (peer: string | undefined, forwardedFor: string | readonly string[] | undefined) => string {
  const trusts = trustOf(proxies)
  let told = false
  return (peer, forwardedFor = '') => {
    let address = readEntry(peer ?? '')
    if (address === undefined) return ''
    if (forwardedFor !== '' && !told && !trusts(address, 0)) {
      told = true
      onIgnored()
    }
    const entries = (typeof forwardedFor === 'string' ? forwardedFor : forwardedFor.join(',')).split(',')
    for (let hop = 0; hop < entries.length && trusts(address, hop); hop++) {
      const next = readEntry(entries[entries.length - 1 - hop] ?? '')
      if (next === undefined) break
      address = next
    }
    return withoutZone(address.toString())
  }
}

/**
 * Whose counters an address falls into. Whoever has an IPv6 address has its whole /64; an IPv6 address that stands
 * for an IPv4 one counts as that: mapped (RFC 4291 §2.5.5.2), NAT64 (64:ff9b::/96, RFC 6052), SIIT (RFC 7915) and
 * 6to4 (2002::/16, RFC 3056).
 * @param given an IP address; anything else, as a key that this function made before, is given back as it is
 */
export function network(given: string): string {
  if (isIP(given) === 0) return given
  const address = ipaddr.process(withoutZone(given))
  if (!(address instanceof ipaddr.IPv6)) return address.toString()
  const bytes = address.toByteArray()
  const range = address.range()
  if (range === 'rfc6052' || range === 'rfc6145') return bytes.slice(12).join('.')
  if (range === '6to4') return bytes.slice(2, 6).join('.')
  const [first = 0, second = 0, third = 0, fourth = 0] = address.parts
  return `${[first, second, third, fourth].map((part) => part.toString(16)).join(':')}::/64`
}

/**
 * The address in one entry: bare or quoted, with a port or without, IPv6 in brackets or without (RFC 7239 §6 for
 * the forms, though X-Forwarded-For has no standard).
 * @returns undefined for whatever is no IP address, such as `unknown` and host names
 */
function readEntry(entry: string): Address | undefined {
  if (entry.length > longestEntry) return undefined
  const bare = entry.trim().replace(/^"(.*)"$/, '$1')
  const [, bracketed, four] = /^\[(.+)\](?::\d{1,5})?$|^([\d.]+):\d{1,5}$/.exec(bare) ?? []
  const address = bracketed ?? four ?? bare
  // Node's own check is the stricter one: to ipaddr.js, 127.1 and 0x7f000001 are addresses too.
  if (isIP(address) === 0 || (bracketed !== undefined && isIP(address) !== 6)) return undefined
  return ipaddr.process(address)
}

function trustOf(proxies: TrustedProxies): Trusts {
  if (proxies === false) return () => false
  if (typeof proxies === 'number') return (_address, hop) => hop < proxies
  const ranges = proxies.map(readRange)
  return (address) => ranges.some((range) => within(address, range))
}

interface Range {
  readonly first: Address
  readonly bits: number
}

/** A single address is a range of its own; a range of IPv4-mapped addresses is one of IPv4. */
function readRange(given: string): Range {
  const [address = '', bits] = given.split('/')
  const first = ipaddr.parse(address)
  const all = first.kind() === 'ipv4' ? 32 : 128
  const length = bits === undefined ? all : Number(bits)
  if (first instanceof ipaddr.IPv6 && first.isIPv4MappedAddress() && length >= 96)
    return { first: first.toIPv4Address(), bits: length - 96 }
  return { first, bits: length }
}

function within(address: Address, { first, bits }: Range): boolean {
  if (address instanceof ipaddr.IPv6 && first instanceof ipaddr.IPv6)
    return address.match(first, bits) && (first.zoneId === undefined || first.zoneId === address.zoneId)
  return address.kind() === first.kind() && address.match(first, bits)
}

/** A zone (RFC 4007 §11) is the name of an interface of ours: it says nothing about the client. */
function withoutZone(address: string): string {
  return address.split('%', 1).join('')
}

/** Whose X-Forwarded-For counts: nobody's, so many hops, or these addresses and ranges. */
export type TrustedProxies = false | number | readonly string[]

/**
 * A number of hops or address ranges: never everybody.
 * What is wrong goes to `problems`, a sentence each, without the value.
 */
export function readTrustedProxies(value: string | undefined, problems: string[]): TrustedProxies {
  if (value === undefined) return false
  if (/^[1-9]\d?$/.test(value)) return Number(value)
  const ranges = value.split(',').map((range) => range.trim())
  const valid = (range: string) => {
    const [address = '', bits, ...rest] = range.split('/')
    const family = isIP(address)
    return (
      family > 0 &&
      rest.length === 0 &&
      (bits === undefined || (/^[1-9]\d*$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))) &&
      // A range of all IPv4-mapped addresses is everybody.
      readRange(range).bits > 0
    )
  }
  if (!ranges.every(valid))
    problems.push(
      'TRUST_PROXY must be a number of hops (1 to 99) or addresses and CIDR ranges; never "true".',
    )
  return ranges
}
