import type { FastifyBaseLogger } from 'fastify'
import type { Database } from '../storage/postgres.ts'
import type { IdKey } from './id-signing-key.ts'
import { createIdKey } from './id-signing-key.ts'
import type { IdTokenAlg, KeyKind, KeyMaterial, PublicJwk, TokenAlg } from './material.ts'
import { generateKey, idTokenAlgs, joinUnusable, openKey, UnusableKey } from './material.ts'
import { poll } from './poll.ts'
import type { KeyLine, TokenTimes } from './schedule.ts'
import { activeOf, idLine, keyLines, latestFirst, lineOf, stateOf } from './schedule.ts'
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
  active(kind: TokenKeyKind): SigningKey
  /** A key that verifies, by its exact kid; an unknown kid causes no query. */
  find(kind: TokenKeyKind, kid: string): SigningKey | undefined
  /** The key that signs ID tokens of this algorithm. @throws {Error} where there is none */
  activeId(alg: IdTokenAlg): IdKey
  /** A key that verifies ID tokens, by its exact kid. */
  findId(kid: string): IdKey | undefined
  /** Every public key that verifies, including the next one, which does not sign yet (RFC 7517 §5). */
  jwks(): { readonly keys: readonly PublicJwk[] }
  /** Of ID tokens, RS256. @throws {Error} where there is no key of one of the kinds */
  summary(): Readonly<Record<KeyKind, KeySummary>>
  /** Whether there is a key of each kind to sign with. */
  loaded(): boolean
  /** Reads the table now rather than at the next poll. @throws where it cannot be read; what was loaded stays */
  reload(): Promise<void>
  close(): Promise<void>
}

/** The kinds of key whose tokens this service itself reads at each request. */
export type TokenKeyKind = Exclude<KeyKind, 'id'>

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
  readonly key: SigningKey | IdKey
}

type Rows = Readonly<Record<KeyLine, readonly KeyRow[]>>

function rowsByLine(keys: readonly KeyRow[]): Rows {
  const of = (line: KeyLine) => latestFirst(keys, line)
  return {
    access: of('access'),
    refresh: of('refresh'),
    'id RS256': of('id RS256'),
    'id ES256': of('id ES256'),
    'id EdDSA': of('id EdDSA'),
  }
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
  private rows: Rows = rowsByLine([])
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
    if (!hasAll(table)) {
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

  active(kind: TokenKeyKind): SigningKey {
    const { key } = this.current(kind)
    if (key.kind === 'id') throw new Error(`No ${kind} key is loaded.`)
    return key
  }

  find(kind: TokenKeyKind, kid: string): SigningKey | undefined {
    const key = this.verifying(kid)
    return key?.kind === kind ? key : undefined
  }

  activeId(alg: IdTokenAlg): IdKey {
    const { key } = this.current(idLine(alg))
    if (key.kind !== 'id') throw new Error(`No id key of ${alg} is loaded.`)
    return key
  }

  findId(kid: string): IdKey | undefined {
    const key = this.verifying(kid)
    return key?.kind === 'id' ? key : undefined
  }

  private verifying(kid: string): SigningKey | IdKey | undefined {
    const found = this.opened.get(kid)
    return found !== undefined && this.stateOf(found.row) !== 'ended' ? found.key : undefined
  }

  jwks(): { readonly keys: readonly PublicJwk[] } {
    const keys = [...this.opened.values()].filter(({ row }) => this.stateOf(row) !== 'ended')
    return { keys: keys.flatMap(({ key }) => key.publicJwk ?? []) }
  }

  summary(): Readonly<Record<KeyKind, KeySummary>> {
    const of = (line: KeyLine): KeySummary => {
      const { row } = this.current(line)
      const next = this.rows[line].findLast((other) => this.stateOf(other) === 'next')
      const ageSeconds = Math.max(0, Math.floor((this.now() - row.createdAt) / 1000))
      return { current: row.kid, next: next?.kid ?? null, ageSeconds }
    }
    return { access: of('access'), refresh: of('refresh'), id: of(idLine('RS256')) }
  }

  loaded(): boolean {
    return keyLines.every((line) => this.signer(line) !== undefined)
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
    const rows = rowsByLine(keys)
    const next = new Map<string, OpenedKey>()
    for (const row of keyLines.flatMap((line) => rows[line])) {
      if (['revoked', 'ended'].includes(this.stateOf(row, rows))) continue
      try {
        const key = this.opened.get(row.kid)?.key ?? (await usableKey(openKey(row, this.seal), this.issuer))
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
    const line = lineOf(row)
    return stateOf(row, line === undefined ? [] : rows[line], this.options, this.now())
  }

  private signer(line: KeyLine): OpenedKey | undefined {
    const usable = this.rows[line].filter((row) => this.opened.has(row.kid))
    return this.opened.get(activeOf(usable, this.now())?.kid ?? '')
  }

  private current(line: KeyLine): OpenedKey {
    const found = this.signer(line)
    if (found === undefined) throw new Error(`No ${line} key is loaded.`)
    return found
  }
}

function hasAll({ keys, now }: KeyTable): boolean {
  return keyLines.every((line) => activeOf(latestFirst(keys, line), now) !== undefined)
}

function usableKey(material: KeyMaterial, issuer: string): Promise<SigningKey> | IdKey {
  return material.kind === 'id' ? createIdKey(material) : createSigningKey(material, issuer)
}

/** Under the lock, where it asks again: ten replicas that start at once make one key of each kind. */
async function makeFirstKeys(options: SigningKeysOptions, seal: KeySeal): Promise<void> {
  await underKeyLock(options.database.pool, async (client) => {
    const { keys } = await readKeys(client)
    for (const line of keyLines) {
      if (latestFirst(keys, line).some((key) => key.revokedAt === null)) continue
      const idAlg = idTokenAlgs.find((alg) => idLine(alg) === line)
      const kind = line === 'access' || line === 'refresh' ? line : 'id'
      const key = await generateKey(kind, idAlg ?? options.tokenAlg, seal)
      await insertKey(client, key, 0)
      options.log.info({ kid: key.kid, kind }, 'The first signing key was made.')
    }
  })
}
