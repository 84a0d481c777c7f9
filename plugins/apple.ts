// Sign in with Apple. Protocol: https://developer.apple.com/documentation/signinwithapplerestapi; keys and endpoints:
// https://appleid.apple.com/.well-known/openid-configuration.
import type { KeyObject } from 'node:crypto'
import { createPrivateKey } from 'node:crypto'
import { SignJWT } from 'jose'
import { createIdTokenVerifier } from '../src/providers/id-token.ts'
import { joinNames, normalizeProfile, notTold } from '../src/providers/profile.ts'
import { providerPlugin } from '../src/providers/provider-plugin.ts'
import type { JsonObject } from '../src/providers/response.ts'
import { parseJsonObject } from '../src/providers/response.ts'
import type { ProviderSettings } from '../src/providers/settings.ts'
import { ownValue } from '../src/providers/settings.ts'

const teamId = {
  suffix: 'TEAM_ID',
  kind: 'text',
  meaning: 'The id of your team at Apple',
  flaw: idFlaw,
} as const
const keyId = { suffix: 'KEY_ID', kind: 'text', meaning: 'The id of the key below', flaw: idFlaw } as const
const privateKey = {
  suffix: 'PRIVATE_KEY',
  kind: 'secret',
  meaning: 'The key for Sign in with Apple (the .p8 file), in PEM; line ends may be written as \\n',
  flaw: (value: string) =>
    keyOf(value) === undefined ? 'must be a P-256 key in PEM: the .p8 file as Apple gave it.' : undefined,
} as const
const issuer = {
  suffix: 'ISSUER',
  default: 'https://appleid.apple.com',
  meaning: 'The `iss` of its ID tokens',
}
const jwksUrl = {
  suffix: 'JWKS_URL',
  default: 'https://appleid.apple.com/auth/keys',
  meaning: 'The keys that its ID tokens are signed with',
}

/** What a client secret is addressed to, wherever the service finds Apple. */
const audience = 'https://appleid.apple.com'

/** Seconds. Apple accepts up to six months, but each secret is for one request. */
const secretLives = 300

/**
 * Apple: the callback is a POST, the client secret is signed for each request, and the name comes with a person's first
 * consent only.
 */
export const apple = providerPlugin({
  name: 'apple',
  title: { ru: 'Apple', en: 'Apple' },
  mark: {
    background: '#000',
    color: '#fff',
    lines:
      'M12 9c-4.5-2.5-6.5 1.5-5.5 4.8S9.8 19 12 17.6c2.2 1.400 4.5-.5 5.5-3.8S16.5 6.5 12 9zM12 9c0-2 1-3.5 3-4',
  },
  jurisdiction: 'other',
  gives: ['name', 'email'],
  callbackMethod: 'POST',
  callbackParameters: { user: 'optional' },
  isUsableParameter: (_name, value) => userOf(value) !== undefined,
  denials: ['user_cancelled_authorize'],
  clientSecret: 'none',
  defaults: {
    authorizeUrl: 'https://appleid.apple.com/auth/authorize',
    tokenUrl: 'https://appleid.apple.com/auth/token',
    scope: 'name email',
    tokenAuth: 'none',
  },
  variables: [teamId, keyId, privateKey, issuer, jwksUrl],
  adapter(client, settings) {
    const idTokens = createIdTokenVerifier({
      provider: 'apple',
      client,
      clientId: settings.clientId,
      issuer: ownValue(settings, issuer),
      jwksUrl: ownValue(settings, jwksUrl),
    })
    const key = keyOf(ownValue(settings, privateKey))
    if (key === undefined) throw new Error('The configuration let a key pass that cannot sign.')
    return {
      background: [{ name: 'keys', work: () => idTokens.refreshKeys() }],

      // Apple documents neither a login hint nor a choice of account.
      authorizeUrl: (request) =>
        client.authorizeUrl(request, { response_mode: 'form_post', nonce: request.nonce }),

      async identify(grant, signal) {
        await idTokens.ready(signal)
        const secret = await clientSecret(settings, key)
        const tokens = await client.exchange(grant, signal, { fields: { client_secret: secret } })
        const claims = await idTokens.verify(tokens, grant.nonce, signal)
        const user = userOf(grant.callbackParameters.user ?? '') ?? {}
        const { firstName, lastName }: JsonObject = Object(user.name)
        const name = joinNames(firstName, lastName)
        // What stands in `user` came through the browser, and Apple vouches for none of it.
        const [email, verified] = isText(claims.email)
          ? [claims.email, booleanOf(claims.email_verified)]
          : [user.email, undefined]
        return normalizeProfile({
          subject: claims.sub,
          name: name === undefined ? notTold : [name],
          login: [],
          email: isText(email) ? [email] : notTold,
          emailVerified: verified,
        })
      },
    }
  },
})

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

function idFlaw(value: string): string | undefined {
  return /^[A-Za-z0-9]{1,32}$/.test(value) ? undefined : 'must be letters and digits, as Apple shows it.'
}

/** @returns undefined for anything but a private key of P-256, which is what Apple gives (ES256) */
function keyOf(pem: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(pem.replaceAll('\\n', '\n'))
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined
  } catch {
    return undefined
  }
}

/** A client secret for one request: https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret. */
function clientSecret(settings: ProviderSettings, key: KeyObject): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  return new SignJWT()
    .setProtectedHeader({ alg: 'ES256', kid: ownValue(settings, keyId) })
    .setIssuer(ownValue(settings, teamId))
    .setSubject(settings.clientId)
    .setAudience(audience)
    .setIssuedAt(now)
    .setExpirationTime(now + secretLives)
    .sign(key)
}

/** The callback's `user`, JSON that comes once: `{"name":{"firstName","lastName"},"email"}`. */
function userOf(value: string): JsonObject | undefined {
  return parseJsonObject(Buffer.from(value))
}

/** Apple sends booleans also as text. */
function booleanOf(value: unknown): unknown {
  return value === 'true' ? true : value === 'false' ? false : value
}
