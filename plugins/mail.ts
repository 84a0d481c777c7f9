// Mail (Mail.ru). Protocol: https://id.vk.com/about/business/go/docs/ru/vkid/latest/oauth/oauth-mail/index.
// Where its documentation is silent, what clients in use do: python-social-auth, Keycloak's Russian providers.
import { joinNames, normalizeProfile } from '../src/providers/profile.ts'
import { providerPlugin } from '../src/providers/provider-plugin.ts'

/** Mail: refusals come with a 200 and in words of its own, there is no `token_type`, the token goes in the query. */
export const mail = providerPlugin({
  name: 'mail',
  title: { ru: 'Mail.ru', en: 'Mail.ru' },
  jurisdiction: 'ru',
  defaults: {
    authorizeUrl: 'https://oauth.mail.ru/login',
    tokenUrl: 'https://oauth.mail.ru/token',
    userinfoUrl: 'https://oauth.mail.ru/userinfo',
    scope: 'userinfo',
    tokenAuth: 'basic',
  },
  variables: {},
  // "token not found" (error_code 6) is what a wrong, used or expired code is told.
  refusals: { 'token not found': 'invalid_grant', 'invalid client': 'misconfigured' },
  adapter: (client) => ({
    // It documents neither a hint nor a choice of account.
    authorizeUrl: (request) => client.authorizeUrl(request),

    async identify(grant, signal) {
      const { accessToken } = await client.exchange(grant, signal)
      // Its userinfo does not read the Authorization header (error_code 2).
      const person = await client.profile({ accessToken, query: { access_token: accessToken } }, signal)
      return normalizeProfile({
        // `sub` where the newer scopes (`openid profile`) are asked for. Never `client_id`, which stands beside
        // it and is the application's own.
        subject: person.id ?? person.sub,
        name: [person.name, joinNames(person.first_name, person.last_name), person.nickname],
        login: [person.nickname],
        email: [person.email],
      })
    },
  }),
})
