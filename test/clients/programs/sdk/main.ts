import type { FinishLoginError } from 'auth-movies-client'
import {
  finishLogin,
  getProfile,
  introspectToken,
  listProviders,
  refreshTokens,
  revokeToken,
  siteClient,
  startLogin,
} from 'auth-movies-client'
import { code, had, site, tell } from './site.ts'

const client = siteClient({ url: site.authUrl, id: site.id, secret: site.secret })

const providers = await listProviders({ client })
tell('providers', providers.data?.providers.length)

const started = await startLogin({
  client,
  body: { provider: 'yandex', client_redirect_url: site.redirectUrl },
})
const { state, authorize_url } = had(started.data, 'start')
tell('state', state)
tell('authorize_url', authorize_url)

const finished = await finishLogin({ client, body: { provider: 'yandex', state, code: await code() } })
const pair = had(finished.data, 'pair')
tell('token_type', pair.token_type)
tell('expires_in', pair.expires_in)

const profile = await getProfile({ client, auth: pair.access_token })
tell('name', profile.data?.name)

const refreshed = await refreshTokens({ client, body: { refresh_token: pair.refresh_token } })
const next = had(refreshed.data, 'next pair')
tell('refreshed', next.refresh_token !== pair.refresh_token)

const introspection = await introspectToken({ client, body: { token: next.access_token } })
tell('active', introspection.data?.active)
tell('audience', introspection.data?.aud?.[0])

await revokeToken({ client, body: { token: next.refresh_token }, throwOnError: true })
const ended = await getProfile({ client, auth: next.access_token })
tell('ended', ended.error?.type)

/** What a site does about a failed finish, by its type. */
function whatToDo(problem: FinishLoginError): string {
  switch (problem.type) {
    case 'urn:auth-movies:problem:login-in-progress':
    case 'urn:auth-movies:problem:provider-unavailable':
      return 'repeat after Retry-After'
    case 'urn:auth-movies:problem:user-disabled':
      return 'show the message'
    // @ts-expect-error -- a finish never has this type, so the compiler finds the mistake
    case 'urn:auth-movies:problem:refresh-token-reused':
      return 'impossible'
    default:
      return 'offer a new login'
  }
}
const refused = await finishLogin({
  client,
  body: { provider: 'yandex', state: 'not-a-state', code: 'not-a-code' },
  headers: { 'accept-language': 'ru' },
})
const problem = had(refused.error, 'problem')
tell('refused', problem.type)
tell('message', problem.user_message)
tell('advice', whatToDo(problem))

const nobody = await listProviders({ client: siteClient({ url: 'http://127.0.0.1:9', timeout: 1_000 }) })
tell('unreachable', nobody.response === undefined && nobody.error !== undefined)
