/** How providers are reached. */
export interface ProxySettings {
  readonly https: string
  readonly none?: string
}

/**
 * The proxy for requests to providers.
 * What is wrong goes to `problems`, a sentence each, without the value.
 */
export function readProxySettings(
  { HTTPS_PROXY: https, NO_PROXY: none }: { readonly HTTPS_PROXY?: string; readonly NO_PROXY?: string },
  problems: string[],
): ProxySettings | undefined {
  if (https === undefined) return undefined
  const url = URL.parse(https)
  if (!/^https?:$/.test(url?.protocol ?? ''))
    problems.push('HTTPS_PROXY must be an address such as http://proxy.example:3128.')
  else if (/%(?![0-9a-f]{2})/i.test(`${url?.username}${url?.password}`))
    problems.push('HTTPS_PROXY must have %25 in place of a % in its user name or password.')
  return { https, ...(none !== undefined && { none }) }
}

/**
 * Other programs' names for a proxy are not read, so that one table holds every variable. Said for each that may have been
 * meant: behind a firewall nobody could log in.
 */
export function unreadProxies(env: Readonly<Record<string, string | undefined>>): string[] {
  if (env.HTTPS_PROXY !== undefined)
    return env.no_proxy === undefined || env.NO_PROXY !== undefined
      ? []
      : ['no_proxy is not read: NO_PROXY alone names the hosts that are reached without HTTPS_PROXY.']
  return ['https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy']
    .filter((name) => env[name] !== undefined)
    .map((name) => `${name} is not read: HTTPS_PROXY alone sets the proxy for requests to providers.`)
}
