import type { Static } from 'typebox'
import { Type } from 'typebox'

/** How the client authenticates at the token endpoint (RFC 6749 §2.3.1). */
export const TokenAuth = Type.Union([Type.Literal('basic'), Type.Literal('body')])
export type TokenAuth = Static<typeof TokenAuth>

/** A provider's settings as the configuration gives them: the defaults of its plugin, overridden by its variables. */
export interface ProviderSettings {
  readonly clientId: string
  readonly clientSecret: string
  readonly authorizeUrl: string
  readonly tokenUrl: string
  readonly userinfoUrl: string
  readonly scope: string
  readonly pkce: boolean
  readonly tokenAuth: TokenAuth
  /** The values of the plugin's own variables, by suffix: read them with `ownValue`. */
  readonly own: Readonly<Record<string, string>>
}

/** What a plugin tells the configuration. Its name gives the prefix of its variables (`YANDEX_`). */
export interface ProviderDeclaration {
  readonly name: string
  readonly defaults: {
    readonly authorizeUrl: string
    readonly tokenUrl: string
    readonly userinfoUrl: string
    readonly scope: string
    readonly tokenAuth: TokenAuth
  }
  /** Variables that only this provider has. */
  readonly variables: readonly OwnVariable[]
}

/** A variable that only one provider has (`GOOGLE_JWKS_URL`). Its value is a URL. */
export interface OwnVariable {
  /** The name without the provider's prefix: `JWKS_URL`. */
  readonly suffix: string
  readonly default: string
  readonly meaning: string
}

/** How settings are read. */
export interface ReadOptions {
  /** Whether URLs with plain http are allowed if their host is loopback (development only). */
  readonly loopback: boolean
  /** Receives one sentence per mistake. */
  readonly problems: string[]
}

const defaultless = ['CLIENT_ID', 'CLIENT_SECRET'] as const
const common = ['AUTHORIZE_URL', 'TOKEN_URL', 'USERINFO_URL', 'SCOPE', 'PKCE', 'TOKEN_AUTH'] as const

/** The names of all variables of a provider: `YANDEX_CLIENT_ID` and so on. */
export function variablesOf({ name, variables }: ProviderDeclaration): string[] {
  const own = variables.map(({ suffix }) => suffix)
  return [...defaultless, ...common, ...own].map((suffix) => `${name.toUpperCase()}_${suffix}`)
}

/** The value of a plugin's own variable. */
export function ownValue({ own }: Pick<ProviderSettings, 'own'>, variable: OwnVariable): string {
  return own[variable.suffix] ?? variable.default
}

/**
 * Reads the settings of each provider whose CLIENT_ID and CLIENT_SECRET are set. Only one of the two is a mistake.
 * Mistakes go to `options.problems`, one sentence each.
 * @returns the settings by provider name
 */
export function readProviders(
  env: Readonly<Record<string, string | undefined>>,
  declarations: readonly ProviderDeclaration[],
  options: ReadOptions,
): Map<string, ProviderSettings> {
  const settings = new Map<string, ProviderSettings>()
  for (const declaration of declarations) {
    const prefix = declaration.name.toUpperCase()
    const given = defaultless.filter((suffix) => env[`${prefix}_${suffix}`] !== undefined)
    if (given.length === 0) continue
    for (const suffix of defaultless)
      if (!given.includes(suffix))
        options.problems.push(`${prefix}_${suffix} is missing: ${prefix}_${given[0]} is set.`)
    settings.set(declaration.name, readProvider(env, declaration, options))
  }
  return settings
}

/**
 * RFC 6749 appendix A.1 and A.2, but without blanks anywhere and without quotation marks at the ends: no provider issues
 * such credentials, so they are mistakes of copying.
 */
const credential = /^(?!["'`])[!-~]+(?<!["'`])$/
const credentialForm =
  'must be as the provider shows it: letters, digits and signs of ASCII, no blanks, no quotation marks'

/** RFC 6749 §3.3. */
const scopes = /^[!#-[\]-~]+(?: [!#-[\]-~]+)*$/
const scopesForm = 'must be names in ASCII, separated by single blanks, without quotation marks'

function readProvider(
  env: Readonly<Record<string, string | undefined>>,
  { name, defaults, variables }: ProviderDeclaration,
  { loopback, problems }: ReadOptions,
): ProviderSettings {
  const value = (suffix: string, fallback: string) => env[`${name.toUpperCase()}_${suffix}`] ?? fallback
  const choice = <T extends string>(suffix: string, options: readonly T[], fallback: T): T => {
    const given = value(suffix, fallback)
    const found = options.find((option) => option === given)
    if (found === undefined)
      problems.push(`${name.toUpperCase()}_${suffix} must be one of ${options.join(', ')}.`)
    return found ?? fallback
  }
  const url = (suffix: string, fallback: string) => {
    const given = value(suffix, fallback)
    const parsed = URL.parse(given)
    const plain = parsed?.protocol === 'http:' && loopback && isLoopback(parsed.hostname)
    if (parsed === null || /\s/.test(given) || (parsed.protocol !== 'https:' && !plain))
      problems.push(
        `${name.toUpperCase()}_${suffix} must be an https address (plain http only to loopback, in development).`,
      )
    return given
  }
  const text = (suffix: string, fallback: string, form: RegExp, expected: string) => {
    const given = value(suffix, fallback)
    if (given !== '' && !form.test(given)) problems.push(`${name.toUpperCase()}_${suffix} ${expected}.`)
    return given
  }
  return {
    clientId: text('CLIENT_ID', '', credential, credentialForm),
    clientSecret: text('CLIENT_SECRET', '', credential, credentialForm),
    authorizeUrl: url('AUTHORIZE_URL', defaults.authorizeUrl),
    tokenUrl: url('TOKEN_URL', defaults.tokenUrl),
    userinfoUrl: url('USERINFO_URL', defaults.userinfoUrl),
    scope: text('SCOPE', defaults.scope, scopes, scopesForm),
    pkce: choice('PKCE', ['on', 'off'], 'on') === 'on',
    tokenAuth: choice('TOKEN_AUTH', ['basic', 'body'], defaults.tokenAuth),
    own: Object.fromEntries(
      variables.map((variable) => [variable.suffix, url(variable.suffix, variable.default)]),
    ),
  }
}

/**
 * Whether traffic to this host never leaves the machine, so that plain http is acceptable in development.
 * @param hostname of a URL, or an IP address to listen on
 */
export function isLoopback(hostname: string): boolean {
  return ['localhost', '[::1]', '::1'].includes(hostname) || /^127(\.\d+){3}$/.test(hostname)
}

/** The proxy through which providers are reached, and the hosts that are reached without it. */
export interface ProxySettings {
  readonly https: string
  readonly none?: string
}

/**
 * Reads the proxy for requests to providers.
 * @param problems receives one sentence per mistake, without the value
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
 * Warns of the names that other programs read for a proxy. They are not read here, so that one table holds every
 * variable; but an operator who sets one of them behind a firewall would otherwise not learn why every login fails.
 * @returns one sentence per variable
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
