import type { Site } from './site.ts'

/** `http` to this machine by its address: RFC 8252 §8.3 forbids the name `localhost`, which may lead elsewhere. */
const loopbackUrl = /^http:\/\/(127\.0\.0\.1|\[::1\])(?::(\d{1,5}))?(?=[/?]|$)/

/** A scheme of one application, in reverse-DNS form, and what follows it (RFC 8252 §7.1). */
const privateUseUrl = /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+:\//

/** Whether only a native application may register this URL: one on loopback, or of a private-use scheme. */
export function isNativeUrl(raw: string): boolean {
  return (loopbackUrl.test(raw) || privateUseUrl.test(raw)) && URL.canParse(raw)
}

/**
 * Whether the browser may be sent to this URL for the site: it is registered to the character. For a native application
 * the port of a registered URL on loopback may be any, as the system assigns it at each login (RFC 8252 §7.3).
 */
export function isRegistered(site: Pick<Site, 'redirectUrls' | 'native'>, url: string): boolean {
  if (site.redirectUrls.includes(url)) return true
  if (!site.native) return false
  const bare = withoutPort(url)
  return bare !== undefined && site.redirectUrls.some((registered) => withoutPort(registered) === bare)
}

/** A URL on loopback without its port; undefined for every other URL. */
function withoutPort(url: string): string | undefined {
  const [whole, host, port = '80'] = loopbackUrl.exec(url) ?? []
  if (whole === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined
  return `http://${host}${url.slice(whole.length)}`
}
