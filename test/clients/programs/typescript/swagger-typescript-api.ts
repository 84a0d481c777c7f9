import { Api, type HttpResponse, type Problem } from './client/client'
import { basic, bearer, code, site, tell } from './site'

const { api } = new Api<string | undefined>({
  baseUrl: site.authUrl,
  securityWorker: () => ({ headers: basic }),
})

const started = await api.startLogin({ provider: 'yandex', client_redirect_url: site.redirectUrl })
const { state, authorize_url } = started.data
tell('state', state)
tell('authorize_url', authorize_url)

const { data: pair } = await api.finishLogin({ provider: 'yandex', state, code: await code() })
tell('token_type', pair.token_type)
tell('expires_in', pair.expires_in)

const own = (token: string) => ({ headers: bearer(token), secure: false })
const profile = await api.getProfile(own(pair.access_token))
tell('name', profile.data.name)

const { data: next } = await api.refreshTokens({ refresh_token: pair.refresh_token })
tell('refreshed', next.refresh_token !== pair.refresh_token)

const introspection = await api.introspectToken({ token: next.access_token })
tell('active', introspection.data.active)
tell('audience', introspection.data.aud?.[0])

await api.revokeToken({ token: next.refresh_token })
const ended = await problemOf(api.getProfile(own(next.access_token)))
tell('ended', ended.type)

const refused = await problemOf(
  api.finishLogin({ provider: 'yandex', state: 'not-a-state', code: 'not-a-code' }),
)
tell('refused', refused.type)
tell('message', refused.user_message)

/** The problem that a call is refused with: this client throws the whole answer. */
async function problemOf(call: Promise<unknown>): Promise<Problem> {
  const answer = await call.then(
    () => {
      throw new Error('It was not refused.')
    },
    (thrown: HttpResponse<unknown, Problem>) => thrown,
  )
  return answer.error
}
