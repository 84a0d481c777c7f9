import {
  defaults,
  finishLogin,
  getProfile,
  introspectToken,
  refreshTokens,
  revokeToken,
  startLogin,
} from './client/client'
import { basic, bearer, code, site, tell } from './site'

defaults.baseUrl = site.authUrl
const headers = basic

const started = await startLogin({ provider: 'yandex', client_redirect_url: site.redirectUrl }, { headers })
if (started.status !== 200) throw new Error(started.data.detail)
const { state, authorize_url } = started.data
tell('state', state)
tell('authorize_url', authorize_url)

const finished = await finishLogin({ provider: 'yandex', state, code: await code() }, { headers })
if (finished.status !== 200) throw new Error(finished.data.detail)
const pair = finished.data
tell('token_type', pair.token_type)
tell('expires_in', pair.expires_in)

const profile = await getProfile({ headers: bearer(pair.access_token) })
if (profile.status !== 200) throw new Error(profile.data.detail)
tell('name', profile.data.name)

const refreshed = await refreshTokens({ refresh_token: pair.refresh_token }, { headers })
if (refreshed.status !== 200) throw new Error(refreshed.data.detail)
const next = refreshed.data
tell('refreshed', next.refresh_token !== pair.refresh_token)

const introspection = await introspectToken({ token: next.access_token }, { headers })
if (introspection.status !== 200) throw new Error(introspection.data.detail)
tell('active', introspection.data.active)
tell('audience', introspection.data.aud?.[0])

const revoked = await revokeToken({ token: next.refresh_token }, { headers })
if (revoked.status !== 200) throw new Error(revoked.data.detail)
const ended = await getProfile({ headers: bearer(next.access_token) })
if (ended.status === 200) throw new Error('The session is still there.')
tell('ended', ended.data.type)

const refused = await finishLogin(
  { provider: 'yandex', state: 'not-a-state', code: 'not-a-code' },
  { headers },
)
if (refused.status === 200) throw new Error('It was not refused.')
tell('refused', refused.data.type)
tell('message', refused.data.user_message)
