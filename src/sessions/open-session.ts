import { v7 as uuidv7 } from 'uuid'
import { Prisma } from '../../prisma/client/client.ts'
import { isForeignKeyViolation, isTransient } from '../storage/database-errors.ts'
import type { Database } from '../storage/postgres.ts'
import { prepareStatement } from '../storage/prepared-statement.ts'
import { sessionsWithOwners, usable } from './living.ts'
import { retry } from './retry.ts'
import type { OpenedSession, OpenSession, PersonalFields, SessionOfLogin } from './session.ts'

/** A login's data and what the service adds; times in seconds. */
export interface OpenSessionOptions extends OpenSession {
  /** The refresh key that signs now. */
  readonly refreshKid: string
  /** REFRESH_TOKEN_TTL. */
  readonly ttl: number
  /** SESSION_MAX_AGE. */
  readonly maxAge: number
}

/** New ids. They are ordered by time, so that the indexes grow at one end (RFC 9562 §5.7). */
interface NewIds {
  readonly userId: string
  readonly sessionId: string
}

/**
 * Finds or creates the user of a profile and opens the session of this login, in one statement. Each login replaces
 * the stored profile, also by nothing: a name or an email that a person withdrew at the provider is not kept here. Only what
 * the provider did not tell this time stays as it is.
 * Accounts are never linked by email.
 *
 * A failed write is repeated until `signal` fires (without a signal, three attempts). A session whose COMMIT was
 * carried out although its response was lost is recognised by its id and counts as opened.
 * @throws database errors as they are, when repeating did not help
 */
export async function openSession(
  database: Database,
  options: OpenSessionOptions,
  signal?: AbortSignal,
): Promise<OpenedSession> {
  const ids = { userId: uuidv7(), sessionId: uuidv7() }
  return await retry(
    async (attempt) => {
      const opened = await write(database, options, ids).catch((error: unknown) => {
        // The site was removed between the statement's reading and its writing; the statement was undone as a whole.
        if (isForeignKeyViolation(error, 'sessions_site_id_fkey')) return { kind: 'site-gone' } as const
        throw error
      })
      if (opened.kind !== 'exists' || attempt === 1) return opened
      const session = await findSessionOfLogin(database, options.loginHash)
      return session?.sessionId === ids.sessionId ? { kind: 'opened', ...session } : opened
    },
    { allowed: isTransient, attempts: signal ? Number.POSITIVE_INFINITY : 3, ...(signal && { signal }) },
  )
}

/** The person as they are stored now: what the provider did not tell this time is of an earlier login. */
interface Written extends PersonalFields {
  readonly siteOpen: boolean
  readonly userId: string | null
  readonly sessionId: string | null
  readonly expiresAt: Date | null
}

/** A profile for the statement: whether the provider told a field this time is a parameter of its own. */
type ToldProfile = ReturnType<typeof toldProfile>

function toldProfile({ subject, name, login, email, emailVerified }: OpenSessionOptions['profile']) {
  return {
    subject,
    name: name ?? null,
    login: login ?? null,
    email: email ?? null,
    emailVerified,
    nameTold: name !== undefined,
    loginTold: login !== undefined,
    emailTold: email !== undefined,
  }
}

type SessionParameters = Omit<OpenSessionOptions, 'profile'> & ToldProfile & NewIds

/**
 * The identity comes first: its key makes parallel first logins of one person wait for each other, and the
 * update that changes nothing makes each of them see the same user. A disabled user's row is not updated, so `person`
 * is empty and no session is opened.
 */
const writeSession = prepareStatement<SessionParameters, Written>('open_session', (parameter) => {
  const siteId = Prisma.sql`${parameter('siteId')}::text`
  const provider = Prisma.sql`${parameter('provider')}::text`
  const maxAge = Prisma.sql`${parameter('maxAge')}::int`
  const emailTold = Prisma.sql`${parameter('emailTold')}::boolean`
  return Prisma.sql`
    WITH site AS MATERIALIZED (
      SELECT id FROM sites WHERE id = ${siteId} AND disabled_at IS NULL
    ), identity AS (
      INSERT INTO identities AS i (provider, subject, user_id)
      SELECT ${provider}, ${parameter('subject')}::text, ${parameter('userId')}::uuid FROM site
      ON CONFLICT (provider, subject) DO UPDATE SET user_id = i.user_id
      RETURNING i.user_id
    ), person AS (
      INSERT INTO users AS u (id, name, login, email, email_verified)
      SELECT user_id, ${parameter('name')}::text, ${parameter('login')}::text, ${parameter('email')}::text,
        ${parameter('emailVerified')}::boolean FROM identity
      ON CONFLICT (id) DO UPDATE SET
        name = CASE WHEN ${parameter('nameTold')}::boolean THEN excluded.name ELSE u.name END,
        login = CASE WHEN ${parameter('loginTold')}::boolean THEN excluded.login ELSE u.login END,
        email = CASE WHEN ${emailTold} THEN excluded.email ELSE u.email END,
        email_verified = CASE WHEN ${emailTold} THEN excluded.email_verified ELSE u.email_verified END,
        updated_at = now()
      WHERE u.disabled_at IS NULL
      RETURNING u.id, u.name, u.login, u.email, u.email_verified
    ), session AS (
      INSERT INTO sessions (id, user_id, site_id, provider, login_hash, refresh_kid, scope, expires_at, ends_at)
      SELECT ${parameter('sessionId')}::uuid, person.id, ${siteId}, ${provider}, ${parameter('loginHash')}::bytea,
        ${parameter('refreshKid')}::text, ${parameter('scope')}::text,
        now() + least(${parameter('ttl')}::int, ${maxAge}) * interval '1 second',
        now() + ${maxAge} * interval '1 second'
      FROM person
      ON CONFLICT (login_hash) DO NOTHING
      RETURNING id, expires_at
    )
    SELECT EXISTS (SELECT FROM site) AS "siteOpen", person.id AS "userId", person.name, person.login, person.email,
      person.email_verified AS "emailVerified", session.id AS "sessionId", session.expires_at AS "expiresAt"
    FROM (VALUES (1)) AS one LEFT JOIN person ON true LEFT JOIN session ON true`
})

async function write(
  database: Database,
  { profile, ...options }: OpenSessionOptions,
  ids: NewIds,
): Promise<OpenedSession> {
  const [row] = await writeSession(database, { ...toldProfile(profile), ...options, ...ids })
  if (row === undefined) return { kind: 'site-gone' }
  const { siteOpen, userId, sessionId, expiresAt, ...person } = row
  if (!siteOpen) return { kind: 'site-gone' }
  if (userId === null) return { kind: 'disabled' }
  if (sessionId === null || expiresAt === null) return { kind: 'exists' }
  return {
    kind: 'opened',
    sessionId,
    userId,
    siteId: options.siteId,
    ...person,
    generation: 0,
    ageSeconds: 0,
    living: true,
    expiresAt,
    refreshKid: options.refreshKid,
    ...(options.scope !== undefined && { scope: options.scope }),
  }
}

const findByLogin = prepareStatement<Pick<OpenSession, 'loginHash'>, SessionOfLogin>(
  'find_session_of_login',
  (parameter) => Prisma.sql`
    SELECT s.id AS "sessionId", s.user_id AS "userId", s.site_id AS "siteId", s.generation,
      s.expires_at AS "expiresAt", s.refresh_kid AS "refreshKid", s.scope,
      u.name, u.login, u.email, u.email_verified AS "emailVerified",
      extract(epoch FROM now() - s.created_at)::float8 AS "ageSeconds",
      ${usable} AS living
    FROM ${sessionsWithOwners}
    WHERE s.login_hash = ${parameter('loginHash')}::bytea`,
)

/** The session that a login opened, ended or not; undefined where there is none yet, or it has been swept. */
export async function findSessionOfLogin(
  database: Database,
  loginHash: Buffer,
): Promise<SessionOfLogin | undefined> {
  const [session] = await findByLogin(database, { loginHash })
  return session
}
