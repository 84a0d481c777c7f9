import type { RedirectDifference } from '../problems/table.ts'
import { isLoopback } from '../providers/settings.ts'
import { isNativeUrl } from './native-url.ts'

const maxLength = 2000

/**
 * Query names that the callback appends, or that a site's backend posts to the finish. A registered URL with one of
 * them would give the site the same parameter twice (RFC 6749 §3.1).
 */
const reserved: ReadonlySet<string> = new Set([
  'provider',
  'state',
  'code',
  'code_verifier',
  'error',
  'error_description',
  'iss',
  'client_id',
  'client_secret',
  'grant_type',
])

/** Which URLs beyond https a site may register. */
export interface UrlRules {
  /** Plain http to this machine (development only). */
  readonly loopback: boolean
  /** What applications on people's own devices need: native-url.ts. */
  readonly native?: boolean
}

/**
 * Whether a URL may be registered. From then on it is compared, and parameters are appended to it, as a raw string
 * (RFC 9700 §2.1, §4.1.3), so a URL that a browser would read differently from how it is written is refused here.
 * @param raw the URL as it was given; nothing is trimmed
 * @returns one sentence about the first flaw; undefined where there is none
 */
export function checkRedirectUrl(raw: string, { loopback, native = false }: UrlRules): string | undefined {
  const origin = native && isNativeUrl(raw) ? undefined : checkOrigin(raw, loopback)
  return checkCharacters(raw) ?? origin ?? checkRest(raw) ?? checkSpelling(raw)
}

function checkCharacters(raw: string): string | undefined {
  if (raw === '') return 'The redirect URL is empty.'
  if (raw.length > maxLength) return `The redirect URL is longer than ${maxLength} characters.`
  if (/[\p{Cc}\s]/u.test(raw)) return 'The redirect URL holds a space or a control character.'
  if (/[^\x21-\x7e]/.test(raw)) return nonAscii(raw)
  if (raw.includes('\\'))
    return 'The redirect URL holds a backslash, which browsers read as a slash: write it as %5C.'
  return undefined
}

function nonAscii(raw: string): string {
  const { authority } = split(raw)
  const hostname = URL.parse(raw)?.hostname
  return /[^\x21-\x7e]/.test(authority) && hostname
    ? `The host name of the redirect URL must be written in ASCII: ${hostname}.`
    : 'The redirect URL holds a character outside ASCII: percent-encode it.'
}

function checkOrigin(raw: string, loopback: boolean): string | undefined {
  const { scheme, authority } = split(raw)
  if (!/^https?$/i.test(scheme)) return 'The redirect URL must begin with https://.'
  if (authority === '') return `The redirect URL must name a host right after ${scheme.toLowerCase()}://.`
  if (authority.includes('@')) return 'The redirect URL must not hold a user name or password (before an @).'
  if (raw.includes('*'))
    return 'The redirect URL holds a *, but there are no patterns: register each URL as it is.'
  const url = URL.parse(raw)
  if (url === null) return 'The redirect URL is not a URL: its host or port cannot be read.'
  if (url.protocol === 'http:' && !(loopback && isLoopback(url.hostname)))
    return loopback
      ? 'The redirect URL must be https (plain http only to this machine, as in http://127.0.0.1:8080/).'
      : 'The redirect URL must be https.'
  return undefined
}

function checkRest(raw: string): string | undefined {
  const { path, rest } = split(raw)
  const [, fragment] = raw.split('#', 2)
  if (fragment !== undefined)
    return `The redirect URL must not have a fragment (after a #)${/^!?\//.test(fragment) ? hashRouting : '.'}`
  if (path.split('/').some((segment) => /^(\.|%2e){1,2}$/i.test(segment)))
    return 'The redirect URL has "." or ".." in its path, which browsers resolve: write the path that it leads to.'
  if (/%(00|0a|0d)/i.test(raw)) return 'The redirect URL holds an encoded line end or NUL (%0D, %0A, %00).'
  if (/%(?![0-9a-f]{2})/i.test(raw))
    return 'The redirect URL holds a % without two hexadecimal digits after it: write it as %25.'
  // Some frameworks split at a semicolon too, and read "code[]" as "code".
  const names = [...new URLSearchParams(rest.replaceAll(';', '&')).keys()]
  const name = names.map((key) => key.replace(/\[.*$/s, '')).find((key) => reserved.has(key))
  return name === undefined
    ? undefined
    : `The query of the redirect URL must not use the name "${name}": it is reserved for the login itself.`
}

/** Advice for single-page sites that route by the fragment, which never reaches a server (RFC 3986 §3.5). */
const hashRouting =
  ', and a page behind one is no address for a server: register a path such as /oauth-return that your server answers, let it finish the login, and lead the browser from there to the page behind the #.'

/** The last rule: a browser would send exactly this string. A bare origin may stay without its slash. */
function checkSpelling(raw: string): string | undefined {
  const { href, origin } = new URL(raw)
  return raw === href || raw === origin
    ? undefined
    : `The redirect URL is not written as browsers send it: write ${href} instead.`
}

/**
 * The host name under which a URL is found: lower case, without port.
 * @returns undefined where there is none (not a URL, `data:`, `file:`)
 */
export function hostOf(url: string): string | undefined {
  return URL.parse(url)?.hostname.toLowerCase() || undefined
}

/** How much each kind of difference weighs. Where several things differ, the first kind of this list is named. */
const weights: readonly (readonly [RedirectDifference, number])[] = [
  ['scheme', 2],
  ['port', 2],
  ['path', 4],
  ['trailing-slash', 1],
  ['query', 2],
  ['case', 1],
]

/**
 * The kind of difference from the nearest registered URL of the same host. It does not reveal what is registered.
 * @param given the URL that a site sent
 * @param registered the URLs to compare with; those of other hosts are ignored
 * @returns `query` also for a fragment; undefined where it is registered, where nothing of this host is, or
 *   where its host is spelled so oddly that no kind would explain it
 */
export function redirectUrlDifference(
  given: string,
  registered: readonly string[],
): RedirectDifference | undefined {
  return nearestRedirectUrl(given, registered)?.kind
}

/** The registered URL that was probably meant, and how it differs. For operators: it reveals what is registered. */
export interface NearestRedirectUrl {
  readonly url: string
  readonly kind: RedirectDifference
}

/** The registered URL that redirectUrlDifference compares with; undefined in the same cases. */
export function nearestRedirectUrl(
  given: string,
  registered: readonly string[],
): NearestRedirectUrl | undefined {
  const host = hostOf(given)
  if (host === undefined || registered.includes(given)) return undefined
  let nearest: (NearestRedirectUrl & { readonly distance: number }) | undefined
  for (const url of registered) {
    if (hostOf(url) !== host) continue
    const differing = differences(split(given), split(url))
    const [first] = differing
    if (first === undefined) continue
    const distance = differing.reduce((sum, [, weight]) => sum + weight, 0)
    if (nearest === undefined || distance < nearest.distance) nearest = { url, kind: first[0], distance }
  }
  return nearest
}

function differences(given: Parts, registered: Parts): (typeof weights)[number][] {
  const kinds = new Set<RedirectDifference>()
  const compare = (one: string, other: string, kind: RedirectDifference) => {
    if (one !== other) kinds.add(one.toLowerCase() === other.toLowerCase() ? 'case' : kind)
  }
  compare(given.scheme, registered.scheme, 'scheme')
  const [, host = '', port = ''] = /^(.*?)(:\d*)?$/s.exec(given.authority) ?? []
  const [, registeredHost = '', registeredPort = ''] = /^(.*?)(:\d*)?$/s.exec(registered.authority) ?? []
  // The same host to a parser but spelled differently (percent-encoded, say): no kind of difference explains it.
  if (host.toLowerCase() !== registeredHost.toLowerCase()) return []
  compare(host, registeredHost, 'case')
  compare(port, registeredPort, 'port')
  const slashOnly = given.path.replace(/\/$/, '') === registered.path.replace(/\/$/, '')
  compare(given.path, registered.path, slashOnly ? 'trailing-slash' : 'path')
  compare(given.rest, registered.rest, 'query')
  return weights.filter(([kind]) => kinds.has(kind))
}

interface Parts {
  readonly scheme: string
  /** Host and port as they are written. */
  readonly authority: string
  readonly path: string
  /** Query and fragment, with their ? and #. */
  readonly rest: string
}

/** The parts as they are written, because raw strings are compared (regular expression of RFC 3986, appendix B). */
function split(raw: string): Parts {
  const [, scheme = '', authority = '', path = '', rest = ''] =
    /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?([^?#]*)(.*)$/s.exec(raw) ?? []
  return { scheme, authority, path, rest }
}
