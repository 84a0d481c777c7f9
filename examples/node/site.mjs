// A site that logs people in through Auth-movies, whole, in one file. Node.js 20 or newer, no packages.
// To try it, run `npm start` in a copy of the service, and in a second terminal
//   npm run site -- add --name Example --redirect-url http://127.0.0.1:8000/return
// Paste the line `export AUTH=…` of its answer, run `node examples/node/site.mjs`, and open http://127.0.0.1:8000/
// For production: https in REDIRECT_URL by a proxy on this machine (it listens on 127.0.0.1:SITE_PORT); sessions in
// Redis or a database, each with a lock, the tokens encrypted; a limit for the login button; your own words and pages.
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
const { AUTH, SITE_ID, SITE_SECRET, REDIRECT_URL, SITE_PORT } = process.env
if (!(AUTH && SITE_ID && SITE_SECRET && REDIRECT_URL)) {
  console.error('Please set AUTH, SITE_ID, SITE_SECRET and REDIRECT_URL, as `npm run site -- add` prints them.')
  process.exit(1)
}
const site = new URL(REDIRECT_URL)
const cookie = `Path=/; HttpOnly; SameSite=Lax${site.protocol === 'https:' ? '; Secure' : ''}`
const basic = `Basic ${btoa(`${SITE_ID}:${SITE_SECRET}`)}`
const errors = new Map([
  ['access_denied', 'You did not allow the login. You may try again.'],
  ['login_expired', 'This login took too long. Please log in again.'],
])
const words = {
  other: 'The login did not succeed. Please try again, or choose another way.',
  foreign: 'This login did not begin in this browser, or it is over. Please log in here.',
  later: 'Logging in does not work at the moment. Please try again a little later.',
}
// The browser has a random id alone, everything else stays here. Yours are kept in Redis or a database, encrypted.
const sessions = new Map()
const sessionOf = ({ headers }) => sessions.get(/(?:^|; )session=([\w-]+)/.exec(headers.cookie ?? '')?.[1])
const pair = (tokens) => ({ ...tokens, ends: Date.now() + tokens.expires_in * 1000 })

function openSession(response, tokens) {
  const session = { id: randomBytes(32).toString('base64url'), states: [], ...tokens }
  response.setHeader('set-cookie', `session=${session.id}; ${cookie}`)
  if (sessions.size >= 100_000) sessions.delete(sessions.keys().next().value) // the oldest
  sessions.set(session.id, session)
  return session
}

const failure = (message, details) => Object.assign(new Error(message), details)
/** Asks the service, by POST where there is a form. Throws an error whose message is for the visitor. */
async function call(request, path, form, authorization = basic) {
  let [status, body] = [0, {}]
  const limit = path.endsWith('/authorize/') ? 12_000 : 4_000 // a lost answer to a refresh is repeated within 10 seconds
  try {
    const answer = await fetch(AUTH + path, {
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
      headers: { authorization, 'accept-language': request.headers['accept-language'] ?? 'en' },
      redirect: 'error', signal: AbortSignal.timeout(limit),
    })
    body = JSON.parse((await answer.text()) || '{}') // revoke answers with nothing
    status = answer.status
  } catch (error) {
    console.error(path, error.name)
  }
  if (status === 200) return body
  console.error(path, status, body.type, body.request_id, body.detail)
  throw failure(body.user_message ?? words.later, { status, error: body.error })
}

async function refresh(request, session, again = true) {
  try {
    const { refresh_token } = session
    Object.assign(session, pair(await call(request, '/api/v1/oauth/refresh/', { refresh_token })))
  } catch (error) {
    if (error.error === 'invalid_grant') sessions.delete(session.id) // ended; any other failure keeps the pair
    if (!again || (error.status > 0 && error.status < 500)) throw error
    // The answer was lost: once more with the same token, which gives the same pair.
    await refresh(request, session, false)
  }
}

/** The lock: all requests of a session wait for one refresh. Several processes need a lock in Redis or a database. */
async function refreshOnce(request, session) {
  session.refreshing ??= refresh(request, session).finally(() => delete session.refreshing)
  await session.refreshing
}

/** Who it is: id is the key of your users, never the email. */
async function me(request, session) {
  if (session.ends - Date.now() < 60_000) await refreshOnce(request, session)
  const ask = () => call(request, '/api/v1/me/', undefined, `Bearer ${session.access_token}`)
  return ask().catch(async (error) => {
    if (error.status !== 401) throw error
    await refreshOnce(request, session) // the token was refused: this tells whether the session has ended
    return ask()
  })
}

const escape = (text) => String(text).replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`)
const csp = { 'content-security-policy': "default-src 'none'; frame-ancestors 'none'", 'content-type': 'text/html' }
const headers = { ...csp, 'cache-control': 'no-store', 'referrer-policy': 'same-origin' }
const redirect = (response, location) => response.writeHead(303, { ...headers, location }).end()

function send(response, status, message, body = '<p><a href="/">Go on</a></p>') {
  const alert = message === undefined ? '' : `<p role="alert">${escape(message)}</p>`
  response.writeHead(status, headers)
  response.end(`<!doctype html><meta charset="utf-8"><title>My site</title><h1>My site</h1>${alert}${body}`)
}
const button = ({ name, title, available }) =>
  `<button name="provider" value="${escape(name)}" ${available ? '' : 'disabled'}>${escape(title.en)}</button> `

const routes = {
  'GET /': async (request, response) => {
    const session = sessionOf(request)
    const who = session?.access_token && (await me(request, session))
    const providers = who ? [] : (await call(request, '/api/v1/oauth/providers/')).providers
    const body = who
      ? `<b>${escape(who.name ?? who.id)}</b><form method="post" action="/logout"><button>Log out</button></form>`
      : `<form method="post" action="/login">${providers.map(button).join('')}</form>`
    send(response, 200, session?.message, body)
    if (session) session.message = undefined
  },
  'POST /login': async (request, response, query, body) => {
    const start = { provider: body.get('provider') ?? '', client_redirect_url: REDIRECT_URL }
    const { state, authorize_url } = await call(request, '/api/v1/oauth/authorize-url/', start)
    const session = sessionOf(request) ?? openSession(response)
    session.states = [...session.states, state].slice(-5) // several: a person may log in in two tabs
    redirect(response, authorize_url)
  },
  [`GET ${site.pathname}`]: async (request, response, query) => {
    const { provider = '', state = '', code = '', error } = Object.fromEntries(query)
    const session = sessionOf(request)
    const ours = session?.states.includes(state)
    if (!ours && !session?.access_token) throw failure(words.foreign, { status: 400 })
    // The state stays: the person may go back and agree.
    if (ours && error) throw failure(errors.get(error) ?? words.other, { status: 400 })
    if (ours) {
      session.states = session.states.filter((one) => one !== state)
      const tokens = await call(request, '/api/v1/oauth/authorize/', { provider, state, code })
      openSession(response, pair(tokens)) // with a new id
      sessions.delete(session.id)
    }
    redirect(response, '/') // to an address without state and code
  },
  'POST /logout': async (request, response) => {
    const { id, refresh_token: token } = sessionOf(request) ?? {}
    sessions.delete(id)
    if (token) await call(request, '/api/v1/oauth/revoke/', { token }).catch(() => {}) // it is in the log
    redirect(response, '/')
  },
}

async function answer(request, response) {
  const { pathname, searchParams } = new URL(`${site.origin}/${request.url.replace(/^\/+/, '')}`)
  try {
    const route = routes[`${request.method} ${pathname}`]
    // A form of another site must not log anybody in or out.
    const alien = request.method === 'POST' && (request.headers.origin ?? site.origin) !== site.origin
    if (!route || alien) return send(response, 404, `Please open ${site.origin}/`)
    let body = ''
    for await (const chunk of request) if (body.length < 1_000) body += chunk
    await route(request, response, searchParams, new URLSearchParams(body))
  } catch (error) {
    if (error.status === undefined) console.error(error) // a mistake of this file
    const message = error.status === undefined ? words.other : error.message
    if (pathname === '/') return send(response, 503, message)
    Object.assign(sessionOf(request) ?? openSession(response), { message })
    redirect(response, '/')
  }
}

const server = createServer((request, response) => void answer(request, response))
server.listen(SITE_PORT ?? site.port, '127.0.0.1', () => console.log(`My site: ${site.origin}/`))
