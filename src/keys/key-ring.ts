import type { KeyKind } from './key-material.ts'
import { openKey, UnusableKey } from './key-material.ts'
import type { KeySeal } from './key-seal.ts'
import type { PublicJwk } from './public-jwk.ts'
import type { TokenTimes } from './schedule.ts'
import { activeOf, latestFirst, stateOf } from './schedule.ts'
import type { SigningKey } from './signing-key.ts'
import { createSigningKey } from './signing-key.ts'
import type { KeyRow, KeyTable } from './store.ts'

/** For `GET /site/` and the metric `signing_key_age_seconds`. */
export interface KeySummary {
  readonly current: string
  readonly next: string | null
  /** Whole seconds since the current key was made. */
  readonly ageSeconds: number
}

/** Opened keys as last read, and the question which of them signs and verifies at this moment. */
export class KeyRing {
  private readonly times: TokenTimes
  private readonly seal: KeySeal
  private readonly issuer: string
  private readonly now: () => number
  private opened: ReadonlyMap<string, { readonly row: KeyRow; readonly key: SigningKey }> = new Map()
  /** All rows, latest first: a successor counts even where this process cannot open it. */
  private rows: Readonly<Record<KeyKind, readonly KeyRow[]>> = { access: [], refresh: [] }

  /** @param now the database's clock, milliseconds */
  constructor(options: { times: TokenTimes; seal: KeySeal; issuer: string; now: () => number }) {
    this.times = options.times
    this.seal = options.seal
    this.issuer = options.issuer
    this.now = options.now
  }

  /** Takes over what was read; a key that cannot be opened is left out and reported. */
  async take({ keys }: KeyTable, onUnusable: (error: UnusableKey) => void): Promise<void> {
    const rows = { access: latestFirst(keys, 'access'), refresh: latestFirst(keys, 'refresh') }
    const next = new Map<string, { row: KeyRow; key: SigningKey }>()
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

  /** Whether there is a key of this kind to sign with. */
  has(kind: KeyKind): boolean {
    return this.signer(kind) !== undefined
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

  async close(): Promise<void> {
    await Promise.all([...this.opened.values()].map(({ key }) => key.close()))
  }

  private stateOf(row: KeyRow, rows = this.rows) {
    return stateOf(row, rows[row.kind === 'access' ? 'access' : 'refresh'], this.times, this.now())
  }

  private signer(kind: KeyKind) {
    const usable = this.rows[kind].filter((row) => this.opened.has(row.kid))
    return this.opened.get(activeOf(usable, this.now())?.kid ?? '')
  }

  private current(kind: KeyKind) {
    const found = this.signer(kind)
    if (found === undefined) throw new Error(`No ${kind} key is loaded.`)
    return found
  }
}
