// Mail (Mail.ru). Protocol: https://id.vk.com/about/business/go/docs/ru/vkid/latest/oauth/oauth-mail/index.
// Where its documentation says nothing, this does what existing clients do: python-social-auth, Keycloak's Russian
// providers.
import { joinNames, normalizeProfile } from '../src/providers/profile.ts'
import { providerPlugin } from '../src/providers/provider-plugin.ts'

/**
 * Mail: error responses have status 200 and error codes of its own, the token response has no `token_type`, and
 * userinfo takes the access token in the query.
 */
export const mail = providerPlugin({
  name: 'mail',
  title: { ru: 'Mail.ru', en: 'Mail.ru' },
  mark: {
    background: '#005ff9',
    color: '#ff9e00',
    lines: 'M15 12a3 3 0 1 0-6 0 3 3 0 0 0 6 0v1.2a2 2 0 0 0 4 0V12a7 7 0 1 0-3 5.7',
  },
  jurisdiction: 'ru',
  gives: ['name', 'login', 'email'],
  defaults: {
    authorizeUrl: 'https://oauth.mail.ru/login',
    tokenUrl: 'https://oauth.mail.ru/token',
    userinfoUrl: 'https://oauth.mail.ru/userinfo',
    scope: 'userinfo',
    tokenAuth: 'basic',
  },
  variables: [],
  // "token not found" (error_code 6) is the error for a code that is wrong, used or expired.
  tokenErrors: { 'token not found': 'invalid_grant', 'invalid client': 'misconfigured' },
  adapter: (client) => ({
    // Mail documents neither a login hint nor a choice of account.
    authorizeUrl: (request) => client.authorizeUrl(request),

    async identify(grant, signal) {
      const { accessToken } = await client.exchange(grant, signal)
      // Its userinfo does not read the Authorization header (error_code 2).
      const person = await client.profile({ accessToken, query: { access_token: accessToken } }, signal)
      return normalizeProfile({
        // With the newer scopes (`openid profile`) the subject is in `sub`. Never take `client_id`, which is also in the
        // response: it is the application's own.
        subject: person.id ?? person.sub,
        name: [person.name, joinNames(person.first_name, person.last_name), person.nickname],
        login: [person.nickname],
        email: [person.email],
      })
    },
  }),
})
