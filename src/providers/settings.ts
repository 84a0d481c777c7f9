import type { Static } from 'typebox'
import { Type } from 'typebox'

/** How the client authenticates at the token endpoint (RFC 6749 §2.3.1); `none`: its id in the form and no secret. */
export const TokenAuth = Type.Union([Type.Literal('basic'), Type.Literal('body'), Type.Literal('none')])
export type TokenAuth = Static<typeof TokenAuth>

/** A provider's settings as the configuration gives them: the defaults of its plugin, overridden by its variables. */
export interface ProviderSettings {
  readonly clientId: string
  /** Empty where the provider needs none. */
  readonly clientSecret: string
  /** This and the other two addresses are empty where only discovery tells them. */
  readonly authorizeUrl: string
  readonly tokenUrl: string
  /** Empty also where the provider has none. */
  readonly userinfoUrl: string
  readonly scope: string
  readonly pkce: boolean
  readonly tokenAuth: TokenAuth | 'discovered'
  /** The values of the plugin's own variables, by suffix: read them with `ownValue`. */
  readonly own: Readonly<Record<string, string>>
}

/** What a plugin tells the configuration. Its name gives the prefix of its variables (`YANDEX_`). */
export interface ProviderDeclaration {
  /** Lower-case letters and digits: in capitals it begins the names of variables. */
  readonly name: string
  readonly defaults: {
    /** Empty: discovery tells it, unless the operator does. The same for the other addresses. */
    readonly authorizeUrl: string
    readonly tokenUrl: string
    /** Absent: the provider has none, and no variable for it. */
    readonly userinfoUrl?: string
    readonly scope: string
    /** `discovered`: the provider's metadata tell it, unless the operator does. */
    readonly tokenAuth: ProviderSettings['tokenAuth']
  }
  /**
   * Whether it has a client secret. `optional`: only `basic` and `body` need it. `none`: there is neither a variable for it
   * nor one for how it is sent. Required where absent.
   */
  readonly clientSecret?: 'required' | 'optional' | 'none'
  /** Whether a login without PKCE cannot succeed: switching it off is refused. */
  readonly pkceRequired?: boolean
  /** The variable that names this provider, where it is no built-in one: it is read even if none of its own is set. */
  readonly listedIn?: string
  /** Variables that only this provider has. */
  readonly variables: readonly OwnVariable[]
}

/** A variable that only one provider has (`GOOGLE_JWKS_URL`). */
export interface OwnVariable {
  /** The name without the provider's prefix: `JWKS_URL`. */
  readonly suffix: string
  /** `address`, where absent, is an https URL. A `secret` never reaches the log and is no single line. */
  readonly kind?: 'address' | 'text' | 'secret'
  /** Absent: whoever configures the provider must set it. Empty: it may stay unset. */
  readonly default?: string
  readonly meaning: string
  /** Tells what is wrong with a value, as the rest of a sentence that begins with the name of the variable. */
  readonly flaw?: (value: string) => string | undefined
}

/** How settings are read. */
export interface ReadOptions {
  /** Whether URLs with plain http are allowed if their host is loopback (development only). */
  readonly loopback: boolean
  /** Receives one sentence per mistake. */
  readonly problems: string[]
}

type Values = Readonly<Record<string, string | undefined>>

/** The prefix of a provider's variables. */
export function prefixOf({ name }: Pick<ProviderDeclaration, 'name'>): string {
  return `${name.toUpperCase()}_`
}

/** The suffixes of a provider's variables, in the order in which documents list them. */
function suffixesOf({ defaults, clientSecret, variables }: ProviderDeclaration): string[] {
  const confidential = clientSecret !== 'none'
  return [
    'CLIENT_ID',
    ...(confidential ? ['CLIENT_SECRET'] : []),
    'AUTHORIZE_URL',
    'TOKEN_URL',
    ...(defaults.userinfoUrl === undefined ? [] : ['USERINFO_URL']),
    'SCOPE',
    'PKCE',
    ...(confidential ? ['TOKEN_AUTH'] : []),
    ...variables.map(({ suffix }) => suffix),
  ]
}

/** The names of all variables of a provider: `YANDEX_CLIENT_ID` and so on. */
export function variablesOf(declaration: ProviderDeclaration): string[] {
  return suffixesOf(declaration).map((suffix) => prefixOf(declaration) + suffix)
}

/** The names of a provider's variables whose values may have several lines, such as a key in PEM. */
export function longVariablesOf(declaration: ProviderDeclaration): string[] {
  return declaration.variables
    .filter(({ kind }) => kind === 'secret')
    .map(({ suffix }) => prefixOf(declaration) + suffix)
}

/** The value of a plugin's own variable. */
export function ownValue({ own }: Pick<ProviderSettings, 'own'>, variable: OwnVariable): string {
  return own[variable.suffix] ?? variable.default ?? ''
}

/**
 * Reads the settings of each provider for which something is set that has no default: its id, secret and the like. If
 * one of them is set, the others must be, too. Mistakes go to `options.problems`, one sentence each.
 * @returns the settings by provider name
 */
export function readProviders(
  env: Values,
  declarations: readonly ProviderDeclaration[],
  options: ReadOptions,
): Map<string, ProviderSettings> {
  const settings = new Map<string, ProviderSettings>()
  for (const declaration of declarations) {
    const prefix = prefixOf(declaration)
    const given = withoutDefault(declaration).filter((suffix) => env[prefix + suffix] !== undefined)
    const [first] = given
    const { listedIn, name } = declaration
    const reason = listedIn ? `${listedIn} names ${name}` : first && `${prefix}${first} is set`
    if (reason === undefined) continue
    for (const suffix of needed(declaration, env))
      if (!given.includes(suffix)) options.problems.push(`${prefix}${suffix} is missing: ${reason}.`)
    settings.set(declaration.name, readProvider(env, declaration, options))
  }
  return settings
}

/** The suffixes of the variables by which an operator configures a provider. */
function withoutDefault({ clientSecret, variables }: ProviderDeclaration): string[] {
  const own = variables.flatMap(({ suffix, default: fallback }) => (fallback === undefined ? [suffix] : []))
  return ['CLIENT_ID', ...(clientSecret === 'none' ? [] : ['CLIENT_SECRET']), ...own]
}

/** The names of the variables without which a provider does not work, as long as nothing else is said of it. */
export function requiredVariablesOf(declaration: ProviderDeclaration): string[] {
  return needed(declaration, {}).map((suffix) => prefixOf(declaration) + suffix)
}

/** Those of them without which the provider does not work. */
function needed(declaration: ProviderDeclaration, env: Values): string[] {
  const all = withoutDefault(declaration)
  if (declaration.clientSecret !== 'optional') return all
  const tokenAuth = env[`${prefixOf(declaration)}TOKEN_AUTH`] ?? declaration.defaults.tokenAuth
  return all.filter((suffix) => suffix !== 'CLIENT_SECRET' || tokenAuth !== 'none')
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
  env: Values,
  declaration: ProviderDeclaration,
  { loopback, problems }: ReadOptions,
): ProviderSettings {
  const { defaults, clientSecret = 'required', pkceRequired = false, variables } = declaration
  const prefix = prefixOf(declaration)
  const value = (suffix: string, fallback: string) => env[prefix + suffix] ?? fallback
  const choice = <T extends string>(suffix: string, options: readonly T[], fallback: T): T => {
    const given = value(suffix, fallback)
    const found = options.find((option) => option === given)
    if (found === undefined) problems.push(`${prefix}${suffix} must be one of ${options.join(', ')}.`)
    return found ?? fallback
  }
  const url = (suffix: string, fallback: string) => {
    const given = value(suffix, fallback)
    if (given !== '' && !isProviderUrl(given, loopback))
      problems.push(
        `${prefix}${suffix} must be an https address (plain http only to loopback, in development).`,
      )
    return given
  }
  const text = (suffix: string, fallback: string, form: RegExp, expected: string) => {
    const given = value(suffix, fallback)
    if (given !== '' && !form.test(given)) problems.push(`${prefix}${suffix} ${expected}.`)
    return given
  }
  const own = ({ suffix, kind = 'address', default: fallback = '', flaw }: OwnVariable): string => {
    const given = kind === 'address' ? url(suffix, fallback) : value(suffix, fallback)
    const found = given === '' ? undefined : flaw?.(given)
    if (found !== undefined) problems.push(`${prefix}${suffix} ${found}`)
    return given
  }
  const pkce = choice('PKCE', ['on', 'off'], 'on') === 'on'
  if (pkceRequired && !pkce)
    problems.push(`${prefix}PKCE=off is refused: without PKCE this provider lets nobody log in.`)
  return {
    clientId: text('CLIENT_ID', '', credential, credentialForm),
    clientSecret: clientSecret === 'none' ? '' : text('CLIENT_SECRET', '', credential, credentialForm),
    authorizeUrl: url('AUTHORIZE_URL', defaults.authorizeUrl),
    tokenUrl: url('TOKEN_URL', defaults.tokenUrl),
    userinfoUrl: defaults.userinfoUrl === undefined ? '' : url('USERINFO_URL', defaults.userinfoUrl),
    scope: text('SCOPE', defaults.scope, scopes, scopesForm),
    pkce,
    tokenAuth:
      clientSecret === 'none'
        ? defaults.tokenAuth
        : choice('TOKEN_AUTH', tokenAuths(declaration), defaults.tokenAuth),
    own: Object.fromEntries(variables.map((variable) => [variable.suffix, own(variable)])),
  }
}

/** What TOKEN_AUTH may say of a provider. */
export function tokenAuths({
  defaults,
  clientSecret,
}: ProviderDeclaration): readonly ProviderSettings['tokenAuth'][] {
  return [
    'basic',
    'body',
    ...(clientSecret === 'optional' ? (['none'] as const) : []),
    ...(defaults.tokenAuth === 'discovered' ? (['discovered'] as const) : []),
  ]
}

/** Whether an address may be used for requests to a provider. @param loopback whether plain http to this machine may be */
export function isProviderUrl(address: string, loopback: boolean): boolean {
  const url = URL.parse(address)
  if (url === null || /\s/.test(address)) return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && loopback && isLoopback(url.hostname))
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
