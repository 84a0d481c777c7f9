import { readFileSync } from 'node:fs'
import type { Pool } from 'pg'

/**
 * Microseconds of CPU that PostgreSQL's processes for this database have used so far. What all databases share
 * (checkpoints, writing the WAL behind) is left out.
 */
export async function cpuOfDatabase(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
       AND backend_type = 'client backend'`,
  )
  return rows.reduce((sum, { pid }) => sum + cpuOf(pid), 0)
}

/** The scheduler counts in nanoseconds; the ticks of /proc/PID/stat are 10 ms, longer than most statements. */
function cpuOf(pid: number): number {
  const [running] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')
  return Number(running) / 1000
}
