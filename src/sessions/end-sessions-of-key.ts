import type pg from 'pg'

/** Rows that one statement looks at: it stays far below any statement limit, however many sessions there are. */
const pageSize = 5_000

/**
 * Ends the living sessions whose current refresh token this key signed, page by page in the order of their ids
 * (there is no index on the key: it would cost every refresh).
 * @returns how many
 */
export async function endSessionsOfKey(pool: pg.Pool, kid: string): Promise<number> {
  let ended = 0
  let after: string | null = '00000000-0000-0000-0000-000000000000'
  while (after !== null) {
    const result: pg.QueryResult<{ ended: number; last: string | null }> = await pool.query(
      `WITH page AS MATERIALIZED (SELECT id FROM sessions WHERE id > $1::uuid ORDER BY id LIMIT $3),
       gone AS (
         UPDATE sessions AS s SET revoked_at = now() FROM page
         WHERE s.id = page.id AND s.refresh_kid = $2 AND s.revoked_at IS NULL AND s.expires_at > now()
         RETURNING s.id)
       SELECT (SELECT count(*) FROM gone)::int AS ended, (SELECT id FROM page ORDER BY id DESC LIMIT 1) AS last`,
      [after, kid, pageSize],
    )
    ended += result.rows[0]?.ended ?? 0
    after = result.rows[0]?.last ?? null
  }
  return ended
}
