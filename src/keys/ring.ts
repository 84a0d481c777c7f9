import type { FastifyBaseLogger } from 'fastify'
import type { Database } from '../storage/postgres.ts'
import type { KeyKind, PublicJwk, TokenAlg } from './material.ts'
import { generateKey, joinUnusable, openKey, UnusableKey } from './material.ts'
import type { TokenTimes } from './schedule.ts'
import { activeOf, latestFirst, stateOf } from './schedule.ts'
import type { KeySeal } from './seal.ts'
import { createKeySeal } from './seal.ts'
import type { SigningKey } from './signing-key.ts'
import { createSigningKey } from './signing-key.ts'
import type { KeyRow, KeyTable } from './store.ts'
import { insertKey, readKeys, underKeyLock } from './store.ts'

/** The keys of the whole service, as this process knows them: at most one minute old. */
export interface SigningKeys {
  /** PUBLIC_URL: `iss` of every token. */
  readonly issuer: string
  /** Seconds. */
  readonly accessTokenTtl: number
  /** The database's clock, in milliseconds, independent of the process's own clock. */
  now(): number
  /** The key that signs. @throws {Error} where there is none of this kind */
  active(kind: KeyKind): SigningKey
  /** A key that verifies, by its exact kid; an unknown kid causes no query. */
  find(kind: KeyKind, kid: string): SigningKey | undefined
  /** Every public key that verifies, including the next one, which does not sign yet (RFC 7517 §5). */
  jwks(): { readonly keys: readonly PublicJwk[] }
  /** @throws {Error} where there is no key of one of the kinds */
  summary(): Readonly<Record<KeyKind, KeySummary>>
  /** Whether there is a key of each kind to sign with. */
  loaded(): boolean
  /** Reads the table now rather than at the next poll. @throws where it cannot be read; what was loaded stays */
  reload(): Promise<void>
  close(): Promise<void>
}

/** For `GET /site/` and the metric `signing_key_age_seconds`. */
export interface KeySummary {
  readonly current: string
  readonly next: string | null
  /** Whole seconds since the current key was made. */
  readonly ageSeconds: number
}

/** Where the keys are stored, what opens them, and how long their tokens live. */
export interface SigningKeysOptions extends TokenTimes {
  readonly database: Pick<Database, 'pool'>
  readonly secretKeys: readonly Buffer[]
  /** The algorithm of the very first access key; later keys take it at their rotation. */
  readonly tokenAlg: TokenAlg
  readonly publicUrl: string
  readonly log: Pick<FastifyBaseLogger, 'error' | 'info'>
  /** A clock that never jumps, in milliseconds from any origin; tests move it. */
  readonly now?: () => number
  /** Milliseconds between polls, lengthened by up to a sixth at random. */
  readonly pollEvery?: number
}

/** Milliseconds; with its jitter and the reading itself still within one minute. */
const usualPoll = 48_000

const kinds = ['access', 'refresh'] as const

/**
 * Loads the keys, makes the first of each kind where there is none (one, however many replicas start at once),
 * and polls for changes. A failed poll keeps what is loaded.
 * @throws {UnusableKey} naming every key that SECRET_KEYS does not open; database errors as they are
 */
export async function createSigningKeys(options: SigningKeysOptions): Promise<SigningKeys> {
  const ring = new KeyRing(options)
  await ring.start()
  return ring
}

interface OpenedKey {
  readonly row: KeyRow
  readonly key: SigningKey
}

class KeyRing implements SigningKeys {
  readonly issuer: string
  readonly accessTokenTtl: number
  private readonly options: SigningKeysOptions
  private readonly seal: KeySeal
  private readonly clock: () => number
  /** Milliseconds by which the database's clock is ahead of `clock`. */
  private ahead = 0
  private opened: ReadonlyMap<string, OpenedKey> = new Map()
  /** All rows, latest first: a successor counts even where this process cannot open it. */
  private rows: Readonly<Record<KeyKind, readonly KeyRow[]>> = { access: [], refresh: [] }
  private reading: Promise<void> = Promise.resolve()
  private stopPolling: () => void = () => {}

  constructor(options: SigningKeysOptions) {
    this.issuer = options.publicUrl
    this.accessTokenTtl = options.accessTokenTtl
    this.options = options
    this.seal = createKeySeal(options.secretKeys)
    this.clock = options.now ?? (() => performance.now())
  }

  /** The first reading, which fails where a later one would only report, and the polls after it. */
  async start(): Promise<void> {
    let table = await this.read()
    if (!hasBoth(table)) {
      await makeFirstKeys(this.options, this.seal)
      table = await this.read()
    }
    const unusable: UnusableKey[] = []
    await this.take(table, (error) => unusable.push(error))
    const failure = joinUnusable(unusable)
    if (failure !== undefined) {
      await this.close()
      throw failure
    }
    const { log, pollEvery = usualPoll } = this.options
    this.stopPolling = poll(
      () => this.reload(),
      pollEvery,
      (error) =>
        log.error({ err: error }, 'The signing keys could not be read; those that are loaded stay in use.'),
    )
  }

  now(): number {
    return this.clock() + this.ahead
  }

  active(kind: KeyKind): SigningKey {
    return this.current(kind).key
  }

  find(kind: KeyKind, kid: string): SigningKey | undefined {
    const found = this.opened.get(kid)
    return found?.key.kind === kind && this.stateOf(found.row) !== 'ended' ? found.key : undefined
  }

  jwks(): { readonly keys: readonly PublicJwk[] } {
    const keys = [...this.opened.values()].filter(({ row }) => this.stateOf(row) !== 'ended')
    return { keys: keys.flatMap(({ key }) => key.publicJwk ?? []) }
  }

  summary(): Readonly<Record<KeyKind, KeySummary>> {
    const of = (kind: KeyKind): KeySummary => {
      const { row } = this.current(kind)
      const next = this.rows[kind].findLast((other) => this.stateOf(other) === 'next')
      const ageSeconds = Math.max(0, Math.floor((this.now() - row.createdAt) / 1000))
      return { current: row.kid, next: next?.kid ?? null, ageSeconds }
    }
    return { access: of('access'), refresh: of('refresh') }
  }

  loaded(): boolean {
    return kinds.every((kind) => this.signer(kind) !== undefined)
  }

  reload(): Promise<void> {
    const { log } = this.options
    // One after the other: an older reading must not replace a newer one.
    this.reading = this.reading
      .catch(() => {})
      .then(async () => await this.take(await this.read(), ({ kid, message }) => log.error({ kid }, message)))
    return this.reading
  }

  async close(): Promise<void> {
    this.stopPolling()
    await this.reading.catch(() => {})
    await Promise.all([...this.opened.values()].map(({ key }) => key.close()))
  }

  private async read(): Promise<KeyTable> {
    const before = this.clock()
    const table = await readKeys(this.options.database.pool)
    // The database told its time about halfway between the question and its response.
    this.ahead = table.now - (before + this.clock()) / 2
    return table
  }

  /** Takes over what was read; a key that cannot be opened is left out and reported. */
  private async take({ keys }: KeyTable, onUnusable: (error: UnusableKey) => void): Promise<void> {
    const rows = { access: latestFirst(keys, 'access'), refresh: latestFirst(keys, 'refresh') }
    const next = new Map<string, OpenedKey>()
    for (const row of [...rows.access, ...rows.refresh]) {
      if (['revoked', 'ended'].includes(this.stateOf(row, rows))) continue
      try {
        const key =
          this.opened.get(row.kid)?.key ?? (await createSigningKey(openKey(row, this.seal), this.issuer))
        next.set(row.kid, { row, key })
      } catch (error) {
        if (!(error instanceof UnusableKey)) throw error
        onUnusable(error)
      }
    }
    const gone = [...this.opened.values()].filter(({ row }) => !next.has(row.kid))
    // Both at once: no request sees one without the other.
    this.rows = rows
    this.opened = next
    await Promise.all(gone.map(({ key }) => key.close()))
  }

  private stateOf(row: KeyRow, rows = this.rows) {
    return stateOf(row, rows[row.kind === 'access' ? 'access' : 'refresh'], this.options, this.now())
  }

  private signer(kind: KeyKind): OpenedKey | undefined {
    const usable = this.rows[kind].filter((row) => this.opened.has(row.kid))
    return this.opened.get(activeOf(usable, this.now())?.kid ?? '')
  }

  private current(kind: KeyKind): OpenedKey {
    const found = this.signer(kind)
    if (found === undefined) throw new Error(`No ${kind} key is loaded.`)
    return found
  }
}

function hasBoth({ keys, now }: KeyTable): boolean {
  return kinds.every((kind) => activeOf(latestFirst(keys, kind), now) !== undefined)
}

/** Under the lock, where it asks again: ten replicas that start at once make one key of each kind. */
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
