import { generateKeyPairSync } from 'node:crypto'
import { Redis } from 'ioredis'
import { Provider } from 'oidc-provider'
import pg from 'pg'
import { v7 as uuidv7 } from 'uuid'
import { given, serveBench } from '../child.ts'

// oidc-provider, an authorization server of its own: only its refresh can be compared. It rotates the refresh token and signs
// an access token (JWT, EdDSA) as the service does. BENCH_STORE says where its adapter keeps everything.
const store = given('BENCH_STORE')
// Whoever is refreshed is looked up, as the service does: somebody who is disabled gets no tokens. Users are in PostgreSQL.
const pool = new pg.Pool({ connectionString: given('BENCH_DATABASE_URL'), max: 10 })
const resource = 'https://api.example'
const { privateKey } = generateKeyPairSync('ed25519')

const run = (name, text, values) => pool.query({ name, text, values })

async function findAccount(_context, id) {
  const { rows } = await run('user', 'SELECT id FROM users WHERE id = $1 AND disabled_at IS NULL', [id])
  return rows.length === 0 ? undefined : { accountId: id, claims: async () => ({ sub: id }) }
}

/** One table for all models, one row an object; each statement is named. */
async function postgresAdapter() {
  await pool.query(`
    CREATE TABLE oidc (model TEXT, id TEXT, payload JSONB NOT NULL, grant_id TEXT, uid TEXT, expires_at TIMESTAMPTZ,
      consumed_at TIMESTAMPTZ, PRIMARY KEY (model, id));
    CREATE INDEX ON oidc (grant_id);
    CREATE INDEX ON oidc (uid);`)
  const found = ({ rows: [row] }) =>
    row && { ...row.payload, ...(row.consumed_at && { consumed: Math.floor(row.consumed_at / 1000) }) }
  return class {
    constructor(model) {
      this.model = model
    }
    async upsert(id, payload, expiresIn) {
      await run(
        'upsert',
        `INSERT INTO oidc VALUES ($1, $2, $3, $4, $5, now() + $6 * interval '1 second')
          ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload, expires_at = excluded.expires_at`,
        [this.model, id, payload, payload.grantId, payload.uid, expiresIn],
      )
    }
    async find(id) {
      return found(
        await run(
          'find',
          'SELECT payload, consumed_at FROM oidc WHERE model = $1 AND id = $2 AND (expires_at IS NULL OR expires_at > now())',
          [this.model, id],
        ),
      )
    }
    async findByUid(uid) {
      return found(
        await run('uid', 'SELECT payload, consumed_at FROM oidc WHERE model = $1 AND uid = $2', [this.model, uid]),
      )
    }
    async consume(id) {
      await run('consume', 'UPDATE oidc SET consumed_at = now() WHERE model = $1 AND id = $2', [this.model, id])
    }
    async destroy(id) {
      await run('destroy', 'DELETE FROM oidc WHERE model = $1 AND id = $2', [this.model, id])
    }
    async revokeByGrantId(grantId) {
      await run('revoke', 'DELETE FROM oidc WHERE grant_id = $1', [grantId])
    }
  }
}

/** A hash an object, with its expiry; the objects of a grant in a list, so that they can be revoked together. */
function redisAdapter() {
  const redis = new Redis(given('BENCH_REDIS_URL'), { enableAutoPipelining: true })
  return class {
    constructor(model) {
      this.model = model
    }
    key(id) {
      return `oidc:${this.model}:${id}`
    }
    async upsert(id, payload, expiresIn) {
      const key = this.key(id)
      const commands = redis.multi().hset(key, { payload: JSON.stringify(payload) })
      if (expiresIn) commands.expire(key, expiresIn)
      if (payload.grantId && this.model !== 'Grant') {
        commands.rpush(`oidc:grant:${payload.grantId}`, key)
        commands.expire(`oidc:grant:${payload.grantId}`, expiresIn)
      }
      await commands.exec()
    }
    async find(id) {
      const { payload, consumed } = await redis.hgetall(this.key(id))
      return payload && { ...JSON.parse(payload), ...(consumed && { consumed: Number(consumed) }) }
    }
    async consume(id) {
      await redis.hset(this.key(id), 'consumed', Math.floor(Date.now() / 1000))
    }
    async destroy(id) {
      await redis.del(this.key(id))
    }
    async revokeByGrantId(grantId) {
      const keys = await redis.lrange(`oidc:grant:${grantId}`, 0, -1)
      await redis.del(`oidc:grant:${grantId}`, ...keys)
    }
  }
}

const provider = new Provider('http://127.0.0.1:3000', {
  adapter: store === 'redis' ? redisAdapter() : await postgresAdapter(),
  clients: [
    {
      client_id: 'bench',
      client_secret: 'bench-secret',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['https://site.example/return'],
      token_endpoint_auth_method: 'client_secret_post',
      id_token_signed_response_alg: 'EdDSA',
    },
  ],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'EdDSA', use: 'sig', kid: 'bench' }] },
  enabledJWA: { idTokenSigningAlgValues: ['EdDSA'] },
  rotateRefreshToken: true,
  findAccount,
  ttl: { AccessToken: 900, RefreshToken: 2_592_000, Grant: 2_592_000 },
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'read',
        audience: resource,
        accessTokenTTL: 900,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'EdDSA' } },
      }),
    },
  },
})

/** A refresh token as the end of a login would leave it: logins themselves are another job here than the service's. */
provider.use(async (context, next) => {
  if (context.path !== '/bench/refresh-token') {
    await next()
    return
  }
  const client = await provider.Client.find('bench')
  const accountId = uuidv7()
  await run('add', "INSERT INTO users (id, name) VALUES ($1, 'Anna')", [accountId])
  const grant = new provider.Grant({ accountId, clientId: 'bench' })
  grant.addResourceScope(resource, 'read')
  const grantId = await grant.save()
  context.body = await new provider.RefreshToken({
    client,
    accountId,
    grantId,
    gty: 'authorization_code',
    scope: 'read',
    resource,
  }).save()
})

const server = provider.listen(0, '127.0.0.1', () => {
  serveBench(`http://127.0.0.1:${server.address().port}`)
})
