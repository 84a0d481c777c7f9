// T-ID of T-Bank. Protocol: https://developer.tbank.ru (section T-ID). Where it says nothing, this does what existing
// clients do.
import { joinNames, normalizeProfile } from '../src/providers/profile.ts'
import { providerPlugin } from '../src/providers/provider-plugin.ts'

/** T-ID: userinfo is a POST with token and credentials, what it tells is set by the contract, and there is no email. */
export const tid = providerPlugin({
  name: 'tid',
  title: { ru: 'T-ID', en: 'T-ID' },
  mark: { background: '#ffdd2d', color: '#333', lines: 'M7 8h10M12 8v9' },
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
