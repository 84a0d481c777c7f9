// GitHub. Protocol: https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps; profile:
// https://docs.github.com/en/rest/users. Plain OAuth 2.0: there is no ID token.
import type { OAuthClient } from '../src/providers/oauth-client.ts'
import { normalizeProfile, notTold } from '../src/providers/profile.ts'
import { ProviderFailure } from '../src/providers/provider.ts'
import { providerPlugin } from '../src/providers/provider-plugin.ts'
import { isJsonObject } from '../src/providers/response.ts'
import { ownValue } from '../src/providers/settings.ts'

const emailsUrl = {
  suffix: 'EMAILS_URL',
  default: 'https://api.github.com/user/emails',
  meaning: 'The list of a person’s email addresses',
}

/** GitHub: its errors have status 200, and the email is in a list of its own, where only a verified primary one counts. */
export const github = providerPlugin({
  name: 'github',
  title: { ru: 'GitHub', en: 'GitHub' },
  mark: { background: '#24292f', color: '#fff', lines: 'M8 8v8M8 13c5 0 8-1 8-4.5M8 5.5v1M8 17.5v1M16 6v1' },
  jurisdiction: 'other',
  gives: ['name', 'login', 'email'],
  defaults: {
    authorizeUrl: 'https://github.com/login/oauth/authorize',
    tokenUrl: 'https://github.com/login/oauth/access_token',
    userinfoUrl: 'https://api.github.com/user',
    scope: 'read:user user:email',
    tokenAuth: 'body',
  },
  variables: [emailsUrl],
  tokenErrors: {
    bad_verification_code: 'invalid_grant',
    incorrect_client_credentials: 'misconfigured',
    redirect_uri_mismatch: 'misconfigured',
    // What it says of an unknown client id.
    'Not Found': 'misconfigured',
  },
  adapter(client, settings) {
    const url = new URL(ownValue(settings, emailsUrl))
    return {
      authorizeUrl: (request) =>
        client.authorizeUrl(request, {
          login: request.loginHint,
          // The only value that GitHub documents.
          prompt: request.prompt && 'select_account',
        }),

      async identify(grant, signal) {
        const { accessToken } = await client.exchange(grant, signal)
        const request = { accessToken, headers: { authorization: `Bearer ${accessToken}` } }
        const [person, emails] = await Promise.all([
          client.profile(request, signal),
          verifiedEmails(client, url, request, signal),
        ])
        return normalizeProfile({
          subject: person.id,
          name: [person.name],
          login: [person.login],
          // Never the `email` of the profile: a person chooses it, and it may be unverified.
          email: emails,
          emailVerified: true,
        })
      },
    }
  },
})

/** The primary address if it is verified. A list that cannot be read costs nobody a login. */
async function verifiedEmails(
  client: OAuthClient,
  url: URL,
  request: Parameters<OAuthClient['profile']>[0],
  signal: AbortSignal,
): Promise<readonly unknown[] | typeof notTold> {
  try {
    const entries = await client.list('emails', url, request, signal)
    return entries.flatMap((entry) =>
      isJsonObject(entry) && entry.primary === true && entry.verified === true ? [entry.email] : [],
    )
  } catch (error) {
    if (error instanceof ProviderFailure) return notTold
    throw error
  }
}
