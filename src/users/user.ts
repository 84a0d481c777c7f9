import type { Prisma } from '../../prisma/client/client.ts'
import type { Database, PageRequest } from '../storage/postgres.ts'
import { isUuid } from '../storage/postgres.ts'

const included = { identities: { orderBy: { createdAt: 'asc' } } } as const satisfies Prisma.UserInclude

/** A person as an operator sees them, with the accounts by which providers know them. */
export type UserRecord = Prisma.UserGetPayload<{ include: typeof included }>

/** The criteria of a search; each one given must match exactly. */
export interface UserSearch {
  readonly id?: string
  readonly identity?: { readonly provider: string; readonly subject: string }
  readonly email?: string
  readonly login?: string
}

/** One person; undefined where there is none of this id. */
export async function getUser({ prisma }: Database, id: string): Promise<UserRecord | undefined> {
  if (!isUuid(id)) return undefined
  return (await prisma.user.findUnique({ where: { id }, include: included })) ?? undefined
}

/** The people who match, newest first; without any criterion everybody. */
export async function findUsers(
  { prisma }: Database,
  { id, identity, email, login }: UserSearch,
  { limit, after }: PageRequest,
): Promise<readonly UserRecord[]> {
  if ([id, after].some((given) => given !== undefined && !isUuid(given))) return []
  return prisma.user.findMany({
    where: {
      AND: [
        ...(id === undefined ? [] : [{ id }]),
        ...(identity === undefined ? [] : [{ identities: { some: { ...identity } } }]),
        ...(email === undefined ? [] : [{ email: { in: spellings(email) } }]),
        ...(login === undefined ? [] : [{ login }]),
        ...(after === undefined ? [] : [{ id: { lt: after } }]),
      ],
    },
    include: included,
    orderBy: { id: 'desc' },
    take: limit,
  })
}

/** An email is stored with its domain in lower case; operators may paste it in any spelling. */
function spellings(email: string): string[] {
  const at = email.lastIndexOf('@') + 1
  return [email, email.slice(0, at) + email.slice(at).toLowerCase(), email.toLowerCase()]
}

/**
 * Disables a person, or enables them again. No session is ended: each use of a session asks whether its user is
 * disabled, and sessions that have not expired can be used again when the person is enabled. Disabling twice keeps the
 * first time.
 * @returns undefined where there is no person of this id
 */
export async function setDisabled(
  database: Database,
  id: string,
  disabled: boolean,
): Promise<UserRecord | undefined> {
  if (!isUuid(id)) return undefined
  await database.prisma.$executeRaw`
    UPDATE users SET disabled_at = CASE WHEN ${disabled}::boolean THEN coalesce(disabled_at, now()) END
    WHERE id = ${id}::uuid`
  return getUser(database, id)
}
