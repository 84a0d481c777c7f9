import { createServer } from 'node:http'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { toNodeHandler } from 'better-auth/node'
import { genericOAuth } from 'better-auth/plugins'
import pg from 'pg'
import { given, serveBench } from '../child.ts'

// better-auth on Node's own HTTP server, users and sessions in PostgreSQL. BENCH_INDEX=yes adds the index that its migration
// lacks: without it, each login reads the whole table of accounts.
const provider = given('BENCH_PROVIDER_URL')
const pool = new pg.Pool({ connectionString: given('BENCH_DATABASE_URL'), max: 10 })
const options = {
  baseURL: 'http://127.0.0.1:3000',
  secret: given('BENCH_SECRET_KEY'),
  database: pool,
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  plugins: [
    genericOAuth({
      config: [
        {
          providerId: 'yandex',
          clientId: 'bench',
          clientSecret: 'bench',
          authorizationUrl: `${provider}/authorize`,
          tokenUrl: `${provider}/token`,
          userInfoUrl: `${provider}/info`,
          scopes: ['login:info', 'login:email'],
          pkce: true,
          accountSubject: ({ profile }) => profile.id,
          mapProfileToUser: ({ real_name: name, default_email: email }) => ({ name, email }),
        },
      ],
    }),
  ],
}
const { runMigrations } = await getMigrations(options)
await runMigrations()
if (process.env.BENCH_INDEX === 'yes')
  await pool.query('CREATE INDEX ON account ("accountId", "providerId")')
const handle = toNodeHandler(betterAuth(options))
const server = createServer((request, response) => void handle(request, response)).listen(0, '127.0.0.1', () => {
  serveBench(`http://127.0.0.1:${server.address().port}`)
})
