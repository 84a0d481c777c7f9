import { finishLogin, getProfile, introspectToken, refreshTokens, revokeToken, startLogin } from './client'
import { client } from './client/client.gen'
import { code, had, site, tell } from './site'

let accessToken = ''
client.setConfig({
  baseUrl: site.authUrl,
  auth: ({ scheme }) => (scheme === 'bearer' ? accessToken : `${site.id}:${site.secret}`),
})

const started = await startLogin({ body: { provider: 'yandex', client_redirect_url: site.redirectUrl } })
const { state, authorize_url } = had(started.data, 'start')
tell('state', state)
tell('authorize_url', authorize_url)

const finished = await finishLogin({ body: { provider: 'yandex', state, code: await code() } })
const pair = had(finished.data, 'pair')
tell('token_type', pair.token_type)
tell('expires_in', pair.expires_in)

accessToken = pair.access_token
const profile = await getProfile()
tell('name', profile.data?.name)

const refreshed = await refreshTokens({ body: { refresh_token: pair.refresh_token } })
const next = had(refreshed.data, 'next pair')
tell('refreshed', next.refresh_token !== pair.refresh_token)

const introspection = await introspectToken({ body: { token: next.access_token } })
tell('active', introspection.data?.active)
tell('audience', introspection.data?.aud?.[0])

await revokeToken({ body: { token: next.refresh_token }, throwOnError: true })
accessToken = next.access_token
const ended = await getProfile()
tell('ended', ended.error?.type)

const refused = await finishLogin({ body: { provider: 'yandex', state: 'not-a-state', code: 'not-a-code' } })
tell('refused', refused.error?.type)
tell('message', refused.error?.user_message)
