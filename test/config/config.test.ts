import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { providers } from '../../plugins/index.ts'
import { ConfigError, readConfig } from '../../src/config/config.ts'
import type { Environment } from '../../src/config/variables.ts'

const key = Buffer.from(Array.from({ length: 32 }, (_, index) => index)).toString('base64')

const strict: Environment = {
  DATABASE_URL: 'postgresql://auth:secret@db.example:5432/auth',
  REDIS_URL: 'rediss://redis.example:6379',
  SECRET_KEYS: key,
  PUBLIC_URL: 'https://login.example',
  YANDEX_CLIENT_ID: 'id',
  YANDEX_CLIENT_SECRET: 'secret',
}

const corp: Environment = {
  OIDC_PROVIDERS: 'corp',
  CORP_ISSUER: 'https://sso.example',
  CORP_CLIENT_ID: 'id',
  CORP_CLIENT_SECRET: 'secret',
}

const apple: Environment = {
  APPLE_CLIENT_ID: 'example.site',
  APPLE_TEAM_ID: 'A1B2C3D4E5',
  APPLE_KEY_ID: 'F6G7H8I9J0',
  APPLE_PRIVATE_KEY: generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ format: 'pem', type: 'pkcs8' })
    .toString(),
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

t.test('a complete strict environment gives complete settings', async (t) => {
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

t.test('development warns where it listens beyond loopback, strict mode does not', async (t) => {
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
  'DATABASE_URL is not percent-encoded': { DATABASE_URL: 'postgresql://auth:%E9@db.example/auth' },
  'DATABASE_DIRECT_URL has the parameter sslmode twice': {
    DATABASE_DIRECT_URL: 'postgresql://auth@db.example/auth?sslmode=require&sslmode=disable',
  },
  'DATABASE_URL must': { DATABASE_URL: 'mysql://db.example/auth' },
  'REDIS_URL must': { REDIS_URL: 'http://redis.example' },
  'PUBLIC_URL must be an origin': { PUBLIC_URL: 'https://login.example/auth' },
  'PUBLIC_URL must be https': { PUBLIC_URL: 'http://login.example' },
  'SECRET_KEYS must': { SECRET_KEYS: Buffer.alloc(32, 1).toString('base64') },
  'SECRET_KEYS must hold': { SECRET_KEYS: 'c2hvcnQ=' },
  'SECRET_KEYS must hold base64': { SECRET_KEYS: ' , ' },
  'SECRET_KEYS must hold base64 of': { SECRET_KEYS: 'changeme-changeme-changeme-changeme-changem' },
  'TRUST_PROXY must be': { TRUST_PROXY: '0.0.0.0/0' },
  'TRUST_PROXY must be a number': { TRUST_PROXY: '::ffff:0:0/96' },
  ADMIN_TOKENS: { ADMIN_TOKENS: 'anna:letmein' },
  TRUST_PROXY: { TRUST_PROXY: 'true' },
  'TRUST_PROXY must': { TRUST_PROXY: '10.0.0.0/33' },
  GOOGLE_CLIENT_SECRET: { GOOGLE_CLIENT_ID: 'half' },
  MAIL_CLIENT_ID: { MAIL_CLIENT_SECRET: 'half' },
  YANDEX_TOKEN_URL: { YANDEX_TOKEN_URL: 'http://oauth.example/token' },
  YANDEX_PKCE: { YANDEX_PKCE: 'no' },
  YANDEX_TOKEN_AUTH: { YANDEX_TOKEN_AUTH: 'header' },
  'HTTPS_PROXY must have %25': { HTTPS_PROXY: 'http://user:100%@proxy.example:3128' },
  'NODE_ENV has quotation marks': { NODE_ENV: '"development"' },
  'YANDEX_CLIENT_SECRET has quotation marks': { YANDEX_CLIENT_SECRET: '"secret"' },
  'YANDEX_CLIENT_ID has quotation marks': { YANDEX_CLIENT_ID: "'id'" },
  'MAIL_CLIENT_ID has quotation marks': { MAIL_CLIENT_ID: '""' },
  'YANDEX_SCOPE has quotation marks': { YANDEX_SCOPE: '“login:info login:email”' },
  'SECRET_KEYS has quotation marks': { SECRET_KEYS: `"${key}"` },
  'DATABASE_URL has quotation marks': { DATABASE_URL: `'${strict.DATABASE_URL}'` },
  'PORT has quotation marks': { PORT: '"3000"' },
  'YANDEX_CLIENT_SECRET has a line break': { YANDEX_CLIENT_SECRET: 'sec\nret' },
  'YANDEX_CLIENT_ID has a line break': { YANDEX_CLIENT_ID: 'i\u200bd' },
  'PUBLIC_URL has a line break': { PUBLIC_URL: 'https://login.\u00adexample' },
  'REDIS_URL has a line break': { REDIS_URL: 'redis://a\u2060:1' },
  'YANDEX_TOKEN_URL has a line break': { YANDEX_TOKEN_URL: 'https://oauth.example/to\tken' },
  'YANDEX_SCOPE has a line break': { YANDEX_SCOPE: 'login:info\u00a0login:email' },
  'YANDEX_CLIENT_SECRET must be as': { YANDEX_CLIENT_SECRET: '"secret' },
  'YANDEX_CLIENT_ID must be as': { YANDEX_CLIENT_ID: 'i d' },
  'YANDEX_CLIENT_ID must be': { YANDEX_CLIENT_ID: 'іd' }, // a Ukrainian i
  'YANDEX_SCOPE must be': { YANDEX_SCOPE: 'login:info  login:email' },
  'YANDEX_SCOPE must': { YANDEX_SCOPE: 'login:info "login:email"' },
  'YANDEX_TOKEN_URL must': { YANDEX_TOKEN_URL: 'https://oauth.example/to ken' },
  'VKID_PKCE=off is refused': { VKID_CLIENT_ID: '1', VKID_PKCE: 'off' },
  'VKID_CLIENT_ID is missing: VKID_CLIENT_SECRET': { VKID_CLIENT_SECRET: 'half' },
  'VKID_CLIENT_SECRET is missing': { VKID_CLIENT_ID: '1', VKID_TOKEN_AUTH: 'body' },
  'TELEGRAM_CLIENT_SECRET is missing': { TELEGRAM_CLIENT_ID: '1' },
  'APPLE_TEAM_ID is missing': { ...apple, APPLE_TEAM_ID: '' },
  'APPLE_KEY_ID is missing': { ...apple, APPLE_KEY_ID: '' },
  'APPLE_PRIVATE_KEY is missing': { ...apple, APPLE_PRIVATE_KEY: '' },
  'APPLE_PRIVATE_KEY must be a P-256 key': { ...apple, APPLE_PRIVATE_KEY: 'not a key' },
  'OIDC_PROVIDERS must be names': { OIDC_PROVIDERS: 'My-Corp' },
  'OIDC_PROVIDERS must not name yandex': { OIDC_PROVIDERS: 'yandex' },
  'CORP_ISSUER is missing: OIDC_PROVIDERS names corp': { ...corp, CORP_ISSUER: '' },
  'CORP_CLIENT_SECRET is missing': { ...corp, CORP_CLIENT_SECRET: '' },
  'CORP_ISSUER must be an https': { ...corp, CORP_ISSUER: 'http://sso.example' },
  GOOGLE_JWKS_URL: { GOOGLE_CLIENT_ID: 'a', GOOGLE_CLIENT_SECRET: 'b', GOOGLE_JWKS_URL: 'ftp://x' },
}
for (const [says, env] of Object.entries(refused))
  t.test(`refused: ${JSON.stringify(env)}`, async (t) => {
    const problems = problemsOf({ ...strict, ...env })
    t.equal(problems.length, 1, problems.join(' '))
    t.match(problems[0], says)
    t.match(problems[0], /\.\)?$/, 'a sentence')
  })

t.test('a key in PEM may have several lines, and an OpenID provider needs its four variables', async (t) => {
  const config = readConfig({ ...strict, ...apple, ...corp }, providers)
  t.strictSame([...config.providers.keys()], ['yandex', 'apple', 'corp'])
  t.match(config.openIdProviders, [
    { name: 'corp', title: { ru: 'corp', en: 'corp' }, jurisdiction: 'other' },
  ])
  t.strictSame(config.warnings, [])
  t.strictSame(readConfig(strict, providers).openIdProviders, [])
  t.match(
    readConfig({ ...strict, ...corp, CORP_JWKS_URl: 'x' }, providers).warnings,
    [/^CORP_JWKS_URl is read by nothing: is CORP_JWKS_URL meant/],
    'its variables are known by name',
  )
})

t.test('no error message repeats a value, which may be a secret', async (t) => {
  const marker = 'MARKER-7f3a'
  const names = [
    'PORT',
    'DATABASE_URL',
    'REDIS_URL',
    'SECRET_KEYS',
    'ADMIN_TOKENS',
    'TRUST_PROXY',
    'TOKEN_ALG',
    'YANDEX_CLIENT_ID',
    'YANDEX_CLIENT_SECRET',
    'YANDEX_SCOPE',
  ]
  for (const value of [marker, `"${marker}"`, `${marker}\u200b${marker}`, `${marker} "`])
    t.notMatch(
      problemsOf({ ...strict, ...Object.fromEntries(names.map((name) => [name, value])) }).join(),
      marker,
    )
})

t.test('blanks and line ends around a value are trimmed with a warning; blank is absent', async (t) => {
  const config = readConfig({ ...strict, PORT: ' 8080\n', LOG_LEVEL: '  ', OTHER: ' x ' }, providers)
  t.equal(config.port, 8080)
  t.equal(config.logLevel, 'info')
  t.strictSame(config.warnings, ['PORT: blanks or line ends around the value were removed.'])
})

t.test(
  'a value may have line breaks after its commas, and variables of other programs may have them anywhere',
  async (t) => {
    t.strictSame(
      problemsOf({ ...strict, SECRET_KEYS: `${key},\n  ${key}`, MAIL_SUBJECT: '"\u200b"', PATH: "'a'" }),
      [],
    )
  },
)

t.test('a proxy variable that is not read is warned of', async (t) => {
  const warningsOf = (env: Environment) => readConfig({ ...strict, ...env }, providers).warnings
  const there = 'http://user:MARKER@proxy.example:3128'
  for (const name of ['https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy']) {
    const [warning, ...more] = warningsOf({ [name]: there })
    t.match(warning, `${name} is not read: HTTPS_PROXY alone`)
    t.notMatch(warning, 'MARKER')
    t.strictSame(more, [])
    t.strictSame(warningsOf({ [name]: there, HTTPS_PROXY: there }), [])
  }
  t.match(warningsOf({ no_proxy: 'a', HTTPS_PROXY: there }), [/^no_proxy is not read: NO_PROXY alone/])
  for (const env of [{ no_proxy: 'a' }, { no_proxy: 'a', NO_PROXY: 'a', HTTPS_PROXY: there }])
    t.strictSame(warningsOf(env), [])
})

t.test('a name that resembles one of the service’s is warned of as misspelt', async (t) => {
  const warningsOf = (env: Environment) =>
    readConfig({ NODE_ENV: 'development', MAIL_CLIENT_ID: 'id', MAIL_CLIENT_SECRET: 's', ...env }, providers)
      .warnings
  for (const [name, meant] of [
    ['PROT', 'PORT'],
    ['port', 'PORT'],
    ['POR', 'PORT'],
    ['HSOT', 'HOST'],
    ['DATABSE_URL', 'DATABASE_URL'],
    ['DATABASE_URI', 'DATABASE_URL'],
    ['YANDEX_CLIENT_SECERT', 'YANDEX_CLIENT_SECRET'],
    ['YANDEX_CLIENTID', 'YANDEX_CLIENT_ID'],
    ['GOOGLE_JWKS_URLS', 'GOOGLE_JWKS_URL'],
    ['TRUSTED_PROXY', 'TRUST_PROXY'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['MANAGMENT_HOST', 'MANAGEMENT_HOST'],
  ] as const) {
    const warnings = warningsOf({ [name]: 'MARKER-7f3a' })
    t.strictSame(warnings, [`${name} is read by nothing: is ${meant} meant?`])
  }
  t.strictSame(warningsOf({ LOGLEVEL: 'x', LOG_LEVEL: 'info' }), [], 'the right name is set as well')
})

t.test('names that other programs use are not warned of', async (t) => {
  const names = [
    'PATH HOME PWD USER SHELL TERM LANG HOSTNAME POST SORT COLUMNS EDITOR TMPDIR TZ SHLVL OLDPWD',
    'NODE_OPTIONS NODE_PATH NODE_VERSION YARN_VERSION',
    'KUBERNETES_PORT KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT KUBERNETES_PORT_443_TCP_ADDR',
    'REDIS_PORT REDIS_HOST REDIS_SERVICE_HOST REDIS_SERVICE_PORT REDIS_PORT_6379_TCP POSTGRES_PORT POSTGRES_URL',
    'MAIL_PORT MAIL_HOST MAIL_FROM MAIL_URL SMTP_PORT SMTP_HOST SANDBOX_SERVICE_PORT PGHOST PGPORT DB_PORT',
    'AUTH_MOVIES_PORT AUTH_MOVIES_SERVICE_HOST npm_config_loglevel INIT_CWD npm_lifecycle_event CI DEBUG',
  ].flatMap((line) => line.split(' '))
  const { warnings } = readConfig(
    { ...strict, ...Object.fromEntries(names.map((name) => [name, 'x'])) },
    providers,
  )
  t.strictSame(warnings, [])
})

t.test('strict mode ignores SANDBOX_PORT, even that of a Service called sandbox', async (t) => {
  const env = { SANDBOX_PORT: 'tcp://10.0.0.1:3001' }
  t.strictSame(problemsOf({ ...strict, ...env }), [])
  t.match(problemsOf({ ...env, NODE_ENV: 'development' }).join(), /SANDBOX_PORT must be/)
})

t.test('the management port has an address of its own where it is given one', async (t) => {
  const hosts = (env: Environment) => {
    const { host, managementHost } = readConfig({ ...strict, ...env }, providers)
    return [host, managementHost]
  }
  t.strictSame(hosts({}), ['::', '::'])
  t.strictSame(hosts({ HOST: '192.0.2.1' }), ['192.0.2.1', '192.0.2.1'])
  t.strictSame(hosts({ MANAGEMENT_HOST: '127.0.0.1' }), ['::', '127.0.0.1'])
})

t.test('settings that weaken security are warned of', async (t) => {
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
