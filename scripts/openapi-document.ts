import { pino } from 'pino'
import { createApp, providers } from '../src/app.ts'
import { readConfig } from '../src/config/config.ts'
import { createMetrics } from '../src/http/metrics.ts'
import type { SigningKeys } from '../src/keys/ring.ts'
import { openDatabase } from '../src/storage/postgres.ts'

/** A schema of the document, as far as the service's schemas go. */
export interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly format?: string
  readonly description?: string
  readonly enum?: readonly string[]
  readonly const?: string | number | boolean
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
}

/** Bodies by media type. */
type Content = Readonly<
  Record<string, { readonly schema?: Schema; readonly examples?: Readonly<Record<string, unknown>> }>
>

/** One method of one path. */
export interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly tags: readonly string[]
  /** One entry per way in; an empty one is none. */
  readonly security?: readonly Readonly<Record<string, unknown>>[]
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required?: boolean
    readonly description?: string
    readonly schema: Schema
  }[]
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>
}

/** The members of the document that its readers here use. */
export interface OpenapiDocument {
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

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
    return JSON.parse(JSON.stringify(app.swagger()))
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
