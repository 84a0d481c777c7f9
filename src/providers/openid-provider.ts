import { isDeepStrictEqual } from 'node:util'
import type { BackgroundWork } from './background.ts'
import type { ProviderMetadata } from './discovery.ts'
import { discover } from './discovery.ts'
import type { IdTokenVerifier } from './id-token.ts'
import { createIdTokenVerifier } from './id-token.ts'
import type { OAuthClient } from './oauth-client.ts'
import { normalizeProfile } from './profile.ts'
import type { AuthorizationGrant } from './provider.ts'
import { ProviderFailure } from './provider.ts'
import type { ProviderPlugin } from './provider-plugin.ts'
import { providerPlugin } from './provider-plugin.ts'
import type { OwnVariable, ProviderDeclaration, ProviderSettings } from './settings.ts'
import { ownValue } from './settings.ts'

const issuer = {
  suffix: 'ISSUER',
  meaning: 'Its `issuer`, exactly as its metadata say it; they are read from there',
  flaw: (value: string) => (/[?#]/.test(value) ? 'must be an address without ? and #.' : undefined),
}
const jwksUrl = { suffix: 'JWKS_URL', default: '', meaning: 'The keys that ID tokens are signed with' }
const title = (suffix: string, language: string): OwnVariable => ({
  suffix,
  kind: 'text',
  default: '',
  meaning: `Its name for a button, in ${language}`,
  flaw: (value) => (value.length > 64 ? 'must have at most 64 characters.' : undefined),
})
const titles = { ru: title('TITLE_RU', 'Russian'), en: title('TITLE_EN', 'English') }
const jurisdiction: OwnVariable = {
  suffix: 'JURISDICTION',
  kind: 'text',
  default: 'other',
  meaning: 'The law that its owner is under: ru or other',
  flaw: (value) => (value === 'ru' || value === 'other' ? undefined : 'must be one of ru, other.'),
}

/** The variable that lists the names. */
const list = 'OIDC_PROVIDERS'

/** What an OpenID provider of this name is configured by. Addresses that are not set come from its metadata. */
export function openIdDeclaration(name: string): ProviderDeclaration {
  return {
    name,
    listedIn: list,
    clientSecret: 'optional',
    defaults: {
      authorizeUrl: '',
      tokenUrl: '',
      userinfoUrl: '',
      scope: 'openid email profile',
      tokenAuth: 'discovered',
    },
    variables: [issuer, jwksUrl, titles.ru, titles.en, jurisdiction],
  }
}

/**
 * Reads OIDC_PROVIDERS: names of OpenID providers that the operator adds to the built-in ones.
 * @param problems receives a sentence for each name that cannot be used
 */
export function openIdDeclarations(
  value: string | undefined,
  builtIn: readonly ProviderDeclaration[],
  problems: string[],
): ProviderDeclaration[] {
  const taken = new Set(builtIn.map(({ name }) => name))
  const declarations: ProviderDeclaration[] = []
  const names = (value ?? '').split(',').map((entry) => entry.trim())
  for (const name of names.filter((one) => one !== '')) {
    // A variable whose name begins with a digit can be set by no shell.
    if (!/^[a-z][a-z0-9]{0,31}$/.test(name))
      problems.push(`${list} must be names of lower-case letters and digits, comma-separated, such as corp.`)
    else if (taken.has(name))
      problems.push(`${list} must not name ${name}: there is a provider of that name.`)
    else declarations.push(openIdDeclaration(name))
    taken.add(name)
  }
  return declarations
}

/** What is known of a provider once its metadata have been read. */
interface Known {
  readonly metadata: ProviderMetadata
  readonly client: OAuthClient
  readonly idTokens: IdTokenVerifier
  readonly hasUserinfo: boolean
}

const day = 86_400_000

/** Milliseconds until metadata that could not be read are asked for again: ten seconds, growing to sixty. */
export function rediscoveryPause(failures: number): number {
  return Math.min(60_000, 10_000 * 2 ** (failures - 1))
}

/**
 * Any OpenID provider, by configuration alone (OpenID Connect Discovery). Until its metadata have been read for the first
 * time, no login can start through it; later the last good ones stay in use.
 * @param pace how often they are read; daily where absent
 */
export function openIdProvider(
  declaration: ProviderDeclaration,
  configured: ProviderSettings,
  pace: Pick<BackgroundWork, 'every' | 'again'> = { every: day, again: rediscoveryPause },
): ProviderPlugin {
  const { name } = declaration
  const [ru, en] = [ownValue(configured, titles.ru), ownValue(configured, titles.en)]
  return providerPlugin({
    ...declaration,
    title: { ru: ru || en || name, en: en || ru || name },
    jurisdiction: ownValue(configured, jurisdiction) === 'ru' ? 'ru' : 'other',
    gives: ['name', 'email'],
    issuer: (settings) => ownValue(settings, issuer),
    startsUnknown: true,
    adapter(client, settings, works) {
      let known: Known | undefined
      const inUse = (): Known => {
        if (known !== undefined) return known
        throw new ProviderFailure('unavailable', `${name}: its metadata are not read yet`, {
          codeUnspent: true,
        })
      }
      const rediscover = async () => {
        const metadata = await discover(client, name, ownValue(settings, issuer))
        // The verifier holds the keys, so one that is still right stays.
        if (!isDeepStrictEqual(known?.metadata, metadata)) known = connected(name, client, settings, metadata)
        works()
        await known?.idTokens.refreshKeys()
      }
      return {
        background: [
          { name: 'discovery', work: rediscover, ...pace },
          { name: 'keys', work: async () => known?.idTokens.refreshKeys() },
        ],
        requiresIssuer: () => known?.metadata.sendsIssuer === true,
        authorizeUrl: (request) =>
          inUse().client.authorizeUrl(request, {
            nonce: request.nonce,
            login_hint: request.loginHint,
            prompt: request.prompt,
            max_age: request.maxAge,
          }),
        identify: (grant, signal) => identify(name, inUse(), grant, signal),
      }
    },
  })
}

/** The operator's own addresses go before those of the metadata. */
function connected(
  provider: string,
  client: OAuthClient,
  settings: ProviderSettings,
  metadata: ProviderMetadata,
): Known {
  const userinfoUrl = settings.userinfoUrl || metadata.userinfoUrl
  const usable = client.with({
    authorizeUrl: settings.authorizeUrl || metadata.authorizeUrl,
    tokenUrl: settings.tokenUrl || metadata.tokenUrl,
    userinfoUrl,
    tokenAuth: settings.tokenAuth === 'discovered' ? metadata.tokenAuth : settings.tokenAuth,
  })
  const idTokens = createIdTokenVerifier({
    provider,
    client,
    clientId: settings.clientId,
    issuer: ownValue(settings, issuer),
    jwksUrl: ownValue(settings, jwksUrl) || metadata.jwksUrl,
    algorithms: metadata.algorithms,
  })
  return { metadata, client: usable, idTokens, hasUserinfo: userinfoUrl !== '' }
}

async function identify(
  provider: string,
  { client, idTokens, hasUserinfo }: Known,
  grant: AuthorizationGrant,
  signal: AbortSignal,
) {
  await idTokens.ready(signal)
  const tokens = await client.exchange(grant, signal)
  const claims = await idTokens.verify(tokens, grant.nonce, signal)
  const { accessToken } = tokens
  const headers = { authorization: `Bearer ${accessToken}` }
  const person = hasUserinfo ? await client.profile({ accessToken, headers }, signal) : claims
  const profile = normalizeProfile({
    subject: person.sub,
    name: [person.name],
    login: [],
    email: [person.email],
    emailVerified: person.email_verified,
  })
  // OpenID Connect Core §5.3.2: otherwise the response describes another person and must not be used.
  if (profile.subject !== claims.sub)
    throw new ProviderFailure('invalid_response', `${provider} userinfo: another subject than the ID token`)
  return profile
}
