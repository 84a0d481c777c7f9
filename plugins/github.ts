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
  mark: '<svg aria-hidden="true" viewBox="0 0 24 24"><path fill="currentColor" d="M12 .297c-6.63 0-12 5.373-12 12 0 5.303 3.438 9.8 8.205 11.385.6.113.82-.258.82-.577 0-.285-.01-1.04-.015-2.04-3.338.724-4.042-1.61-4.042-1.61C4.422 18.07 3.633 17.7 3.633 17.7c-1.087-.744.084-.729.084-.729 1.205.084 1.838 1.236 1.838 1.236 1.07 1.835 2.809 1.305 3.495.998.108-.776.417-1.305.76-1.605-2.665-.3-5.466-1.332-5.466-5.93 0-1.31.465-2.38 1.235-3.22-.135-.303-.54-1.523.105-3.176 0 0 1.005-.322 3.3 1.23.96-.267 1.98-.399 3-.405 1.02.006 2.04.138 3 .405 2.28-1.552 3.285-1.23 3.285-1.23.645 1.653.24 2.873.12 3.176.765.84 1.23 1.91 1.23 3.22 0 4.61-2.805 5.625-5.475 5.92.42.36.81 1.096.81 2.22 0 1.606-.015 2.896-.015 3.286 0 .315.21.69.825.57C20.565 22.092 24 17.592 24 12.297c0-6.627-5.373-12-12-12z"/></svg>',
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
