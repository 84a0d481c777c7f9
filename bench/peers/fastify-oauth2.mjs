import { generateKeyPairSync, randomUUID } from 'node:crypto'
import formbody from '@fastify/formbody'
import jwt from '@fastify/jwt'
import oauth2 from '@fastify/oauth2'
import fastify from 'fastify'
import pg from 'pg'
import { Pool } from 'undici'
import { v7 as uuidv7 } from 'uuid'
import { given, listenForBench } from '../child.ts'

// What somebody writes by hand with @fastify/oauth2 and @fastify/jwt. A login in progress is stored nowhere: its state is a
// cookie. Users and sessions go into the tables of the service by the statements of its floor.
const provider = given('BENCH_PROVIDER_URL')
const siteId = given('BENCH_SITE_ID')
const database = new pg.Pool({ connectionString: given('BENCH_DATABASE_URL'), max: 10 })
const userinfo = new Pool(provider, { connections: 100 })
const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
  privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
  publicKeyEncoding: { format: 'pem', type: 'spki' },
})
const app = fastify()
await app.register(formbody)
await app.register(oauth2, {
  name: 'yandex',
  scope: ['login:info', 'login:email'],
  credentials: {
    client: { id: 'bench', secret: 'bench' },
    auth: {
      authorizeHost: provider,
      authorizePath: '/authorize',
      tokenHost: provider,
      tokenPath: '/token',
    },
  },
  pkce: 'S256',
  startRedirectPath: '/login',
  callbackUri: 'http://127.0.0.1:3000/callback',
  cookie: { secure: false, sameSite: 'lax', path: '/' },
})
await app.register(jwt, {
  namespace: 'access',
  secret: { private: privateKey, public: publicKey },
  sign: { algorithm: 'EdDSA', expiresIn: '15m' },
})
await app.register(jwt, {
  namespace: 'refresh',
  secret: given('BENCH_SECRET_KEY'),
  sign: { algorithm: 'HS256', expiresIn: '30d' },
})

const tokensOf = ({ id: sid, user_id: sub, generation: gen }) => ({
  access_token: app.jwt.access.sign({ sub, sid, aud: siteId, jti: randomUUID() }),
  refresh_token: app.jwt.refresh.sign({ sid, gen, jti: randomUUID() }),
  token_type: 'Bearer',
  expires_in: 900,
})

app.get('/callback', async (request) => {
  const { token } = await app.yandex.getAccessTokenFromAuthorizationCodeFlow(request)
  const headers = { authorization: `OAuth ${token.access_token}` }
  const profile = await userinfo.request({ method: 'GET', path: '/info', headers })
  const { id, login, real_name, default_email } = await profile.body.json()
  const { rows } = await database.query({
    name: 'open',
    text: `WITH identity AS (
        INSERT INTO identities AS i (provider, subject, user_id) VALUES ('yandex', $1, $2)
        ON CONFLICT (provider, subject) DO UPDATE SET user_id = i.user_id RETURNING i.user_id
      ), person AS (
        INSERT INTO users (id, name, login, email) SELECT user_id, $3, $4, $5 FROM identity
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, login = excluded.login, email = excluded.email,
          updated_at = now() RETURNING id
      )
      INSERT INTO sessions (id, user_id, site_id, provider, login_hash, refresh_kid, expires_at, ends_at)
      SELECT $6, id, $7, 'yandex', $8, 'peer', now() + interval '30 days', now() + interval '180 days'
      FROM person RETURNING id, user_id, generation`,
    values: [id, uuidv7(), real_name, login, default_email, uuidv7(), siteId, Buffer.from(request.query.state)],
  })
  return tokensOf(rows[0])
})

app.post('/refresh', async (request) => {
  const { sid, gen } = app.jwt.refresh.verify(request.body.refresh_token)
  const { rows } = await database.query({
    name: 'rotate',
    text: `UPDATE sessions AS s SET generation = s.generation + 1, rotated_at = now(),
        expires_at = least(now() + interval '30 days', s.ends_at)
      FROM users AS u
      WHERE s.id = $1 AND s.generation = $2 AND u.id = s.user_id AND s.revoked_at IS NULL AND s.expires_at > now()
        AND u.disabled_at IS NULL
      RETURNING s.id, s.user_id, s.generation`,
    values: [sid, gen],
  })
  return tokensOf(rows[0])
})

app.get('/me', async (request) => {
  const { sid } = await request.accessJwtVerify()
  const { rows } = await database.query({
    name: 'me',
    text: `SELECT u.id, u.name, u.login, u.email FROM sessions AS s JOIN users AS u ON u.id = s.user_id
      WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > now() AND u.disabled_at IS NULL`,
    values: [sid],
  })
  return rows[0]
})

await listenForBench(app)
