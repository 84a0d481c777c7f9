// A site that logs people in through Auth-movies by OpenID Connect, with openid-client. Node.js 20 or newer.
// To try it, run `npm start` in a copy of the service, and in a second terminal
//   npm run site -- add --name Example --redirect-url http://127.0.0.1:8000/return
// Paste the line `export AUTH=…` it prints, `npm install --no-save --prefix examples/node openid-client@6`, run
// `node examples/node/standard-door.mjs`, and open http://127.0.0.1:8000/. For production: https in REDIRECT_URL by
// a proxy on this machine (it listens on 127.0.0.1:SITE_PORT); sessions in Redis, encrypted; your own words and pages.
import { createServer } from 'node:http'
import * as oidc from 'openid-client'

const { AUTH, SITE_ID, SITE_SECRET, REDIRECT_URL, SITE_PORT } = process.env
if (!(AUTH && SITE_ID && SITE_SECRET && REDIRECT_URL)) {
  console.error('Please set AUTH, SITE_ID, SITE_SECRET and REDIRECT_URL, as `npm run site -- add` prints them.')
  process.exit(1)
}
const site = new URL(REDIRECT_URL)
const attributes = `Path=/; HttpOnly; SameSite=Lax${site.protocol === 'https:' ? '; Secure' : ''}`
// Plain http is for a service on this computer alone.
const execute = AUTH.startsWith('http://127.0.0.1:') ? [oidc.allowInsecureRequests] : []
const config = await oidc.discovery(new URL(AUTH), SITE_ID, undefined, oidc.ClientSecretBasic(SITE_SECRET), { execute })

// The browser has a random id alone, everything else stays here. Yours are kept in Redis or a database, encrypted.
const sessions = new Map()

function openSession(response, session) {
  const id = oidc.randomState()
  sessions.set(id, session)
  response.setHeader('set-cookie', `session=${id}; ${attributes}`)
}

const escape = (text) => String(text).replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`)
const button = (path, text) => `<form method="post" action="${path}"><button>${text}</button></form>`

const routes = {
  'GET /': async (response, { claims, message }) => {
    const alert = message ? `<p role="alert">${escape(message)}</p>` : ''
    // claims.sub is the key of your users, never the email.
    const body = claims
      ? `<b>${escape(claims.name ?? claims.sub)}</b>${button('/logout', 'Log out')}`
      : button('/login', 'Log in')
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
    response.end(`<!doctype html><title>My site</title><h1>My site</h1>${alert}${body}`)
  },
  'POST /login': async (response) => {
    const [verifier, state, nonce] = [oidc.randomPKCECodeVerifier(), oidc.randomState(), oidc.randomNonce()]
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: REDIRECT_URL,
      scope: 'openid profile email',
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    })
    openSession(response, { verifier, state, nonce })
    return url.href
  },
  [`GET ${site.pathname}`]: async (response, { verifier, state, nonce, claims, id }, url) => {
    // It did not begin in this browser, or it is over.
    if (state === undefined || url.searchParams.get('state') !== state) return '/'
    try {
      // Compares iss, nonce and what else the ID token says.
      const tokens = await oidc.authorizationCodeGrant(config, url, {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      })
      openSession(response, { claims: tokens.claims(), refreshToken: tokens.refresh_token })
      sessions.delete(id)
    } catch (error) {
      console.error(error.code, error.error, error.error_description)
      const refused = error.error === 'access_denied'
      openSession(response, { message: refused ? 'You did not allow the login.' : 'The login did not succeed.', claims })
    }
    return '/' // an address without state and code
  },
  'POST /logout': async (response, { id, refreshToken }) => {
    sessions.delete(id)
    if (refreshToken) await oidc.tokenRevocation(config, refreshToken).catch((error) => console.error(error.code))
    return '/'
  },
}

async function answer(request, response) {
  const url = new URL(`${site.origin}/${request.url.replace(/^\/+/, '')}`)
  const id = /(?:^|; )session=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1]
  const route = routes[`${request.method} ${url.pathname}`]
  // A form of another site must not log anybody in or out.
  const alien = request.method === 'POST' && (request.headers.origin ?? site.origin) !== site.origin
  const location = route && !alien ? await route(response, { ...sessions.get(id), id }, url) : undefined
  if (location) response.writeHead(303, { location, 'referrer-policy': 'same-origin' }).end()
  else if (!route || alien) response.writeHead(404).end(`Please open ${site.origin}/`)
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error)
    response.writeHead(503).end('Logging in does not work at the moment. Please try again a little later.')
  })
})
server.listen(SITE_PORT ?? site.port, '127.0.0.1', () => console.log(`My site: ${site.origin}/`))
