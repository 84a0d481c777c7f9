// Telegram, by OpenID Connect: https://core.telegram.org/bots/telegram-login. Endpoints:
// https://oauth.telegram.org/.well-known/openid-configuration. The old login widget sends no code and is not supported.
import { createIdTokenVerifier } from '../src/providers/id-token.ts'
import { joinNames, normalizeProfile } from '../src/providers/profile.ts'
import { providerPlugin } from '../src/providers/provider-plugin.ts'
import { ownValue } from '../src/providers/settings.ts'

const issuer = {
  suffix: 'ISSUER',
  default: 'https://oauth.telegram.org',
  meaning: 'The `iss` of its ID tokens',
}
const jwksUrl = {
  suffix: 'JWKS_URL',
  default: 'https://oauth.telegram.org/.well-known/jwks.json',
  meaning: 'The keys that its ID tokens are signed with',
}

/** Telegram: the ID token says everything, as there is no userinfo, and never an email. */
export const telegram = providerPlugin({
  name: 'telegram',
  title: { ru: 'Telegram', en: 'Telegram' },
  mark: { background: '#26a5e4', color: '#fff', lines: 'M5 11.5L19 6l-2.5 12-4.5-3.5-2.5 3-.5-4.5z' },
  jurisdiction: 'other',
  gives: ['name', 'login'],
  defaults: {
    authorizeUrl: 'https://oauth.telegram.org/auth',
    tokenUrl: 'https://oauth.telegram.org/token',
    scope: 'openid profile',
    tokenAuth: 'basic',
  },
  variables: [issuer, jwksUrl],
  // Its answers may have an ID token alone.
  tokenRules: { accessToken: 'optional' },
  adapter(client, settings) {
    const idTokens = createIdTokenVerifier({
      provider: 'telegram',
      client,
      clientId: settings.clientId,
      issuer: ownValue(settings, issuer),
      jwksUrl: ownValue(settings, jwksUrl),
      // The bot's owner chooses one. jose has no ES256K.
      algorithms: ['RS256', 'ES256', 'EdDSA', 'Ed25519'],
      // Measured: it does not always repeat the nonce. PKCE still binds the code to this login, unless it is switched off.
      nonce: settings.pkce ? 'if-present' : 'required',
    })
    return {
      background: [{ name: 'keys', work: () => idTokens.refreshKeys() }],

      authorizeUrl: (request) => client.authorizeUrl(request, { nonce: request.nonce }),

      async identify(grant, signal) {
        await idTokens.ready(signal)
        const tokens = await client.exchange(grant, signal, { fields: { client_id: settings.clientId } })
        const claims = await idTokens.verify(tokens, grant.nonce, signal)
        return normalizeProfile({
          // The id of the Telegram account. `sub` depends on the bot, so falling back to it would make two users of one person.
          subject: claims.id,
          name: [claims.name, joinNames(claims.given_name, claims.family_name)],
          login: [claims.preferred_username],
          email: [],
        })
      },
    }
  },
})
