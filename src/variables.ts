import type { Static } from 'typebox'
import { Type } from 'typebox'

const seconds = (minimum: number, maximum: number, fallback: number, meaning: string) =>
  Type.Integer({ minimum, maximum, default: fallback, description: `${meaning} (seconds)` })

const port = (fallback: number, meaning: string) =>
  Type.Integer({ minimum: 0, maximum: 65535, default: fallback, description: meaning })

const text = (meaning: string) => Type.Optional(Type.String({ minLength: 1, description: meaning }))

/**
 * Every environment variable that is not a provider's own: its meaning, unit, bounds and default. The schema
 * validates; `.env.example` and docs/operators list the same rows (a test holds them equal).
 */
export const Variables = Type.Object({
  NODE_ENV: Type.Optional(
    Type.String({
      description: 'development: embedded defaults on loopback. Anything else, or nothing: strict mode',
    }),
  ),
  HOST: text(
    'Address for both ports; default :: (every address of both families, of IPv4 alone where there is no IPv6), in development 127.0.0.1',
  ),
  PORT: port(3000, 'The public port'),
  MANAGEMENT_HOST: text('Address for the management port; default that of HOST'),
  MANAGEMENT_PORT: port(9464, 'Health, metrics and the admin API; never routed from outside'),
  PUBLIC_URL: text(
    'The origin under which browsers and sites reach the service, without a path; https in strict mode',
  ),
  DATABASE_URL: text('PostgreSQL 15 or newer: postgresql://USER:PASSWORD@HOST:5432/NAME'),
  DATABASE_DIRECT_URL: text(
    'For migrations and commands, where DATABASE_URL leads through a pooler or has a role that does not own the tables',
  ),
  DATABASE_POOL_MAX: Type.Integer({
    minimum: 1,
    maximum: 500,
    default: 10,
    description: 'Connections of one process to PostgreSQL',
  }),
  DATABASE_POOLER: Type.Optional(
    Type.Literal('transaction', {
      description: 'Behind PgBouncer in transaction mode: no named statements, no session locks',
    }),
  ),
  REDIS_URL: text(
    'redis:// or rediss://, several comma-separated for Redis Cluster, or redis+sentinel://HOST:PORT,HOST:PORT/NAME',
  ),
  REDIS_PREFIX: Type.String({
    pattern: '^[\\w:.-]{0,64}$',
    default: 'auth-movies:',
    description: 'Before every key in Redis',
  }),
  SECRET_KEYS: text('base64 of 32 random bytes each, comma-separated, newest first: seals the signing keys'),
  ADMIN_TOKENS: text('NAME:SHA-256-OF-TOKEN, comma-separated; made by `admin-token NAME`'),
  TRUST_PROXY: text(
    'Proxies whose X-Forwarded-For counts: a number of hops, or addresses and CIDR ranges, comma-separated',
  ),
  LOG_LEVEL: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => Type.Literal(level)),
    { default: 'info', description: 'fatal, error, warn, info, debug, trace or silent' },
  ),
  LOGIN_TTL: seconds(1, 3600, 600, 'From the start of a login to the return from the provider'),
  ACCESS_TOKEN_TTL: seconds(1, 3600, 900, 'Life of an access token'),
  REFRESH_TOKEN_TTL: seconds(1, 31_536_000, 2_592_000, 'A session ends when it is unused for so long'),
  REFRESH_GRACE: seconds(0, 60, 10, 'For so long the previous refresh token gets the same answer again'),
  SESSION_MAX_AGE: seconds(1, 63_072_000, 15_552_000, 'A session ends after so long, whatever its use'),
  DRAIN_DELAY: seconds(0, 300, 0, 'Between SIGTERM and closing the port, for balancers to notice'),
  TOKEN_ALG: Type.Union([Type.Literal('EdDSA'), Type.Literal('ES256')], {
    default: 'EdDSA',
    description: 'Algorithm of new access keys: EdDSA, or ES256 for libraries that need it',
  }),
  RATE_LIMIT: Type.Union([Type.Literal('on'), Type.Literal('off')], {
    default: 'on',
    description: 'off: no rate limits, for benchmarks only',
  }),
  SANDBOX_PORT: port(3001, 'Sandbox and demo site (development only); the next free one where it is taken'),
  HTTPS_PROXY: text('Proxy for requests to providers'),
  NO_PROXY: text('Hosts that are reached without it'),
})

/** The environment after trimming, defaults and conversion. */
export type Variables = Static<typeof Variables>
