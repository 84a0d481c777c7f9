// Yandex ID. Protocol: https://yandex.com/dev/id/doc/en/codes/code-url; profile:
// https://yandex.com/dev/id/doc/en/user-information. Plain OAuth 2.0: there is no ID token.
import { joinNames, normalizeProfile } from '../src/providers/profile.ts'
import { ProviderFailure } from '../src/providers/provider.ts'
import { providerPlugin } from '../src/providers/provider-plugin.ts'

/** Yandex: the access token goes into an `Authorization` header of its own scheme, and an account may have no email. */
export const yandex = providerPlugin({
  name: 'yandex',
  title: { ru: 'Яндекс', en: 'Yandex' },
  mark: {
    background: '#fc3f1d',
    color: '#fff',
    lines: 'M14 18V6h-2.5a2.9 2.9 0 0 0 0 5.8H14M11.5 11.8L8.5 18',
  },
  jurisdiction: 'ru',
  gives: ['name', 'login', 'email'],
  defaults: {
    authorizeUrl: 'https://oauth.yandex.ru/authorize',
    tokenUrl: 'https://oauth.yandex.ru/token',
    userinfoUrl: 'https://login.yandex.ru/info',
    scope: 'login:info login:email',
    tokenAuth: 'basic',
  },
  variables: [],
  tokenErrors: { bad_verification_code: 'invalid_grant' },
  adapter: (client, settings) => ({
    authorizeUrl: (request) =>
      client.authorizeUrl(request, {
        login_hint: request.loginHint,
        // Yandex has no `prompt`. `force_confirm` shows the account that would be used, with a link to change it.
        force_confirm: request.prompt === undefined ? undefined : 'yes',
      }),

    async identify(grant, signal) {
      const { accessToken } = await client.exchange(grant, signal)
      const person = await client.profile(
        { accessToken, headers: { authorization: `OAuth ${accessToken}` }, query: { format: 'json' } },
        signal,
      )
      // An access token that was issued to another application must not log anybody in here.
      if (person.client_id !== undefined && person.client_id !== settings.clientId)
        throw new ProviderFailure(
          'invalid_response',
          'yandex userinfo: the token is not for this application',
        )
      return normalizeProfile({
        subject: person.id,
        name: [person.real_name, joinNames(person.first_name, person.last_name), person.display_name],
        login: [person.login],
        // Accounts created by phone or through a social network have an empty `default_email` and no `emails`.
        email: [person.default_email, ...(Array.isArray(person.emails) ? person.emails : [])],
      })
    },
  }),
})
