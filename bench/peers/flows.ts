import type { Dispatcher, Pool } from 'undici'
import type { Flow, Ticket } from '../flow.ts'
import { expectStatus, newPerson } from '../flow.ts'

// How each peer is asked. A peer whose callback finishes the login has no callback of its own: it is measured as the finish.

/** better-auth: the session is a cookie; `me` is the look-up of the session with its user. */
export const betterAuthFlow = byCookies({
  async start(pool) {
    const answer = await pool.request({
      method: 'POST',
      path: '/api/auth/sign-in/social',
      headers: { 'content-type': 'application/json', origin: 'http://127.0.0.1:3000' },
      body: JSON.stringify({ provider: 'yandex', callbackURL: '/return' }),
    })
    const { url } = JSON.parse(await expectStatus(200, answer))
    return { cookie: cookiesOf(answer), location: String(url) }
  },
  callbackPath: '/api/auth/callback/yandex',
  sessionPath: '/api/auth/get-session',
})

/** Auth.js: a start takes two requests, the first for the token against CSRF. */
export const authJsFlow = byCookies({
  async start(pool) {
    const csrf = await pool.request({ method: 'GET', path: '/auth/csrf' })
    const { csrfToken } = JSON.parse(await expectStatus(200, csrf))
    const cookie = cookiesOf(csrf)
    const answer = await pool.request({
      method: 'POST',
      path: '/auth/signin/yandex',
      headers: { 'content-type': 'application/x-www-form-urlencoded', cookie },
      body: new URLSearchParams({ csrfToken, callbackUrl: '/' }).toString(),
    })
    await expectStatus(302, answer)
    return { cookie: `${cookie}; ${cookiesOf(answer)}`, location: String(answer.headers.location) }
  },
  callbackPath: '/auth/callback/yandex',
  sessionPath: '/auth/session',
})

/** @fastify/oauth2 with @fastify/jwt: tokens as the service issues them. */
export const fastifyOauth2Flow = tokensFlow()

function tokensFlow(): Flow {
  const start = async (pool: Pool) => {
    const answer = await pool.request({ method: 'GET', path: '/login' })
    await expectStatus(302, answer)
    return { cookie: cookiesOf(answer), location: String(answer.headers.location) }
  }
  const finish = async (pool: Pool, { cookie = '', location = '' }: Ticket): Promise<Ticket> => {
    const path = `/callback?${callbackQuery(location)}`
    const answer = await pool.request({ method: 'GET', path, headers: { cookie } })
    return JSON.parse(await expectStatus(200, answer))
  }
  return {
    start,
    finish,
    refresh: (pool, { refresh_token = '' }) => postForm(pool, '/refresh', { refresh_token }),
    async me(pool, ticket) {
      const headers = { authorization: `Bearer ${ticket.access_token ?? ''}` }
      await expectStatus(200, await pool.request({ method: 'GET', path: '/me', headers }))
      return ticket
    },
    login: async (pool) => await finish(pool, await start(pool)),
  }
}

/** oidc-provider: a refresh token is made without a login, which is not measured. */
export const oidcProviderFlow: Flow = {
  async prepare(pool) {
    const answer = await pool.request({ method: 'GET', path: '/bench/refresh-token' })
    return { refresh_token: await expectStatus(200, answer) }
  },
  refresh: (pool, { refresh_token = '' }) =>
    postForm(pool, '/token', {
      grant_type: 'refresh_token',
      refresh_token,
      client_id: 'bench',
      client_secret: 'bench-secret',
    }),
}

function byCookies({
  start,
  callbackPath,
  sessionPath,
}: {
  start: (pool: Pool) => Promise<{ cookie: string; location: string }>
  callbackPath: string
  sessionPath: string
}): Flow {
  const finish = async (pool: Pool, { cookie = '', location = '' }: Ticket) => {
    const path = `${callbackPath}?${callbackQuery(location)}`
    const answer = await pool.request({ method: 'GET', path, headers: { cookie } })
    await expectStatus(302, answer)
    return { cookie: cookiesOf(answer), location: String(answer.headers.location) }
  }
  return {
    start,
    finish,
    async me(pool, ticket) {
      const headers = { cookie: ticket.cookie ?? '' }
      const text = await expectStatus(200, await pool.request({ method: 'GET', path: sessionPath, headers }))
      if (!text.includes('@example.org')) throw new Error(`no session: ${ticket.location} ${text}`)
      return ticket
    },
    login: async (pool) => await finish(pool, await start(pool)),
  }
}

/** What the provider would send back to the callback: the state that the authorization request had, and a code. */
function callbackQuery(location: string): string {
  const state = new URL(location).searchParams.get('state') ?? ''
  return new URLSearchParams({ state, code: newPerson() }).toString()
}

/** The cookies of a response as a browser sends them back; those that it removes are left out. */
function cookiesOf({ headers }: Dispatcher.ResponseData): string {
  return [headers['set-cookie'] ?? []]
    .flat()
    .map((cookie) => cookie.split(';', 1)[0] ?? '')
    .filter((cookie) => !cookie.endsWith('='))
    .join('; ')
}

async function postForm(pool: Pool, path: string, fields: Ticket): Promise<Ticket> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const body = new URLSearchParams(fields).toString()
  return JSON.parse(await expectStatus(200, await pool.request({ method: 'POST', path, headers, body })))
}
