import { Variables } from '../../src/config/variables.ts'
import type { ProviderDeclaration, ProviderSettings } from '../../src/providers/settings.ts'
import { readProviders, tokenAuths } from '../../src/providers/settings.ts'

/** A variable as documents must show it. */
export interface DocumentedVariable {
  readonly name: string
  readonly fallback: string | undefined
  /** Empty for a provider's common variables, which have no text in the code. */
  readonly meaning: string
  /** Words that its row must contain: the least and greatest number, or the choices. */
  readonly bounds: readonly string[]
}

/** Every variable that the service reads. */
export function environmentVariables(providers: readonly ProviderDeclaration[]): DocumentedVariable[] {
  return [...commonVariables(), ...providers.flatMap((provider) => providerVariables(provider))]
}

/** Those of `src/config/variables.ts`. */
export function commonVariables(): DocumentedVariable[] {
  return Object.entries(Variables.properties).map(([name, schema]: [string, object]) => ({
    name,
    fallback: 'default' in schema ? String(schema.default) : undefined,
    meaning: 'description' in schema ? String(schema.description) : '',
    bounds: boundsOf(schema),
  }))
}

function boundsOf(schema: object): string[] {
  if ('minimum' in schema && 'maximum' in schema)
    return [`${String(schema.minimum)} to ${String(schema.maximum)}`]
  if ('anyOf' in schema && Array.isArray(schema.anyOf))
    return schema.anyOf.map((option: { readonly const: string }) => option.const)
  return 'const' in schema ? [String(schema.const)] : []
}

const settingOf: Readonly<Record<string, (settings: ProviderSettings) => string | undefined>> = {
  CLIENT_ID: () => undefined,
  CLIENT_SECRET: () => undefined,
  AUTHORIZE_URL: (settings) => settings.authorizeUrl,
  TOKEN_URL: (settings) => settings.tokenUrl,
  USERINFO_URL: (settings) => settings.userinfoUrl,
  SCOPE: (settings) => settings.scope,
  PKCE: (settings) => (settings.pkce ? 'on' : 'off'),
  TOKEN_AUTH: (settings) => settings.tokenAuth,
}

/** Suffixes that every provider has. */
export const commonSuffixes = Object.keys(settingOf)

/**
 * A provider's variables: exactly those that the configuration reads for it, found by observing it.
 * @throws {Error} for a common variable that is missing in this file
 */
export function providerVariables(provider: ProviderDeclaration): DocumentedVariable[] {
  const prefix = `${provider.name.toUpperCase()}_`
  const asked = new Set<string>()
  const environment = new Proxy<Record<string, string | undefined>>(
    {},
    {
      get(_target, name) {
        asked.add(String(name))
        return /_CLIENT_(ID|SECRET)$/.test(String(name)) ? 'given' : undefined
      },
    },
  )
  const settings = readProviders(environment, [provider], { loopback: false, problems: [] }).get(
    provider.name,
  )
  if (settings === undefined) throw new Error(`${provider.name} was not read.`)
  return [...asked].map((name) => {
    const suffix = name.slice(prefix.length)
    const variable = provider.variables.find((one) => one.suffix === suffix)
    if (variable !== undefined)
      return { name, fallback: variable.default || undefined, meaning: variable.meaning, bounds: [] }
    const read = settingOf[suffix]
    if (read === undefined) throw new Error(`${name} is read, and no document knows it.`)
    const choices: Readonly<Record<string, readonly string[]>> = {
      PKCE: provider.pkceRequired === true ? ['on'] : ['on', 'off'],
      TOKEN_AUTH: tokenAuths(provider),
    }
    return { name, fallback: read(settings) || undefined, meaning: '', bounds: choices[suffix] ?? [] }
  })
}
