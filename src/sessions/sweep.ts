import type { FastifyBaseLogger } from 'fastify'
import { advisoryLocks } from '../storage/advisory-locks.ts'
import type { Database } from '../storage/postgres.ts'

/** How the sweep works. */
export interface SweepOptions {
  /**
   * Seconds for which an ended session is kept: a repeated finish must find its `login_hash`, and support may ask
   * what happened yesterday.
   */
  readonly keep?: number
  /** Rows that one statement reads. */
  readonly pageSize?: number
  readonly signal?: AbortSignal
}

const day = 86_400

/** How a sweep ended; `elsewhere` where another replica is sweeping. */
export type SweepOutcome = 'done' | 'elsewhere' | 'failed'

/** Milliseconds. */
const hour = 3_600_000

/**
 * Deletes sessions that somebody ended, or that expired, longer than `keep` ago; never a living one, which the statement
 * checks again under each row's lock. It walks the primary key page by page, so that no statement is long, however
 * large the table. Each statement takes the advisory lock by itself, which works behind a pooler too.
 * @returns how many were deleted; undefined where another replica is sweeping
 */
export async function sweepSessions(
  { prisma }: Pick<Database, 'prisma'>,
  { keep = day, pageSize = 2_000, signal }: SweepOptions = {},
): Promise<number | undefined> {
  let deleted = 0
  let after: string | null = '00000000-0000-0000-0000-000000000000'
  const aborted = () => signal?.aborted === true
  while (after !== null && !aborted()) {
    const rows: SweptPage[] = await prisma.$queryRaw<SweptPage[]>`
      WITH lock AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(${advisoryLocks.sweep}::bigint) AS taken),
      page AS MATERIALIZED (
        SELECT s.id FROM sessions AS s WHERE (SELECT taken FROM lock) AND s.id > ${after}::uuid
        ORDER BY s.id LIMIT ${pageSize}::int
      ), gone AS (
        DELETE FROM sessions AS s USING page
        WHERE s.id = page.id
          AND least(s.revoked_at, s.expires_at) < now() - ${keep}::int * interval '1 second'
        RETURNING s.id
      )
      SELECT lock.taken, (SELECT count(*) FROM gone)::int AS deleted,
        (SELECT id FROM page ORDER BY id DESC LIMIT 1) AS last
      FROM lock`
    const page = rows[0]
    if (page?.taken !== true) return undefined
    deleted += page.deleted
    after = page.last
  }
  return deleted
}

interface SweptPage {
  readonly taken: boolean
  readonly deleted: number
  readonly last: string | null
}

/**
 * Sweeps every hour, the first time after a random part of an hour, so that replicas take turns. It does not keep the
 * process alive.
 * @param options `sweepDeletions` removes old lines of the deletions' journal and returns their number; `every` is in
 *   milliseconds; `onSweep` is told of each
 * @returns `close()`, which starts no new page and waits for the running one
 */
export function startSweep(
  database: Pick<Database, 'prisma'>,
  log: Pick<FastifyBaseLogger, 'info' | 'error'>,
  {
    sweepDeletions,
    onSweep = () => {},
    every = hour,
  }: {
    readonly sweepDeletions: () => Promise<number>
    readonly onSweep?: (outcome: SweepOutcome) => void
    readonly every?: number
  },
): { close(): Promise<void> } {
  const stop = new AbortController()
  let running: Promise<void> = Promise.resolve()
  let timer = setTimeout(run, Math.random() * every).unref()
  function run() {
    running = sweepAndWait()
  }
  // The next one is timed when this one is over: close() waits for the only one that runs.
  async function sweepAndWait() {
    onSweep(await sweepAndLog(database, log, sweepDeletions, stop.signal))
    if (!stop.signal.aborted) timer = setTimeout(run, every).unref()
  }
  return {
    async close() {
      stop.abort()
      clearTimeout(timer)
      await running
    },
  }
}

async function sweepAndLog(
  database: Pick<Database, 'prisma'>,
  log: Pick<FastifyBaseLogger, 'info' | 'error'>,
  sweepDeletions: () => Promise<number>,
  signal: AbortSignal,
): Promise<SweepOutcome> {
  try {
    const deleted = await sweepSessions(database, { signal })
    if (deleted === undefined) return 'elsewhere'
    const lines = await sweepDeletions()
    log.info({ deleted, lines }, "Ended sessions and old lines of the deletions' journal were swept.")
    return 'done'
  } catch (error) {
    log.error({ err: error }, 'The sweep of ended sessions failed; the next will try again.')
    return 'failed'
  }
}
