import type { Deletion } from '../../prisma/client/client.ts'
import type { SessionRecord } from '../sessions/all-sessions.ts'
import type { UserRecord } from '../users/manage-users.ts'
import type { PersonalData } from '../users/personal-data.ts'

/** A person's record as JSON. */
export function shownUser({ identities, ...user }: UserRecord) {
  return {
    id: user.id,
    name: user.name,
    login: user.login,
    email: user.email,
    email_verified: user.emailVerified,
    disabled_at: isoOrNull(user.disabledAt),
    created_at: user.createdAt.toISOString(),
    updated_at: user.updatedAt.toISOString(),
    identities: identities.map(({ provider, subject, createdAt }) => ({
      provider,
      subject,
      created_at: createdAt.toISOString(),
    })),
  }
}

/** A session's record as JSON. */
export function shownSession(session: SessionRecord) {
  return {
    id: session.id,
    user_id: session.userId,
    site_id: session.siteId,
    provider: session.provider,
    refreshes: session.generation,
    created_at: session.createdAt.toISOString(),
    last_used_at: session.rotatedAt.toISOString(),
    expires_at: session.expiresAt.toISOString(),
    ends_at: session.endsAt.toISOString(),
    ended_at: isoOrNull(session.endedAt),
  }
}

/** All that is held on a person as JSON: without our own marks on a session, which say nothing about anybody. */
export function shownPersonalData({ sessions, ...user }: PersonalData, exportedAt: Date) {
  return {
    exported_at: exportedAt.toISOString(),
    user: shownUser(user),
    sessions: sessions.map((session) => ({
      id: session.id,
      site_id: session.siteId,
      site_name: session.site.name,
      provider: session.provider,
      refreshes: session.generation,
      created_at: session.createdAt.toISOString(),
      last_used_at: session.rotatedAt.toISOString(),
      expires_at: session.expiresAt.toISOString(),
      ends_at: session.endsAt.toISOString(),
      revoked_at: isoOrNull(session.revokedAt),
    })),
  }
}

/** A line of the journal as JSON. */
export function shownDeletion(deletion: Deletion) {
  return {
    id: deletion.id,
    user_id: deletion.userId,
    reason: deletion.reason,
    reference: deletion.reference,
    sessions: deletion.sessions,
    deleted_at: deletion.deletedAt.toISOString(),
  }
}

function isoOrNull(time: Date | null): string | null {
  return time?.toISOString() ?? null
}
