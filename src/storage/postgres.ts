import { createHash } from 'node:crypto'
import { PrismaPg } from '@prisma/adapter-pg'
import type { ClientBase } from 'pg'
import { Pool } from 'pg'
import { PrismaClient } from '../../prisma/client/client.ts'
import type { Deadlines } from '../deadlines.ts'
import { deadlines as ownDeadlines } from '../deadlines.ts'
import { isReadOnly, SettingsNotKept } from './database-errors.ts'
import { connectionOf } from './database-url.ts'

/** PostgreSQL by two doors over one pool: ordinary calls by Prisma, administrative statements by pg. */
export interface Database {
  readonly prisma: PrismaClient
  readonly pool: Pool
  /** Waits for what runs, then closes every connection. */
  close(): Promise<void>
}

/** How the database is reached. */
export interface DatabaseOptions {
  /** Accepted by checkDatabaseUrl. */
  readonly url: string
  readonly poolMax: number
  /** PgBouncer in transaction mode: no named statements, no start-up parameters. */
  readonly pooler?: 'transaction'
  /** PGlite: all its connections are one session, where names of statements clash. */
  readonly embedded?: boolean
  /** In place of the service's own. */
  readonly deadlines?: DatabaseDeadlines
}

type DatabaseDeadlines = Pick<Deadlines, 'databaseAcquire' | 'databaseStatement'>

/**
 * Opens a pool without connecting yet: the first query does, so that a process can start, and say that it is
 * not ready, while the database is away. No call waits for ever: not for a connection, not for a lock, not
 * for an answer.
 */
export function openDatabase(options: DatabaseOptions): Database {
  const { url, poolMax, pooler, embedded = false, deadlines = ownDeadlines } = options
  const { connectionString, schema } = connectionOf(url)
  const ownSession = pooler === undefined && !embedded
  const pool = new Pool({
    connectionString,
    max: poolMax,
    connectionTimeoutMillis: deadlines.databaseAcquire,
    // For a server that is halted or unreachable and so cannot keep its own limit.
    query_timeout: deadlines.databaseStatement + 500,
    idleTimeoutMillis: 60_000,
    // An address may lead to another server by now.
    maxLifetimeSeconds: 600,
    keepAlive: true,
    ...(ownSession && { options: sessionOptions(schema, deadlines) }),
    // oxlint-disable-next-line typescript/no-misused-promises -- pg-pool waits for it; its types do not say so
    onConnect: ownSession ? (client) => checkSettings(client, deadlines) : setUtc,
  })
  // An idle connection that breaks is replaced by the next query; without a listener it would end the process.
  pool.on('error', () => {})
  // pg-pool itself closes a connection whose statement failed; the idle ones lead to the same server.
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
    async close() {
      await prisma.$disconnect()
      await pool.end()
    },
  }
}

/** PgBouncer refuses start-up parameters, but keeps this setting for each of its clients. */
async function setUtc(client: ClientBase): Promise<void> {
  await client.query(`SET TimeZone = 'UTC'`)
}

/**
 * One more trip for each new connection: what a pooler has dropped in silence would be noticed by wrong times, or by
 * statements that wait for ever.
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
 * Closes the connections that are idle now. After a failover they may still lead to the old primary, which lives on
 * and only reads: nothing but a new connection finds the new one.
 */
function closeIdle(pool: Pool): void {
  for (let left = pool.idleCount; left > 0; left--)
    pool.connect((_error, _client, release) => {
      release(true)
    })
}

/**
 * Whether the database takes writes: it is no standby, and not set to be read-only. Where it does not, new connections
 * are made from now on, which may lead elsewhere.
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
 * UTC, as the adapter reads a timestamptz as if it were UTC whatever its offset (prisma/orm #28629). A lock
 * is given up before the statement's own limit, so that the error says what was the matter.
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

const namedStatements = 500

/**
 * A name for each distinct text, so that PostgreSQL parses and plans it once a connection (a quarter less work
 * for it, docs/decisions/0002-prisma.md). Texts beyond the first 500 stay unnamed: lists of varying length
 * must not fill the server's memory.
 */
function statementNames(): (query: { readonly sql: string }) => string {
  const names = new Map<string, string>()
  return ({ sql }) => {
    const known = names.get(sql)
    if (known !== undefined) return known
    if (names.size >= namedStatements) return ''
    const name = createHash('sha256').update(sql).digest('base64url')
    names.set(sql, name)
    return name
  }
}

/** Whether PostgreSQL takes a text for a uuid as we write it; what is none can be no row's id. */
export function isUuid(value: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)
}
