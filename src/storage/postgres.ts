import { createHash } from 'node:crypto'
import { PrismaPg } from '@prisma/adapter-pg'
import type { ClientBase } from 'pg'
import { Pool } from 'pg'
import { PrismaClient } from '../../prisma/client/client.ts'
import type { Deadlines } from '../deadlines.ts'
import { deadlines as ownDeadlines } from '../deadlines.ts'
import { isReadOnly, SettingsNotKept } from './database-errors.ts'
import { connectionOf } from './database-url.ts'

/**
 * Prisma and pg over one pool of connections to PostgreSQL: Prisma for ordinary calls, pg for administrative statements and
 * for those of every login and refresh (prepared-statement.ts).
 */
export interface Database {
  readonly prisma: PrismaClient
  readonly pool: Pool
  /** Whether a statement may have a name: each connection has a session of its own at the server. */
  readonly namesStatements: boolean
  /** Waits for running statements, then closes every connection. */
  close(): Promise<void>
}

/**
 * For `prisma.$transaction(work, …)`; milliseconds. Prisma's own limit of a whole transaction (5 s where none is given)
 * is as good as none, because it ends the transaction and not the work: of a nested write under way the remaining
 * statements would be carried out after the ROLLBACK, each by itself. PostgreSQL limits each statement, each lock and
 * each pause between two statements.
 */
export const transactionOptions = { maxWait: 5_000, timeout: 2_147_483_647 } as const

/** How the database is reached. */
export interface DatabaseOptions {
  /** Accepted by checkDatabaseUrl. */
  readonly url: string
  readonly poolMax: number
  /** PgBouncer in transaction mode: no named statements, no start-up parameters. */
  readonly pooler?: 'transaction'
  /** PGlite: all its connections are one session, where names of statements clash. */
  readonly embedded?: boolean
  /** Replaces the service's own deadlines, in tests. */
  readonly deadlines?: DatabaseDeadlines
}

type DatabaseDeadlines = Pick<Deadlines, 'databaseAcquire' | 'databaseStatement'>

/**
 * Opens a pool, which connects at the first query. No call waits for ever, neither for a connection nor for a lock or a
 * reply.
 */
export function openDatabase(options: DatabaseOptions): Database {
  const { url, poolMax, pooler, embedded = false, deadlines = ownDeadlines } = options
  const { connectionString, schema } = connectionOf(url)
  const ownSession = pooler === undefined && !embedded
  const pool = new Pool({
    connectionString,
    max: poolMax,
    connectionTimeoutMillis: deadlines.databaseAcquire,
    // For a server that is halted or unreachable, and so cannot enforce its own statement_timeout.
    query_timeout: deadlines.databaseStatement + 500,
    idleTimeoutMillis: 60_000,
    // The host may resolve to another server by then.
    maxLifetimeSeconds: 600,
    keepAlive: true,
    ...(ownSession && { options: sessionOptions(schema, deadlines) }),
    // oxlint-disable-next-line typescript/no-misused-promises -- pg-pool waits for it; its types do not say so
    onConnect: ownSession ? (client) => checkSettings(client, deadlines) : setUtc,
  })
  // The next query replaces an idle connection that broke; without a listener its error would end the process.
  pool.on('error', () => {})
  // pg-pool closes only the connection whose statement failed, but the idle ones lead to the same server.
  pool.on('release', (error) => {
    if (isReadOnly(error)) closeIdle(pool)
  })
  const adapter = new PrismaPg(pool, {
    ...(schema !== undefined && { schema }),
    ...(ownSession && { statementNameGenerator: statementNames() }),
  })
  const prisma = new PrismaClient({ adapter })
  return {
    prisma,
    pool,
    namesStatements: ownSession,
    async close() {
      await prisma.$disconnect()
      await pool.end()
    },
  }
}

/** For PgBouncer, which refuses start-up parameters but keeps this setting for each of its clients. */
async function setUtc(client: ClientBase): Promise<void> {
  await client.query(`SET TimeZone = 'UTC'`)
}

/**
 * Checks the settings of a new connection, for one more trip: if a pooler silently dropped them, times would be wrong and
 * statements could wait for ever.
 * @throws {SettingsNotKept}
 */
async function checkSettings(client: ClientBase, { databaseStatement }: DatabaseDeadlines): Promise<void> {
  const { rows } = await client.query<{ kept: boolean }>(
    `SELECT current_setting('TimeZone') = 'UTC'
       AND current_setting('statement_timeout')::interval = interval '${databaseStatement} ms' AS kept`,
  )
  if (rows[0]?.kept !== true) throw new SettingsNotKept('The settings of the connection were not kept.')
}

/**
 * Closes the connections that are idle now. After a failover they may still lead to the old primary, which still runs but
 * is read-only; only a new connection finds the new primary.
 */
function closeIdle(pool: Pool): void {
  for (let left = pool.idleCount; left > 0; left--)
    pool.connect((_error, _client, release) => {
      release(true)
    })
}

/**
 * Whether the database takes writes: it is not a standby, and not set to read-only. If it takes none, idle connections are
 * closed, as new ones may lead to another server.
 * @throws database errors as they are
 */
export async function takesWrites({ pool }: Pick<Database, 'pool'>): Promise<boolean> {
  const { rows } = await pool.query<{ writes: boolean }>(
    `SELECT current_setting('transaction_read_only') = 'off' AS writes`,
  )
  const writes = rows[0]?.writes === true
  if (!writes) closeIdle(pool)
  return writes
}

/**
 * The start-up options of a connection. The time zone is UTC, because the adapter ignores the offset of a timestamptz
 * (prisma/orm #28629). Waiting for a lock ends before the statement's own limit, so that the error names the lock.
 */
function sessionOptions(schema: string | undefined, { databaseStatement }: DatabaseDeadlines): string {
  const settings = {
    TimeZone: 'UTC',
    statement_timeout: databaseStatement,
    lock_timeout: databaseStatement - 200,
    idle_in_transaction_session_timeout: 10_000,
    ...(schema !== undefined && { search_path: schema }),
  }
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ')
}

const maxNamedStatements = 500

/**
 * Names each distinct statement, so that PostgreSQL parses and plans it once per connection (a quarter less work for it,
 * docs/decisions/0002-prisma.md). Statements beyond the first 500 stay unnamed, so that lists of varying length do not
 * fill the server's memory.
 */
function statementNames(): (query: { readonly sql: string }) => string {
  const names = new Map<string, string>()
  return ({ sql }) => {
    const known = names.get(sql)
    if (known !== undefined) return known
    if (names.size >= maxNamedStatements) return ''
    const name = createHash('sha256').update(sql).digest('base64url')
    names.set(sql, name)
    return name
  }
}

/** Which page of a list, newest first. */
export interface PageRequest {
  readonly limit: number
  /** The last id of the page before. */
  readonly after?: string
}

/** Whether a text has the form in which the service writes ids (a UUID); no row has any other text as its id. */
export function isUuid(value: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)
}
