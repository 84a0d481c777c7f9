import t from 'tap'
import { providers } from '../plugins/index.ts'
import type { Environment } from '../src/config.ts'
import { ConfigError, readConfig } from '../src/config.ts'

const key = Buffer.from(Array.from({ length: 32 }, (_, index) => index)).toString('base64')

const strict: Environment = {
  DATABASE_URL: 'postgresql://auth:secret@db.example:5432/auth',
  REDIS_URL: 'rediss://redis.example:6379',
  SECRET_KEYS: key,
  PUBLIC_URL: 'https://login.example',
  YANDEX_CLIENT_ID: 'id',
  YANDEX_CLIENT_SECRET: 'secret',
}

function problemsOf(env: Environment): readonly string[] {
  try {
    readConfig(env, providers)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

t.test('an empty environment is strict, and everything missing is named at once', async (t) => {
  const problems = problemsOf({}).join('\n')
  for (const name of ['DATABASE_URL', 'REDIS_URL', 'SECRET_KEYS', 'PUBLIC_URL', 'provider'])
    t.match(problems, name)
})

t.test('NODE_ENV other than development is strict', async (t) => {
  for (const NODE_ENV of ['production', 'test', 'Development', 'dev'])
    t.ok(problemsOf({ NODE_ENV }).length >= 4, NODE_ENV)
})

t.test('a whole strict environment gives whole settings', async (t) => {
  const config = readConfig(
    { ...strict, ACCESS_TOKEN_TTL: '60', TRUST_PROXY: '10.0.0.0/8, 192.168.1.1' },
    providers,
  )
  t.match(config, {
    mode: 'strict',
    host: '::',
    port: 3000,
    managementPort: 9464,
    publicUrl: 'https://login.example',
    accessTokenTtl: 60,
    refreshGrace: 10,
    rateLimit: true,
    trustProxy: ['10.0.0.0/8', '192.168.1.1'],
  })
  t.strictSame([...config.providers.keys()], ['yandex'])
  t.match(config.providers.get('yandex'), {
    authorizeUrl: 'https://oauth.yandex.ru/authorize',
    pkce: true,
    tokenAuth: 'basic',
  })
  t.strictSame(config.warnings, [])
})

t.test('development needs a provider and nothing else, and stays on loopback', async (t) => {
  const config = readConfig(
    { NODE_ENV: 'development', MAIL_CLIENT_ID: 'id', MAIL_CLIENT_SECRET: 's' },
    providers,
  )
  t.match(config, { mode: 'development', host: '127.0.0.1', publicUrl: 'http://127.0.0.1:3000' })
  t.equal(config.database.url, undefined)
  t.match(problemsOf({ NODE_ENV: 'development' }).join(), /provider/)
})

t.test('development that listens for others says so; strict mode is made for that', async (t) => {
  const development = { NODE_ENV: 'development', MAIL_CLIENT_ID: 'id', MAIL_CLIENT_SECRET: 's' }
  for (const host of ['0.0.0.0', '::', '192.0.2.7', 'auth.example'])
    t.match(readConfig({ ...development, HOST: host }, providers).warnings, [
      /^HOST=.* with NODE_ENV=development: other computers may reach/,
    ])
  for (const host of ['127.0.0.1', '127.0.0.2', '::1', 'localhost'])
    t.strictSame(readConfig({ ...development, HOST: host }, providers).warnings, [], host)
  t.strictSame(readConfig({ ...strict, HOST: '0.0.0.0' }, providers).warnings, [])
})

const refused: Readonly<Record<string, Environment>> = {
  PORT: { PORT: 'tcp://10.0.0.1:3000' },
  MANAGEMENT_PORT: { MANAGEMENT_PORT: '65536' },
  DATABASE_POOL_MAX: { DATABASE_POOL_MAX: '0' },
  LOGIN_TTL: { LOGIN_TTL: '0' },
  ACCESS_TOKEN_TTL: { ACCESS_TOKEN_TTL: '86400' },
  REFRESH_TOKEN_TTL: { REFRESH_TOKEN_TTL: '1.5' },
  SESSION_MAX_AGE: { SESSION_MAX_AGE: '-1' },
  REFRESH_GRACE: { REFRESH_GRACE: '61' },
  DRAIN_DELAY: { DRAIN_DELAY: '1e3x' },
  TOKEN_ALG: { TOKEN_ALG: 'RS256' },
  RATE_LIMIT: { RATE_LIMIT: 'maybe' },
  LOG_LEVEL: { LOG_LEVEL: 'verbose' },
  'PORT must': { PORT: '0x10' },
  'LOGIN_TTL must': { LOGIN_TTL: '1e3' },
  HTTPS_PROXY: { HTTPS_PROXY: 'proxy.example:3128' },
  DATABASE_POOLER: { DATABASE_POOLER: 'session' },
  REDIS_PREFIX: { REDIS_PREFIX: 'a b' },
  'DATABASE_URL must': { DATABASE_URL: 'mysql://db.example/auth' },
  'REDIS_URL must': { REDIS_URL: 'http://redis.example' },
  'PUBLIC_URL must be an origin': { PUBLIC_URL: 'https://login.example/auth' },
  'PUBLIC_URL must be https': { PUBLIC_URL: 'http://login.example' },
  'SECRET_KEYS must': { SECRET_KEYS: Buffer.alloc(32, 1).toString('base64') },
  'SECRET_KEYS must hold': { SECRET_KEYS: 'c2hvcnQ=' },
  'SECRET_KEYS must hold base64': { SECRET_KEYS: ' , ' },
  'SECRET_KEYS must hold base64 of': { SECRET_KEYS: 'changeme-changeme-changeme-changeme-changem' },
  'TRUST_PROXY must be': { TRUST_PROXY: '0.0.0.0/0' },
  ADMIN_TOKENS: { ADMIN_TOKENS: 'anna:letmein' },
  TRUST_PROXY: { TRUST_PROXY: 'true' },
  'TRUST_PROXY must': { TRUST_PROXY: '10.0.0.0/33' },
  GOOGLE_CLIENT_SECRET: { GOOGLE_CLIENT_ID: 'half' },
  MAIL_CLIENT_ID: { MAIL_CLIENT_SECRET: 'other half' },
  YANDEX_TOKEN_URL: { YANDEX_TOKEN_URL: 'http://oauth.example/token' },
  YANDEX_PKCE: { YANDEX_PKCE: 'no' },
  YANDEX_TOKEN_AUTH: { YANDEX_TOKEN_AUTH: 'header' },
  GOOGLE_JWKS_URL: { GOOGLE_CLIENT_ID: 'a', GOOGLE_CLIENT_SECRET: 'b', GOOGLE_JWKS_URL: 'ftp://x' },
}
for (const [says, env] of Object.entries(refused))
  t.test(`refused: ${JSON.stringify(env)}`, async (t) => {
    const problems = problemsOf({ ...strict, ...env })
    t.equal(problems.length, 1, problems.join(' '))
    t.match(problems[0], says)
    t.match(problems[0], /\.\)?$/, 'a sentence')
  })

t.test('no refusal repeats a value: it may be a secret', async (t) => {
  const marker = 'MARKER-7f3a'
  const names = [
    'PORT',
    'DATABASE_URL',
    'REDIS_URL',
    'SECRET_KEYS',
    'ADMIN_TOKENS',
    'TRUST_PROXY',
    'TOKEN_ALG',
  ]
  t.notMatch(
    problemsOf({ ...strict, ...Object.fromEntries(names.map((name) => [name, marker])) }).join(),
    marker,
  )
})

t.test('blanks and line ends around a value are trimmed with a warning; blank is absent', async (t) => {
  const config = readConfig({ ...strict, PORT: ' 8080\n', LOG_LEVEL: '  ', OTHER: ' x ' }, providers)
  t.equal(config.port, 8080)
  t.equal(config.logLevel, 'info')
  t.strictSame(config.warnings, ['PORT: blanks or line ends around the value were removed.'])
})

t.test('what is loosened is said', async (t) => {
  const { warnings } = readConfig({ ...strict, RATE_LIMIT: 'off', YANDEX_PKCE: 'off' }, providers)
  t.match(warnings.join(), /RATE_LIMIT=off.*YANDEX_PKCE=off/)
})

t.test('Redis as cluster and by sentinels, PostgreSQL by both schemes', async (t) => {
  for (const REDIS_URL of [
    'redis://a:1,redis://b:2',
    'redis+sentinel://a:1,b:2/main',
    'redis://:pass@a:6379/3',
  ])
    t.strictSame(problemsOf({ ...strict, REDIS_URL }), [], REDIS_URL)
  t.strictSame(problemsOf({ ...strict, DATABASE_URL: 'postgres://a@b/c' }), [])
})

t.test('several secret keys, newest first; admin tokens by the digest', async (t) => {
  const other = Buffer.from(Buffer.from(key, 'base64').toReversed()).toString('base64')
  const digest = 'ab'.repeat(32)
  const config = readConfig(
    { ...strict, SECRET_KEYS: `${other}, ${key}`, ADMIN_TOKENS: `anna:${digest}` },
    providers,
  )
  t.strictSame(
    config.secretKeys.map((one) => one.toString('base64')),
    [other, key],
  )
  t.strictSame([...config.adminTokens], [[digest, 'anna']])
})
