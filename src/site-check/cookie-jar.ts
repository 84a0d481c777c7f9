/** A cookie of a site as a browser stores it (RFC 6265bis §5.6). */
export interface Cookie {
  readonly name: string
  readonly value: string
  readonly host: string
  /** Whether the cookie goes to exactly this host, as it named no `Domain`. */
  readonly hostOnly: boolean
  readonly path: string
  readonly secure: boolean
  readonly httpOnly: boolean
  /** Lower case; undefined where the cookie did not say it, which browsers take for `lax`. */
  readonly sameSite: 'strict' | 'lax' | 'none' | undefined
}

/** The cookies of one visitor. */
export class CookieJar {
  private readonly cookies: Map<string, Cookie>

  constructor(cookies: Iterable<Cookie> = []) {
    this.cookies = new Map([...cookies].map((cookie) => [keyOf(cookie), cookie]))
  }

  /** Stores what an answer sets, and removes what it expires. What belongs to another host is left out. */
  take(url: URL, headers: Headers): void {
    for (const line of headers.getSetCookie()) {
      const { cookie, expired } = parse(line, url)
      if (!matchesHost(cookie, url.hostname)) continue
      if (expired) this.cookies.delete(keyOf(cookie))
      else this.cookies.set(keyOf(cookie), cookie)
    }
  }

  /**
   * The `Cookie` header of a request (RFC 6265bis §5.8.3); undefined where there is none to send.
   * @param from whether the page that caused the request is of the same site, and whether the request is a GET or HEAD
   */
  header(url: URL, from: { readonly crossSite: boolean; readonly safe: boolean }): string | undefined {
    const sent = [...this.cookies.values()].filter((cookie) => goesTo(cookie, url) && crosses(cookie, from))
    // Longer paths first.
    sent.sort((one, other) => other.path.length - one.path.length)
    return sent.length === 0 ? undefined : sent.map(({ name, value }) => `${name}=${value}`).join('; ')
  }

  /** All cookies, oldest first. */
  all(): readonly Cookie[] {
    return [...this.cookies.values()]
  }

  /** A jar with the same cookies, which goes its own way from here. */
  copy(): CookieJar {
    return new CookieJar(this.cookies.values())
  }
}

function keyOf({ host, path, name }: Cookie): string {
  return `${host} ${path} ${name}`
}

function parse(line: string, url: URL): { readonly cookie: Cookie; readonly expired: boolean } {
  const [pair = '', ...rest] = line.split(';')
  const attributes = new Map(
    rest.map((part) => {
      const [name, value] = halves(part)
      return [name.toLowerCase(), value] as const
    }),
  )
  const [name, value] = halves(pair)
  const domain = attributes.get('domain')?.replace(/^\./, '').toLowerCase()
  const path = attributes.get('path')
  const sameSite = attributes.get('samesite')?.toLowerCase()
  const maxAge = attributes.get('max-age')
  const expires = Date.parse(attributes.get('expires') ?? '')
  return {
    cookie: {
      name,
      value,
      host: domain || url.hostname,
      hostOnly: !domain,
      path: path?.startsWith('/') === true ? path : defaultPath(url),
      secure: attributes.has('secure'),
      httpOnly: attributes.has('httponly'),
      sameSite: sameSite === 'strict' || sameSite === 'lax' || sameSite === 'none' ? sameSite : undefined,
    },
    expired: maxAge === undefined ? expires <= Date.now() : Number(maxAge) <= 0,
  }
}

function halves(part: string): [name: string, value: string] {
  const [name = '', value = ''] = part.split(/=(.*)/s)
  return [name.trim(), value.trim()]
}

/** The folder of the address that set the cookie. */
function defaultPath({ pathname }: URL): string {
  return pathname.slice(0, Math.max(1, pathname.lastIndexOf('/')))
}

function matchesHost({ host, hostOnly }: Cookie, hostname: string): boolean {
  return hostname === host || (!hostOnly && hostname.endsWith(`.${host}`))
}

function goesTo(cookie: Cookie, url: URL): boolean {
  const { path, secure } = cookie
  const inPath = url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`)
  return inPath && matchesHost(cookie, url.hostname) && (!secure || url.protocol === 'https:')
}

/** From another site a browser sends `Strict` never, and `Lax` only where it goes to a page. */
function crosses({ sameSite }: Cookie, from: { crossSite: boolean; safe: boolean }): boolean {
  if (!from.crossSite || sameSite === 'none') return true
  return sameSite !== 'strict' && from.safe
}
