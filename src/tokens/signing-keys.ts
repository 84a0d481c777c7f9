import type { FastifyBaseLogger } from 'fastify'
import type { Database } from '../storage/postgres.ts'
import type { KeyKind, TokenAlg, UnusableKey } from './key-material.ts'
import { allUnusable, generateKey } from './key-material.ts'
import type { KeySummary } from './key-ring.ts'
import { KeyRing } from './key-ring.ts'
import type { TokenTimes } from './key-schedule.ts'
import { activeOf, latestFirst } from './key-schedule.ts'
import type { KeySeal } from './key-seal.ts'
import { createKeySeal } from './key-seal.ts'
import type { KeyTable } from './key-store.ts'
import { insertKey, readKeys, underKeyLock } from './key-store.ts'
import type { PublicJwk } from './public-jwk.ts'
import type { SigningKey } from './signing-key.ts'

export { UnusableKey } from './key-material.ts'
export type { SigningKey } from './signing-key.ts'

/** The keys of the whole service, as this process knows them: at most a minute old. */
export interface SigningKeys {
  /** PUBLIC_URL: `iss` of every token. */
  readonly issuer: string
  /** Seconds. */
  readonly accessTokenTtl: number
  /** The database's clock, in milliseconds: whatever the process's own clock does. */
  now(): number
  /** The key that signs. */
  active(kind: KeyKind): SigningKey
  /** A key that verifies: by its exact kid, no fetch for an unknown one. */
  find(kind: KeyKind, kid: string): SigningKey | undefined
  /** Every public key that verifies, the waiting one among them (RFC 7517 §5). */
  jwks(): { readonly keys: readonly PublicJwk[] }
  /** @throws where one of the kinds has no key */
  summary(): Readonly<Record<KeyKind, KeySummary>>
  /** Whether there is a key of each kind to sign with. */
  loaded(): boolean
  /** Reads the table now rather than at the next poll. @throws where it cannot be read; what was loaded stays */
  reload(): Promise<void>
  close(): Promise<void>
}

/** What the keys stand on. */
export interface SigningKeysOptions extends TokenTimes {
  readonly database: Pick<Database, 'pool'>
  readonly secretKeys: readonly Buffer[]
  /** Of the very first access key; later ones take it at their rotation. */
  readonly tokenAlg: TokenAlg
  readonly publicUrl: string
  readonly log: Pick<FastifyBaseLogger, 'error' | 'info'>
  /** A clock that never jumps, in milliseconds from anywhere; tests move it. */
  readonly now?: () => number
  /** Milliseconds between polls, lengthened by up to a sixth at random. */
  readonly pollEvery?: number
}

/** Milliseconds; with its jitter and the reading itself still within a minute. */
const usualPoll = 48_000

const kinds = ['access', 'refresh'] as const

/**
 * Loads the keys, makes the first of each kind where there is none (one, however many replicas start at once),
 * and polls for changes. A failed poll keeps what is loaded.
 * @throws {UnusableKey} naming every key that SECRET_KEYS does not open; database errors as they are
 */
export async function createSigningKeys(options: SigningKeysOptions): Promise<SigningKeys> {
  const { log, accessTokenTtl, publicUrl: issuer } = options
  const { pool } = options.database
  const clock = options.now ?? (() => performance.now())
  let ahead = 0
  const now = () => clock() + ahead
  const seal = createKeySeal(options.secretKeys)
  const ring = new KeyRing({ times: options, seal, issuer, now })

  const read = async (): Promise<KeyTable> => {
    const before = clock()
    const table = await readKeys(pool)
    ahead = table.now - (before + clock()) / 2
    return table
  }
  let table = await read()
  if (!hasBoth(table)) {
    await makeFirstKeys(options, seal)
    table = await read()
  }
  const unusable: UnusableKey[] = []
  await ring.take(table, (error) => unusable.push(error))
  const refusal = allUnusable(unusable)
  if (refusal !== undefined) {
    await ring.close()
    throw refusal
  }

  let reading: Promise<void> = Promise.resolve()
  const reload = () => {
    // One after the other: an older answer must not replace a newer one.
    reading = reading
      .catch(() => {})
      .then(async () => await ring.take(await read(), ({ kid, message }) => log.error({ kid }, message)))
    return reading
  }
  const stop = poll(reload, options.pollEvery ?? usualPoll, (error) =>
    log.error({ err: error }, 'The signing keys could not be read; those that are loaded stay in use.'),
  )
  return {
    issuer,
    accessTokenTtl,
    now,
    active: (kind) => ring.active(kind),
    find: (kind, kid) => ring.find(kind, kid),
    jwks: () => ring.jwks(),
    summary: () => ring.summary(),
    loaded: () => kinds.every((kind) => ring.has(kind)),
    reload,
    async close() {
      stop()
      await reading.catch(() => {})
      await ring.close()
    },
  }
}

function hasBoth({ keys, now }: KeyTable): boolean {
  return kinds.every((kind) => activeOf(latestFirst(keys, kind), now) !== undefined)
}

/** Under the lock, and asked again there: ten replicas that start at once make one key of each kind. */
async function makeFirstKeys(options: SigningKeysOptions, seal: KeySeal): Promise<void> {
  await underKeyLock(options.database.pool, async (client) => {
    const { keys } = await readKeys(client)
    for (const kind of kinds) {
      if (keys.some((key) => key.kind === kind && key.revokedAt === null)) continue
      const key = generateKey(kind, options.tokenAlg, seal)
      await insertKey(client, key, 0)
      options.log.info({ kid: key.kid, kind }, 'The first signing key was made.')
    }
  })
}

/** Repeats `work`, sooner after a failure, without holding the process open. @returns what stops it */
function poll(work: () => Promise<void>, every: number, onFailure: (error: unknown) => void): () => void {
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const usual = () => every * (1 + Math.random() / 6)
  const schedule = (delay: number) => {
    if (stopped) return
    timer = setTimeout(() => {
      work().then(
        () => schedule(usual()),
        (error: unknown) => {
          onFailure(error)
          schedule(every / 10)
        },
      )
    }, delay)
    timer.unref()
  }
  schedule(usual())
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}
