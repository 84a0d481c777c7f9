import type { Database } from '../storage/postgres.ts'
import { endSessionsOfKey } from './end-sessions-of-key.ts'
import type { KeyKind, TokenAlg } from './key-material.ts'
import { allUnusable, generateKey, resealKey, UnusableKey } from './key-material.ts'
import type { KeyState, TokenTimes } from './key-schedule.ts'
import { latestFirst, publishedAhead, stateOf, verifiesUntil } from './key-schedule.ts'
import { createKeySeal } from './key-seal.ts'
import type { KeyRow, KeyTable } from './key-store.ts'
import {
  activateKey,
  deleteKeys,
  insertKey,
  readKeys,
  revokeStoredKey,
  storeSealed,
  underKeyLock,
} from './key-store.ts'

/** What the commands on keys stand on. */
export interface KeyCommandOptions extends TokenTimes {
  readonly database: Pick<Database, 'pool'>
  readonly secretKeys: readonly Buffer[]
  readonly tokenAlg: TokenAlg
}

/** A command on keys cannot be done; the message is one sentence for the operator. */
export class KeyCommandError extends Error {
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
    const ordered = latestFirst(table.keys, kindOf(key))
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
 * Publishes a new key, which takes over when every cache can know it; the very first one at once. Keys whose
 * last token is over are removed.
 * @throws {KeyCommandError} where one waits already
 */
export async function rotateKey(
  kind: KeyKind,
  options: KeyCommandOptions,
): Promise<{
  readonly kid: string
  readonly kind: KeyKind
  readonly alg: string
  readonly activates_at: string
}> {
  const seal = createKeySeal(options.secretKeys)
  return await underKeyLock(options.database.pool, async (client) => {
    const table = await readKeys(client)
    const states = statesOf(table, kind, options)
    const waiting = states.find(({ state }) => state === 'next')?.key
    if (waiting !== undefined)
      throw new KeyCommandError(
        `The ${kind} key ${waiting.kid} waits already and takes over at ${iso(waiting.activatesAt)}.`,
      )
    await deleteKeys(client, endedKids(table, options))
    const key = generateKey(kind, options.tokenAlg, seal)
    const first = !states.some(({ state }) => state === 'active')
    const activatesAt = await insertKey(client, key, first ? 0 : publishedAhead)
    return { kid: key.kid, kind, alg: key.alg, activates_at: iso(activatesAt) }
  })
}

/**
 * Refuses a stolen key: every replica within a minute, sites within their JWKS cache. Revoking the active key
 * lets its successor take over at once (a waiting one, else a new one). Revoking a refresh key ends the sessions
 * that it signed for. Asked again for the same key, it completes what was broken off.
 * @throws {KeyCommandError} for an unknown kid
 */
export async function revokeKey(
  kid: string,
  options: KeyCommandOptions,
): Promise<{
  readonly kid: string
  readonly kind: KeyKind
  /** The key that takes over; null where the revoked one did not sign any more, or not yet. */
  readonly successor: string | null
  readonly sessions_ended: number
}> {
  const seal = createKeySeal(options.secretKeys)
  const { kind, successor } = await underKeyLock(options.database.pool, async (client) => {
    const table = await readKeys(client)
    const key = table.keys.find((candidate) => candidate.kid === kid)
    if (key === undefined) throw new KeyCommandError(`There is no key ${kid}: see \`keys list\`.`)
    const states = statesOf(table, kindOf(key), options)
    await revokeStoredKey(client, kid)
    if (states.find((entry) => entry.key === key)?.state !== 'active')
      return { kind: kindOf(key), successor: null }
    const waiting = states.findLast(({ state }) => state === 'next')?.key
    if (waiting !== undefined) await activateKey(client, waiting.kid)
    const fresh = waiting ?? generateKey(kindOf(key), options.tokenAlg, seal)
    if (waiting === undefined) await insertKey(client, fresh, 0)
    return { kind: kindOf(key), successor: fresh.kid }
  })
  const sessions_ended = kind === 'refresh' ? await endSessionsOfKey(options.database.pool, kid) : 0
  return { kid, kind, successor, sessions_ended }
}

/**
 * Seals every key under the newest entry of SECRET_KEYS, so that older entries can go. All or nothing.
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
    const refusal = allUnusable(unusable)
    if (refusal !== undefined) throw refusal
    return { resealed: kept.map((key) => key.kid) }
  })
}

function statesOf(table: KeyTable, kind: KeyKind, times: TokenTimes) {
  const ordered = latestFirst(table.keys, kind)
  return ordered.map((key) => ({ key, state: stateOf(key, ordered, times, table.now) }))
}

function endedKids(table: KeyTable, times: TokenTimes): string[] {
  return (['access', 'refresh'] as const).flatMap((kind) =>
    statesOf(table, kind, times).flatMap(({ key, state }) => (state === 'ended' ? [key.kid] : [])),
  )
}

function kindOf(key: KeyRow): KeyKind {
  return key.kind === 'access' ? 'access' : 'refresh'
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
