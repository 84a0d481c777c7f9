// T-ID of T-Bank. Protocol: https://developer.tbank.ru (section T-ID). Where it says nothing, this does what existing
// clients do.
import { joinNames, normalizeProfile } from '../src/providers/profile.ts'
import { providerPlugin } from '../src/providers/provider-plugin.ts'

/** T-ID: userinfo is a POST with token and credentials, what it tells is set by the contract, and there is no email. */
export const tid = providerPlugin({
  name: 'tid',
  title: { ru: 'T-ID', en: 'T-ID' },
  mark: '<svg aria-hidden="true" viewBox="0 0 24 24"><path fill="#ffdd2d" d="M2 4h20v8.5c0 4.2-3 6.8-10 9.5-7-2.7-10-5.3-10-9.5z"/><path fill="#333" d="M7 7h10v3c-.5-.7-1.3-1-2.2-1h-1.3v5.5c0 .8.3 1.5.8 2H9.7c.5-.5.8-1.2.8-2V9H9.2c-.9 0-1.7.3-2.2 1z"/></svg>',
  jurisdiction: 'ru',
  gives: ['name'],
  defaults: {
    authorizeUrl: 'https://id.tbank.ru/auth/authorize',
    tokenUrl: 'https://id.tbank.ru/auth/token',
    userinfoUrl: 'https://id.tbank.ru/userinfo/userinfo',
    // The contract sets the scopes.
    scope: '',
    tokenAuth: 'basic',
  },
  variables: [],
  adapter: (client, { clientId, clientSecret }) => ({
    // T-ID documents neither a login hint nor a choice of account.
    authorizeUrl: (request) => client.authorizeUrl(request),

    async identify(grant, signal) {
      const { accessToken } = await client.exchange(grant, signal)
      const person = await client.profile(
        {
          accessToken,
          headers: { authorization: `Bearer ${accessToken}` },
          form: { client_id: clientId, client_secret: clientSecret },
        },
        signal,
      )
      return normalizeProfile({
        // There is no `id`. A client that takes it for the subject makes one user of all people.
        subject: person.sub,
        // `name` has the family name first.
        name: [joinNames(person.given_name, person.family_name), person.name],
        login: [],
        email: [],
      })
    },
  }),
})
