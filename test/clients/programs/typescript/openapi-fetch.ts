import createClient from 'openapi-fetch'
import type { paths } from './client/schema'
import { basic, bearer, code, had, site, tell } from './site'

const client = createClient<paths>({ baseUrl: site.authUrl })
const headers = basic

const started = await client.POST('/api/v1/oauth/authorize-url/', {
  headers,
  body: { provider: 'yandex', client_redirect_url: site.redirectUrl },
})
const { state, authorize_url } = had(started.data, 'start')
tell('state', state)
tell('authorize_url', authorize_url)

const finished = await client.POST('/api/v1/oauth/authorize/', {
  headers,
  body: { provider: 'yandex', state, code: await code() },
})
const pair = had(finished.data, 'pair')
tell('token_type', pair.token_type)
tell('expires_in', pair.expires_in)

const profile = await client.GET('/api/v1/me/', { headers: bearer(pair.access_token) })
tell('name', profile.data?.name)

const refreshed = await client.POST('/api/v1/oauth/refresh/', {
  headers,
  body: { refresh_token: pair.refresh_token },
})
const next = had(refreshed.data, 'next pair')
tell('refreshed', next.refresh_token !== pair.refresh_token)

const introspection = await client.POST('/api/v1/oauth/introspect/', {
  headers,
  body: { token: next.access_token },
})
tell('active', introspection.data?.active)
tell('audience', introspection.data?.aud?.[0])

await client.POST('/api/v1/oauth/revoke/', { headers, body: { token: next.refresh_token } })
const ended = await client.GET('/api/v1/me/', { headers: bearer(next.access_token) })
tell('ended', ended.error?.type)

const refused = await client.POST('/api/v1/oauth/authorize/', {
  headers,
  body: { provider: 'yandex', state: 'not-a-state', code: 'not-a-code' },
})
tell('refused', refused.error?.type)
tell('message', refused.error?.user_message)
