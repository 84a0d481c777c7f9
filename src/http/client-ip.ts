import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6

/** Whether this IP address is trusted to name its own client. The peer of the connection is hop 0. */
type Trusts = (ip: string, hop: number) => boolean

/** Characters; more than any IP address with quotes, brackets, zone and port has. */
const maxEntryLength = 100

/**
 * Makes a function that finds the IP address of the client. It reads X-Forwarded-For from the right as long as the
 * address that added the next entry is trusted. It stops at an entry that is not an IP address and uses the address that
 * added this entry; otherwise a client could invent names and get a rate limit for each.
 * @param proxies the proxies whose X-Forwarded-For is trusted
 * @param onIgnored is called once, when an address that is not trusted has sent the header
 * @returns a function of the connection's peer and the header. It gives an IP address without port, quotes or zone, and
 *   an IPv4-mapped address as IPv4; the empty string only where the connection is already closed
 */
export function clientIpReader(
  proxies: TrustedProxies,
  onIgnored: () => void = () => {},
): (peer: string | undefined, forwardedFor: string | readonly string[] | undefined) => string {
  const trusts = trustOf(proxies)
  let told = false
  return (peer, forwardedFor = '') => {
    let ip = readEntry(peer ?? '')
    if (ip === undefined) return ''
    if (forwardedFor !== '' && !told && !trusts(ip, 0)) {
      told = true
      onIgnored()
    }
    const entries = (typeof forwardedFor === 'string' ? forwardedFor : forwardedFor.join(',')).split(',')
    for (let hop = 0; hop < entries.length && trusts(ip, hop); hop++) {
      const next = readEntry(entries[entries.length - 1 - hop] ?? '')
      if (next === undefined) break
      ip = next
    }
    return withoutZone(ip)
  }
}

/**
 * The network to which an IP address belongs, as the key of its rate limits. It is the /64 of an IPv6 address, because
 * its owner can use all of it. An IPv6 address that represents an IPv4 address gives that address: mapped (RFC 4291
 * §2.5.5.2), NAT64 (64:ff9b::/96, RFC 6052), SIIT (RFC 7915) and 6to4 (2002::/16, RFC 3056).
 * @param given an IP address; every other text, such as a result of this function, is returned unchanged
 */
export function network(given: string): string {
  if (isIP(given) !== 6) return given
  const address = ipaddr.process(withoutZone(given))
  if (!(address instanceof ipaddr.IPv6)) return address.toString()
  const bytes = address.toByteArray()
  const range = address.range()
  if (range === 'rfc6052' || range === 'rfc6145') return bytes.slice(12).join('.')
  if (range === '6to4') return bytes.slice(2, 6).join('.')
  const [first = 0, second = 0, third = 0, fourth = 0] = address.parts
  return `${[first, second, third, fourth].map((part) => part.toString(16)).join(':')}::/64`
}

const mapped = '::ffff:'

/**
 * Reads one entry: an IP address, quoted or not, with or without a port, IPv6 with or without brackets. X-Forwarded-For
 * has no standard; these are the forms of RFC 7239 §6.
 * @returns the address in its shortest form, an IPv4-mapped one as IPv4; undefined for everything that is not an IP
 *   address, such as `unknown` and host names
 */
function readEntry(entry: string): string | undefined {
  // Nearly every address is one of these two, and needs no parsing.
  if (isIP(entry) === 4) return entry
  if (entry.startsWith(mapped) && isIP(entry.slice(mapped.length)) === 4) return entry.slice(mapped.length)
  if (entry.length > maxEntryLength) return undefined
  const bare = entry.trim().replace(/^"(.*)"$/, '$1')
  const [, bracketed, four] = /^\[(.+)\](?::\d{1,5})?$|^([\d.]+):\d{1,5}$/.exec(bare) ?? []
  const address = bracketed ?? four ?? bare
  // Node's check is the stricter one: ipaddr.js also accepts 127.1 and 0x7f000001.
  if (isIP(address) === 0 || (bracketed !== undefined && isIP(address) !== 6)) return undefined
  const read = parse(address)
  return (read instanceof ipaddr.IPv6 && read.isIPv4MappedAddress() ? read.toIPv4Address() : read).toString()
}

/**
 * Reads an IP address that Node accepts. The zone is set apart first, because ipaddr.js throws at the name of an
 * interface that is not letters and digits, such as `eth0.100` and `br-lan`.
 */
function parse(text: string): Address {
  const [bare = '', zone] = text.split('%')
  const address = ipaddr.parse(bare)
  if (address instanceof ipaddr.IPv6 && zone !== undefined) address.zoneId = zone
  return address
}

function trustOf(proxies: TrustedProxies): Trusts {
  if (proxies === false) return () => false
  if (typeof proxies === 'number') return (_ip, hop) => hop < proxies
  const ranges = proxies.map(readRange)
  return (ip) => {
    const address = parse(ip)
    return ranges.some((range) => within(address, range))
  }
}

interface Range {
  readonly first: Address
  readonly bits: number
}

/** A single address is a range of one; a range of IPv4-mapped addresses becomes a range of IPv4. */
function readRange(given: string): Range {
  const [address = '', bits] = given.split('/')
  const first = parse(address)
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

/** A zone (RFC 4007 §11) names a network interface of this machine, so it says nothing about the client. */
function withoutZone(address: string): string {
  return address.split('%', 1).join('')
}

/** The proxies whose X-Forwarded-For is trusted: none, a number of hops, or these IP addresses and CIDR ranges. */
export type TrustedProxies = false | number | readonly string[]

/**
 * Reads TRUST_PROXY: a number of hops, or IP addresses and CIDR ranges. There is no value that trusts every client.
 * @param problems gets a sentence, without the value, where the variable cannot be used
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
