import { pino } from 'pino'
import { createApp, providers } from '../src/app.ts'
import { readConfig } from '../src/config/config.ts'
import { createMetrics } from '../src/http/metrics.ts'
import type { SigningKeys } from '../src/keys/ring.ts'
import { openDatabase } from '../src/storage/postgres.ts'

/** An OpenAPI document as far as its readers here need its shape. */
export type OpenapiDocument = Readonly<Record<string, unknown>>

/**
 * The document that every running service has at /openapi.json. It depends on nothing that a running service opens, so the
 * service is put together here without a database and without keys, and never listens.
 */
export async function openapiDocument(): Promise<OpenapiDocument> {
  const environment = { NODE_ENV: 'development', YANDEX_CLIENT_ID: 'none', YANDEX_CLIENT_SECRET: 'none' }
  const database = openDatabase({ url: 'postgresql://nobody@127.0.0.1/nothing', poolMax: 1 })
  const { app } = await createApp(readConfig(environment, providers), {
    database,
    keys: noKeys,
    metrics: createMetrics(),
    log: pino({ level: 'silent' }),
  })
  try {
    await app.ready()
    return Object.fromEntries(Object.entries(app.swagger()))
  } finally {
    await app.close()
    await database.close()
  }
}

function never(): never {
  throw new Error('Nothing is signed or verified while the document is made.')
}

const noKeys: SigningKeys = {
  issuer: 'https://login.example',
  accessTokenTtl: 900,
  now: Date.now,
  active: never,
  find: () => undefined,
  activeId: never,
  findId: () => undefined,
  jwks: () => ({ keys: [] }),
  summary: never,
  loaded: () => false,
  reload: never,
  close: () => Promise.resolve(),
}
