// Google. Protocol: https://developers.google.com/identity/openid-connect/openid-connect; addresses:
// https://accounts.google.com/.well-known/openid-configuration. OpenID Connect: the ID token is verified in full.
import { createIdTokenVerifier } from '../src/providers/id-token.ts'
import { normalizeProfile } from '../src/providers/profile.ts'
import { ProviderFailure } from '../src/providers/provider.ts'
import { providerPlugin } from '../src/providers/provider-plugin.ts'

/** Google: OpenID Connect with a nonce, and an email that says whether it is verified; there are no logins. */
export const google = providerPlugin({
  name: 'google',
  title: { ru: 'Google', en: 'Google' },
  jurisdiction: 'other',
  defaults: {
    authorizeUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
    tokenUrl: 'https://oauth2.googleapis.com/token',
    userinfoUrl: 'https://openidconnect.googleapis.com/v1/userinfo',
    scope: 'openid email profile',
    tokenAuth: 'body',
  },
  variables: {
    issuer: {
      suffix: 'ISSUER',
      default: 'https://accounts.google.com',
      meaning: 'The `iss` of ID tokens and of callbacks (RFC 9207)',
    },
    jwksUrl: {
      suffix: 'JWKS_URL',
      default: 'https://www.googleapis.com/oauth2/v3/certs',
      meaning: 'The keys that ID tokens are signed with',
    },
  },
  issuer: (settings) => settings.own.issuer,
  refusals: { redirect_uri_mismatch: 'misconfigured' },
  adapter(client, settings) {
    const idTokens = createIdTokenVerifier({
      provider: 'google',
      client,
      clientId: settings.clientId,
      ...settings.own,
    })
    return {
      background: { name: 'keys', work: () => idTokens.refreshKeys() },

      authorizeUrl: (request) =>
        client.authorizeUrl(request, {
          nonce: request.nonce,
          login_hint: request.loginHint,
          prompt: request.prompt,
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
        // OpenID Connect Core §5.3.2: otherwise the answer is somebody else's and must not be used.
        if (profile.subject !== claims.sub)
          throw new ProviderFailure('invalid_response', 'google userinfo: another subject than the ID token')
        return profile
      },
    }
  },
})
