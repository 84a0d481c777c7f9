import type { Prisma } from '../../prisma/client/client.ts'
import type { Database } from '../storage/postgres.ts'
import { isUuid } from '../storage/postgres.ts'

const included = { identities: { orderBy: { createdAt: 'asc' } } } as const satisfies Prisma.UserInclude

/** A person as an operator sees them, with the accounts by which providers know them. */
export type UserRecord = Prisma.UserGetPayload<{ include: typeof included }>

/** What is known of the person who is looked for; everything given must fit, as it is written. */
export interface UserSearch {
  readonly id?: string
  readonly identity?: { readonly provider: string; readonly subject: string }
  readonly email?: string
  readonly login?: string
}

/** A part of a list, newest first. */
export interface PageRequest {
  readonly limit: number
  /** The id that the page before ended with. */
  readonly after?: string
}

/** One person; undefined where there is none of this id. */
export async function getUser({ prisma }: Database, id: string): Promise<UserRecord | undefined> {
  if (!isUuid(id)) return undefined
  return (await prisma.user.findUnique({ where: { id }, include: included })) ?? undefined
}

/** People who fit, newest first; without any criterion everybody. */
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

/** An address is stored with its domain in lower case; operators copy it from anywhere. */
function spellings(email: string): string[] {
  const at = email.lastIndexOf('@') + 1
  return [email, email.slice(0, at) + email.slice(at).toLowerCase(), email.toLowerCase()]
}

/**
 * Disables a person, or enables them again. Nothing is ended: a session of a disabled person can do nothing (each
 * use asks), and those that have not run out live again when the person is enabled. Twice keeps the first time.
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
