import { ExpressAuth } from '@auth/express'
import PostgresAdapter from '@auth/pg-adapter'
import express from 'express'
import pg from 'pg'
import { given, serveBench } from '../child.ts'

// Auth.js on Express, with its adapter for PostgreSQL: users, accounts and sessions are rows.
const provider = given('BENCH_PROVIDER_URL')
const pool = new pg.Pool({ connectionString: given('BENCH_DATABASE_URL'), max: 10 })
// The tables that its documentation gives, and the indexes that its documentation does not.
await pool.query(`
  CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT, email TEXT, "emailVerified" TIMESTAMPTZ, image TEXT);
  CREATE TABLE accounts (id SERIAL PRIMARY KEY, "userId" INTEGER NOT NULL, type TEXT NOT NULL, provider TEXT NOT NULL,
    "providerAccountId" TEXT NOT NULL, refresh_token TEXT, access_token TEXT, expires_at BIGINT, id_token TEXT, scope TEXT,
    session_state TEXT, token_type TEXT);
  CREATE TABLE sessions (id SERIAL PRIMARY KEY, "userId" INTEGER NOT NULL, expires TIMESTAMPTZ NOT NULL,
    "sessionToken" TEXT NOT NULL);
  CREATE TABLE verification_token (identifier TEXT NOT NULL, expires TIMESTAMPTZ NOT NULL, token TEXT NOT NULL,
    PRIMARY KEY (identifier, token));
  CREATE INDEX ON accounts ("providerAccountId", provider);
  CREATE INDEX ON sessions ("sessionToken");
  CREATE INDEX ON users (email);`)
const app = express()
app.use(
  // It reads the rest of the path as an unnamed parameter, which Express 5 has in patterns alone.
  /^\/auth\/(.*)/,
  ExpressAuth({
    secret: given('BENCH_SECRET_KEY'),
    trustHost: true,
    adapter: PostgresAdapter(pool),
    session: { strategy: 'database' },
    providers: [
      {
        id: 'yandex',
        name: 'Yandex',
        type: 'oauth',
        clientId: 'bench',
        clientSecret: 'bench',
        authorization: `${provider}/authorize`,
        token: `${provider}/token`,
        userinfo: `${provider}/info`,
        issuer: provider,
        checks: ['state', 'pkce'],
        profile: ({ id, real_name: name, default_email: email }) => ({ id, name, email }),
      },
    ],
  }),
)
const server = app.listen(0, '127.0.0.1', () => {
  serveBench(`http://127.0.0.1:${server.address().port}`)
})
