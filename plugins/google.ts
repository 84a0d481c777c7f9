// Google. Protocol: https://developers.google.com/identity/openid-connect/openid-connect; endpoints:
// https://accounts.google.com/.well-known/openid-configuration. The ID token is verified in full.
import { createIdTokenVerifier } from '../src/providers/id-token.ts'
import { normalizeProfile } from '../src/providers/profile.ts'
import { ProviderFailure } from '../src/providers/provider.ts'
import { providerPlugin } from '../src/providers/provider-plugin.ts'
import { ownValue } from '../src/providers/settings.ts'

const issuer = {
  suffix: 'ISSUER',
  default: 'https://accounts.google.com',
  meaning: 'The `iss` of ID tokens and of callbacks (RFC 9207)',
}
const jwksUrl = {
  suffix: 'JWKS_URL',
  default: 'https://www.googleapis.com/oauth2/v3/certs',
  meaning: 'The keys that ID tokens are signed with',
}

/** Google: OpenID Connect with a nonce. It says whether an email is verified, and has no user names. */
export const google = providerPlugin({
  name: 'google',
  title: { ru: 'Google', en: 'Google' },
  mark: { background: '#fff', color: '#1a73e8', lines: 'M16.5 8.5a5.5 5.5 0 1 0 1 3.5H12.5' },
  jurisdiction: 'other',
  gives: ['name', 'email'],
  defaults: {
    authorizeUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
    tokenUrl: 'https://oauth2.googleapis.com/token',
    userinfoUrl: 'https://openidconnect.googleapis.com/v1/userinfo',
    scope: 'openid email profile',
    tokenAuth: 'body',
  },
  variables: [issuer, jwksUrl],
  issuer: (settings) => ownValue(settings, issuer),
  tokenErrors: { redirect_uri_mismatch: 'misconfigured' },
  adapter(client, settings) {
    const idTokens = createIdTokenVerifier({
      provider: 'google',
      client,
      clientId: settings.clientId,
      issuer: ownValue(settings, issuer),
      jwksUrl: ownValue(settings, jwksUrl),
    })
    return {
      background: [{ name: 'keys', work: () => idTokens.refreshKeys() }],

      authorizeUrl: (request) =>
        client.authorizeUrl(request, {
          nonce: request.nonce,
          login_hint: request.loginHint,
          // Google documents no `login`: choosing the account again is the nearest to it.
          prompt: request.prompt === 'login' ? 'select_account' : request.prompt,
        }),

      async identify(grant, signal) {
        await idTokens.ready(signal)
        const tokens = await client.exchange(grant, signal)
        const claims = await idTokens.verify(tokens, grant.nonce, signal)
        const { accessToken } = tokens
        const person = await client.profile(
          { accessToken, headers: { authorization: `Bearer ${accessToken}` } },
          signal,
        )
        const profile = normalizeProfile({
          subject: person.sub,
          name: [person.name],
          login: [],
          email: [person.email],
          emailVerified: person.email_verified,
        })
        // OpenID Connect Core §5.3.2: otherwise the response describes another person and must not be used.
        if (profile.subject !== claims.sub)
          throw new ProviderFailure('invalid_response', 'google userinfo: another subject than the ID token')
        return profile
      },
    }
  },
})
