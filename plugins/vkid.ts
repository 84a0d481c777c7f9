// VK ID (OAuth 2.1). Protocol: https://id.vk.com/about/business/go/docs/ru/vkid/latest/vk-id/connection/api-integration/api-description;
// where it says nothing, this does what the vendor's own VKCOM/vkid-web-sdk does.
import { joinNames, normalizeProfile } from '../src/providers/profile.ts'
import { ProviderFailure } from '../src/providers/provider.ts'
import { providerPlugin } from '../src/providers/provider-plugin.ts'
import type { JsonObject } from '../src/providers/response.ts'
import { isJsonObject } from '../src/providers/response.ts'

/** The accounts within VK ID that it can be told to ask for: those of Odnoklassniki and of Mail. */
const accounts = ['ok_ru', 'mail_ru'] as const

/**
 * VK ID: a public client with PKCE, and a `device_id` that comes with the code and goes into the exchange. Its errors have
 * status 200, its userinfo is a POST, and an account made by phone has no email.
 */
export const vkid = providerPlugin({
  name: 'vkid',
  title: { ru: 'VK ID', en: 'VK ID' },
  mark: { background: '#0077ff', color: '#fff', lines: 'M5.5 8l3 8 3-8M14 8v8M18.5 8L14 12l4.5 4' },
  jurisdiction: 'ru',
  gives: ['name', 'email'],
  accounts,
  defaults: {
    authorizeUrl: 'https://id.vk.ru/authorize',
    tokenUrl: 'https://id.vk.ru/oauth2/auth',
    userinfoUrl: 'https://id.vk.ru/oauth2/user_info',
    scope: 'vkid.personal_info email',
    tokenAuth: 'none',
  },
  clientSecret: 'optional',
  pkceRequired: true,
  variables: [],
  callbackParameters: { device_id: 'required' },
  tokenErrors,
  adapter: (client, settings) => ({
    authorizeUrl(request) {
      const account = accounts.find((one) => one === request.providerAccount)
      // The vendor's own client asks to log in there, whatever account is open in the browser.
      const prompts = [account && 'login', request.prompt].filter((one) => one !== undefined)
      return client.authorizeUrl(request, {
        provider: account,
        prompt: prompts.length === 0 ? undefined : prompts.join(' '),
      })
    },

    async identify(grant, signal) {
      const { clientId, clientSecret, tokenAuth } = settings
      const { device_id: deviceId = '' } = grant.callbackParameters
      const serviceToken = tokenAuth === 'none' && clientSecret !== '' ? { service_token: clientSecret } : {}
      const { accessToken, json } = await client.exchange(grant, signal, {
        fields: { client_id: clientId, device_id: deviceId, state: grant.state, ...serviceToken },
      })
      // It repeats the state; one of another login means that the answer belongs to that.
      if (typeof json.state === 'string' && json.state !== '' && json.state !== grant.state)
        throw new ProviderFailure('invalid_response', 'vkid token: the state of another login')
      const { user } = await client.profile(
        { accessToken, form: { access_token: accessToken, client_id: clientId } },
        signal,
      )
      const person: JsonObject = isJsonObject(user) ? user : {}
      const profile = normalizeProfile({
        subject: person.user_id,
        name: [joinNames(person.first_name, person.last_name)],
        login: [],
        // `verified` in the response is the account's, not the email's.
        email: [person.email],
      })
      // A number in one response, a string in the other.
      const tokenUser = typeof json.user_id === 'number' ? String(json.user_id) : json.user_id
      if (tokenUser !== undefined && tokenUser !== null && tokenUser !== profile.subject)
        throw new ProviderFailure('invalid_response', 'vkid user_info: another person than the token')
      return profile
    },
  }),
})

/** It says `invalid_request` of a code, verifier or device that is not right, and `slow_down` where others send a 429. */
function tokenErrors({ error, error_description: description }: JsonObject) {
  if (error === 'slow_down') return 'rate_limited'
  if (error !== 'invalid_request') return undefined
  return /client|service_token/i.test(String(description)) ? 'misconfigured' : 'invalid_grant'
}
