import { OperatorError } from '../operator-error.ts'
import type { Database } from '../storage/postgres.ts'
import type { IdTokenAlg, KeyKind, TokenAlg } from './material.ts'
import { generateKey, isIdTokenAlg, joinUnusable, resealKey, UnusableKey } from './material.ts'
import type { KeyLine, KeyState, TokenTimes } from './schedule.ts'
import { idLine, keyLines, latestFirst, lineOf, publishedAhead, stateOf, verifiesUntil } from './schedule.ts'
import { createKeySeal } from './seal.ts'
import type { KeyRow, KeyTable } from './store.ts'
import {
  activateKey,
  deleteKeys,
  insertKey,
  readKeys,
  revokeStoredKey,
  storeSealed,
  underKeyLock,
} from './store.ts'

/** Where the keys are stored, what seals them, and how long their tokens live. */
export interface KeyCommandOptions extends TokenTimes {
  readonly database: Pick<Database, 'pool'>
  readonly secretKeys: readonly Buffer[]
  readonly tokenAlg: TokenAlg
}

/** A command on keys cannot be carried out; the message is one sentence for the operator. */
export class KeyCommandError extends OperatorError {
  override readonly name = 'KeyCommandError'
}

/** A key as `keys list` shows it; times in ISO 8601. */
export interface ListedKey {
  readonly kid: string
  readonly kind: string
  readonly alg: string
  readonly state: KeyState
  readonly created_at: string
  readonly activates_at: string
  /** null while no successor is known. */
  readonly verifies_until: string | null
  readonly revoked_at: string | null
}

/** Every key, oldest first. */
export async function listKeys(options: KeyCommandOptions): Promise<readonly ListedKey[]> {
  const table = await readKeys(options.database.pool)
  return table.keys.map((key) => {
    const ordered = latestFirst(table.keys, lineOf(key))
    const until = key.revokedAt ?? verifiesUntil(key, ordered, options)
    return {
      kid: key.kid,
      kind: key.kind,
      alg: key.alg,
      state: stateOf(key, ordered, options, table.now),
      created_at: iso(key.createdAt),
      activates_at: iso(key.activatesAt),
      verifies_until: Number.isFinite(until) ? iso(until) : null,
      revoked_at: key.revokedAt === null ? null : iso(key.revokedAt),
    }
  })
}

/**
 * Publishes a new key, which starts to sign when every cache can know it; the very first one signs at once. Keys whose
 * last token has expired are removed.
 * @param idTokenAlg of kind `id`: each algorithm has keys of its own
 * @throws {KeyCommandError} where a new key is waiting already
 */
export async function rotateKey(
  kind: KeyKind,
  options: KeyCommandOptions,
  idTokenAlg: IdTokenAlg = 'RS256',
): Promise<{
  readonly kid: string
  readonly kind: KeyKind
  readonly alg: string
  readonly activates_at: string
}> {
  const seal = createKeySeal(options.secretKeys)
  return await underKeyLock(options.database.pool, async (client) => {
    const table = await readKeys(client)
    const states = statesOf(table, kind === 'id' ? idLine(idTokenAlg) : kind, options)
    const waiting = states.find(({ state }) => state === 'next')?.key
    if (waiting !== undefined)
      throw new KeyCommandError(
        `The ${kind} key ${waiting.kid} waits already and takes over at ${iso(waiting.activatesAt)}.`,
      )
    await deleteKeys(client, endedKids(table, options))
    const key = await generateKey(kind, kind === 'id' ? idTokenAlg : options.tokenAlg, seal)
    const first = !states.some(({ state }) => state === 'active')
    const activatesAt = await insertKey(client, key, first ? 0 : publishedAhead)
    return { kid: key.kid, kind, alg: key.alg, activates_at: iso(activatesAt) }
  })
}

/**
 * Revokes a stolen key: every replica refuses it within a minute, sites when their JWKS cache expires. If the key was
 * active, its successor signs at once (the waiting key, else a new one). Revoking a refresh key ends the sessions
 * that it signed for. If it was interrupted, call it again for the same key.
 * @throws {KeyCommandError} for an unknown kid
 */
export async function revokeKey(
  kid: string,
  options: KeyCommandOptions & {
    /** Ends the living sessions that this refresh key signed for, and returns their number. */
    readonly endSessions: (kid: string) => Promise<number>
  },
): Promise<{
  readonly kid: string
  readonly kind: KeyKind
  /** The key that signs now; null where the revoked key was not the active one. */
  readonly successor: string | null
  readonly sessions_ended: number
}> {
  const seal = createKeySeal(options.secretKeys)
  const { kind, successor } = await underKeyLock(options.database.pool, async (client) => {
    const table = await readKeys(client)
    const key = table.keys.find((candidate) => candidate.kid === kid)
    if (key === undefined) throw new KeyCommandError(`There is no key ${kid}: see \`keys list\`.`)
    const states = statesOf(table, lineOf(key), options)
    await revokeStoredKey(client, kid)
    if (states.find((entry) => entry.key === key)?.state !== 'active')
      return { kind: kindOf(key), successor: null }
    const waiting = states.findLast(({ state }) => state === 'next')?.key
    if (waiting !== undefined) await activateKey(client, waiting.kid)
    const alg = key.kind === 'id' && isIdTokenAlg(key.alg) ? key.alg : options.tokenAlg
    const fresh = waiting ?? (await generateKey(kindOf(key), alg, seal))
    if (waiting === undefined) await insertKey(client, fresh, 0)
    return { kind: kindOf(key), successor: fresh.kid }
  })
  const sessions_ended = kind === 'refresh' ? await options.endSessions(kid) : 0
  return { kid, kind, successor, sessions_ended }
}

/**
 * Seals every key under the newest entry of SECRET_KEYS, so that older entries can be removed. All keys or none.
 * @throws {UnusableKey} naming every key that no entry opens
 */
export async function resealKeys(
  options: KeyCommandOptions,
): Promise<{ readonly resealed: readonly string[] }> {
  const seal = createKeySeal(options.secretKeys)
  return await underKeyLock(options.database.pool, async (client) => {
    const table = await readKeys(client)
    const ended = endedKids(table, options)
    await deleteKeys(client, ended)
    const kept = table.keys.filter((key) => key.revokedAt === null && !ended.includes(key.kid))
    const unusable: UnusableKey[] = []
    for (const key of kept)
      try {
        await storeSealed(client, key.kid, resealKey(key, seal))
      } catch (error) {
        if (!(error instanceof UnusableKey)) throw error
        unusable.push(error)
      }
    const failure = joinUnusable(unusable)
    if (failure !== undefined) throw failure
    return { resealed: kept.map((key) => key.kid) }
  })
}

function statesOf(table: KeyTable, line: KeyLine | undefined, times: TokenTimes) {
  const ordered = latestFirst(table.keys, line)
  return ordered.map((key) => ({ key, state: stateOf(key, ordered, times, table.now) }))
}

function endedKids(table: KeyTable, times: TokenTimes): string[] {
  return keyLines.flatMap((line) =>
    statesOf(table, line, times).flatMap(({ key, state }) => (state === 'ended' ? [key.kid] : [])),
  )
}

function kindOf(key: KeyRow): KeyKind {
  return key.kind === 'access' || key.kind === 'id' ? key.kind : 'refresh'
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
