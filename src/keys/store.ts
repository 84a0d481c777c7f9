import type pg from 'pg'
import { advisoryLocks } from '../storage/advisory-locks.ts'
import type { StoredKey } from './material.ts'
import type { Scheduled } from './schedule.ts'

/** A row of `signing_keys`; times in milliseconds of the database's clock. */
export type KeyRow = StoredKey & Scheduled & { readonly createdAt: number }

/** The keys, and the database's time at the moment of reading. */
export interface KeyTable {
  readonly keys: readonly KeyRow[]
  readonly now: number
}

type Queryable = Pick<pg.Pool, 'query'> | Pick<pg.PoolClient, 'query'>

const milliseconds = (column: string) => `(extract(epoch FROM ${column}) * 1000)::float8`

/** Reads every key, and the time. */
export async function readKeys(database: Queryable): Promise<KeyTable> {
  const { rows } = await database.query<{ now: number; key: KeyRow | null }>(readText)
  const keys = rows.flatMap(({ key }) =>
    key === null ? [] : [{ ...key, sealedSecret: Buffer.from(String(key.sealedSecret), 'base64') }],
  )
  return { keys, now: rows[0]?.now ?? Date.now() }
}

const readText = `
  SELECT ${milliseconds('clock_timestamp()')} AS now, CASE WHEN k.kid IS NOT NULL THEN json_build_object(
    'kid', k.kid, 'kind', k.kind, 'alg', k.alg, 'publicJwk', k.public_jwk,
    'sealedSecret', encode(k.sealed_secret, 'base64'),
    'createdAt', ${milliseconds('k.created_at')}, 'activatesAt', ${milliseconds('k.activates_at')},
    'revokedAt', ${milliseconds('k.revoked_at')}) END AS key
  FROM (VALUES (1)) AS one LEFT JOIN signing_keys AS k ON true
  ORDER BY k.activates_at, k.kid`

/** Adds a key that starts to sign after `delay` seconds. @returns when that is, in milliseconds */
export async function insertKey(client: Queryable, key: StoredKey, delay: number): Promise<number> {
  const { rows } = await client.query<{ at: number }>(
    `INSERT INTO signing_keys (kid, kind, alg, public_jwk, sealed_secret, activates_at)
     VALUES ($1, $2, $3, $4, $5, now() + $6::int * interval '1 second')
     RETURNING ${milliseconds('activates_at')} AS at`,
    [
      key.kid,
      key.kind,
      key.alg,
      key.publicJwk === null ? null : JSON.stringify(key.publicJwk),
      key.sealedSecret,
      delay,
    ],
  )
  return rows[0]?.at ?? 0
}

/** Lets a waiting key sign from now on. */
export async function activateKey(client: Queryable, kid: string): Promise<void> {
  await client.query('UPDATE signing_keys SET activates_at = now() WHERE kid = $1', [kid])
}

/** Marks a key as revoked and destroys its secret. */
export async function revokeStoredKey(client: Queryable, kid: string): Promise<void> {
  await client.query(
    `UPDATE signing_keys SET revoked_at = coalesce(revoked_at, now()), sealed_secret = ''::bytea WHERE kid = $1`,
    [kid],
  )
}

/** Replaces a sealed secret. */
export async function storeSealed(client: Queryable, kid: string, sealed: Buffer): Promise<void> {
  await client.query('UPDATE signing_keys SET sealed_secret = $2 WHERE kid = $1', [kid, sealed])
}

/** Removes keys; the caller has made sure that their last token has expired. */
export async function deleteKeys(client: Queryable, kids: readonly string[]): Promise<void> {
  if (kids.length > 0) await client.query('DELETE FROM signing_keys WHERE kid = ANY($1)', [kids])
}

/**
 * Runs `work` in a transaction; no other call, in any process, runs at the same time. The lock belongs to the
 * transaction, not to the connection, so that it holds behind a pooler as well.
 */
export async function underKeyLock<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock($1)', [advisoryLocks.keys])
    const result = await work(client)
    await client.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch((reason: unknown) => {
      broken = reason instanceof Error ? reason : new Error('ROLLBACK failed')
    })
    throw error
  } finally {
    client.release(broken)
  }
}
