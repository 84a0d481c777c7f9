import { createHmac, generateKeyPairSync, randomBytes, randomUUID, sign, verify } from 'node:crypto'
import formbody from '@fastify/formbody'
import fastify from 'fastify'
import { Redis } from 'ioredis'
import { Pool as PostgresPool } from 'pg'
import { Pool } from 'undici'
import { v7 as uuidv7 } from 'uuid'
import { given, listenForBench } from './child.ts'

// The floor of each step: the same input and output, with as many trips, statements and signatures as a login cannot do
// without, in the least code and by the same libraries. Nothing is checked, sealed, limited, logged or counted.
const redis = new Redis(given('BENCH_REDIS_URL'), { enableAutoPipelining: true })
const database = new PostgresPool({ connectionString: given('BENCH_DATABASE_URL'), max: 10 })
const provider = new Pool(given('BENCH_PROVIDER_URL'), { connections: 100 })
// What the service does for its callers (docs/decisions/0015-requests-to-providers.md), to show how much of a finish it is.
const ownConnection = process.env.BENCH_OWN_CONNECTION !== undefined
const codes = ownConnection
  ? new Pool(given('BENCH_PROVIDER_URL'), { connections: 100, pipelining: 0 })
  : provider
const siteId = given('BENCH_SITE_ID')
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const secret = randomBytes(32)
const issuer = 'http://127.0.0.1:3000'
const app = fastify()
await app.register(formbody)

interface Form {
  readonly Body: Readonly<Record<string, string>>
}

app.post<Form>('/api/v1/oauth/authorize-url/', async ({ body }) => {
  const state = randomBytes(32).toString('base64url')
  const login = { redirectUrl: body.client_redirect_url, nonce: state, codeVerifier: state }
  await redis.set(`floor:${state}`, JSON.stringify(login), 'EX', 600)
  const authorizeUrl = `https://provider.example/authorize?response_type=code&client_id=bench&redirect_uri=${issuer}/api/v1/oauth/callback/yandex&state=${state}&code_challenge=${state}&code_challenge_method=S256&scope=login`
  return { state, authorize_url: authorizeUrl }
})

interface Callback {
  readonly Querystring: { readonly state: string; readonly code: string }
}

app.get<Callback>('/api/v1/oauth/callback/yandex', async ({ query: { state, code } }, reply) => {
  const { redirectUrl } = JSON.parse((await redis.get(`floor:${state}`)) ?? '')
  await redis.set(`floor:${state}:code`, code, 'EX', 300)
  return reply.redirect(`${redirectUrl}?provider=yandex&state=${state}&code=${code}`, 303)
})

app.post<Form>('/api/v1/oauth/authorize/', async ({ body: { state = '', code = '' } }) => {
  JSON.parse((await redis.get(`floor:${state}`)) ?? '')
  await redis.set(`floor:${state}:claim`, '1', 'EX', 300, 'NX')
  const token = await codes.request({
    path: '/token',
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: `grant_type=authorization_code&code=${code}`,
  })
  const { access_token } = Object(await token.body.json())
  const profile = await provider.request({
    path: '/info',
    method: 'GET',
    headers: { authorization: `OAuth ${access_token}` },
  })
  const { id, login, real_name, default_email } = Object(await profile.body.json())
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
      SELECT $6, id, $7, 'yandex', $8, 'floor', now() + interval '30 days', now() + interval '180 days'
      FROM person RETURNING id, user_id, generation`,
    values: [id, uuidv7(), real_name, login, default_email, uuidv7(), siteId, Buffer.from(state)],
  })
  return tokensOf(rows[0])
})

app.post<Form>('/api/v1/oauth/refresh/', async ({ body: { refresh_token = '' } }) => {
  const dot = refresh_token.lastIndexOf('.')
  if (hmac(refresh_token.slice(0, dot)) !== refresh_token.slice(dot + 1)) throw new Error('signature')
  const { sid, gen } = claimsOf(refresh_token)
  const { rows } = await database.query({
    name: 'rotate',
    text: `UPDATE sessions AS s SET generation = s.generation + 1, rotated_at = now(),
        expires_at = least(now() + interval '30 days', s.ends_at)
      FROM users AS u, sites AS c
      WHERE s.id = $1 AND s.generation = $2 AND u.id = s.user_id AND c.id = s.site_id AND s.revoked_at IS NULL
        AND s.expires_at > now() AND u.disabled_at IS NULL AND c.disabled_at IS NULL
      RETURNING s.id, s.user_id, s.generation`,
    values: [sid, gen],
  })
  return tokensOf(rows[0])
})

app.get('/api/v1/me/', async ({ headers: { authorization = '' } }) => {
  const token = authorization.slice('Bearer '.length)
  const dot = token.lastIndexOf('.')
  const signature = Buffer.from(token.slice(dot + 1), 'base64url')
  if (!verify(null, Buffer.from(token.slice(0, dot)), publicKey, signature)) throw new Error('signature')
  const { rows } = await database.query({
    name: 'me',
    text: `SELECT u.id, u.name, u.login, u.email, u.email_verified, s.provider, s.id AS session_id
      FROM sessions AS s JOIN users AS u ON u.id = s.user_id JOIN sites AS c ON c.id = s.site_id
      WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > now() AND u.disabled_at IS NULL
        AND c.disabled_at IS NULL`,
    values: [claimsOf(token).sid],
  })
  return rows[0]
})

const hmac = (text: string) => createHmac('sha256', secret).update(text).digest('base64url')
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
const accessHeader = part({ alg: 'EdDSA', typ: 'at+jwt', kid: randomUUID() })
const refreshHeader = part({ alg: 'HS256', typ: 'rt+jwt', kid: randomUUID() })

/** Two tokens with the claims that those of the service have. */
function tokensOf(session: { id: string; user_id: string; generation: number }) {
  const iat = Math.floor(Date.now() / 1000)
  const common = { iss: issuer, client_id: siteId, sid: session.id, iat, jti: randomUUID() }
  const access = `${accessHeader}.${part({ ...common, sub: session.user_id, aud: [siteId, issuer], exp: iat + 900 })}`
  const refresh = `${refreshHeader}.${part({ ...common, aud: issuer, gen: session.generation, exp: iat + 2_592_000 })}`
  return {
    access_token: `${access}.${sign(null, Buffer.from(access), privateKey).toString('base64url')}`,
    refresh_token: `${refresh}.${hmac(refresh)}`,
    token_type: 'Bearer',
    expires_in: 900,
  }
}

await listenForBench(app)
