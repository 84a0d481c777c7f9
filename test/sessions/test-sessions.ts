import { randomBytes } from 'node:crypto'
import { type OpenSessionOptions, openSession } from '../../src/sessions/open-session.ts'
import type { RefreshOutcome, RotationRequest } from '../../src/sessions/rotate-session.ts'
import { rotateSession } from '../../src/sessions/rotate-session.ts'
import type { SessionOfLogin } from '../../src/sessions/session.ts'
import type { Database } from '../../src/storage/postgres.ts'

/** Adds a site. */
export async function addSite(
  { prisma }: Database,
  id = 'site-1',
  more: { requireSecret?: boolean } = {},
): Promise<void> {
  await prisma.site.create({ data: { id, name: id, providers: ['alpha', 'beta'], ...more } })
}

/** A login of Ada at site-1 through alpha, unless `changes` say otherwise. */
export function login(changes: Partial<OpenSessionOptions> = {}): OpenSessionOptions {
  return {
    profile: { subject: 'ada-1', name: 'Ada', login: 'ada', email: 'ada@example.test', emailVerified: true },
    provider: 'alpha',
    siteId: 'site-1',
    loginHash: randomBytes(32),
    refreshKid: 'kid-1',
    ttl: 3_600,
    maxAge: 86_400,
    ...changes,
  }
}

/** Opens a session and insists that it was opened. */
export async function opened(
  database: Database,
  changes?: Partial<OpenSessionOptions>,
): Promise<SessionOfLogin> {
  const session = await openSession(database, login(changes))
  if (session.kind !== 'opened') throw new Error(`The session was not opened: ${session.kind}.`)
  return session
}

/** Refreshes by an unauthenticated caller with a grace of 10 s, unless `changes` say otherwise. */
export async function refresh(
  database: Database,
  { sessionId }: { readonly sessionId: string },
  generation: number,
  changes: Partial<RotationRequest> = {},
): Promise<RefreshOutcome> {
  const request = {
    sessionId,
    generation,
    authenticatedSite: null,
    refreshKid: 'kid-1',
    ttl: 3_600,
    grace: 10,
  }
  return await rotateSession(database, { ...request, ...changes })
}

/** Lets so many seconds pass for a session by moving all of its times back. */
export async function age(database: Database, sessionId: string, seconds: number): Promise<void> {
  await database.pool.query(
    `UPDATE sessions SET created_at = created_at - d, rotated_at = rotated_at - d, expires_at = expires_at - d,
       ends_at = ends_at - d, revoked_at = revoked_at - d
     FROM (SELECT $2::float8 * interval '1 second' AS d) AS step WHERE id = $1`,
    [sessionId, seconds],
  )
}
