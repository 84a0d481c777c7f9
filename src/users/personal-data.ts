import { v7 as uuidv7 } from 'uuid'
import type { Deletion, Prisma } from '../../prisma/client/client.ts'
import type { Database, PageRequest } from '../storage/postgres.ts'
import { isUuid, transactionOptions } from '../storage/postgres.ts'

const everything = {
  identities: { orderBy: { createdAt: 'asc' } },
  sessions: { orderBy: { id: 'asc' }, include: { site: { select: { name: true } } } },
} as const satisfies Prisma.UserInclude

/** All rows about one person. */
export type PersonalData = Prisma.UserGetPayload<{ include: typeof everything }>

/**
 * Everything that is held on a person, which they may ask for (152-FZ, article 14).
 * @returns undefined where there is no person of this id
 */
export async function readPersonalData({ prisma }: Database, id: string): Promise<PersonalData | undefined> {
  if (!isUuid(id)) return undefined
  return (await prisma.user.findUnique({ where: { id }, include: everything })) ?? undefined
}

/**
 * Why personal data are deleted: the cases of 152-FZ (articles 14, 20, 21). The list is closed, so that the journal
 * holds no free text, in which somebody could be named.
 */
export const deletionReasons = [
  'person-request',
  'consent-withdrawn',
  'purpose-achieved',
  'unlawful-processing',
  'authority-order',
  'other',
] as const
export type DeletionReason = (typeof deletionReasons)[number]

/** Why a person is deleted. */
export interface DeletionCause {
  readonly reason: DeletionReason
  /** The operator's own number of the request. */
  readonly reference?: string
}

/**
 * Deletes everything that is held on a person and writes a line of the journal, in one transaction. A concurrent login
 * comes either before it, so that its session is deleted too, or after it, and creates a new user.
 * @returns the journal's line; undefined where there is no person of this id
 */
export async function deletePersonalData(
  { prisma }: Database,
  userId: string,
  { reason, reference }: DeletionCause,
): Promise<Deletion | undefined> {
  if (!isUuid(userId)) return undefined
  return prisma.$transaction(async (transaction) => {
    // Identities first, as a login locks them: the other order would be a deadlock.
    await transaction.identity.deleteMany({ where: { userId } })
    const { count: sessions } = await transaction.session.deleteMany({ where: { userId } })
    const { count: people } = await transaction.user.deleteMany({ where: { id: userId } })
    if (people === 0) return undefined
    return transaction.deletion.create({
      data: { id: uuidv7(), userId, reason, reference: reference ?? null, sessions },
    })
  }, transactionOptions)
}

/** Years for which Roskomnadzor's order 179 of 28.10.2022 demands that a line of the journal is kept. */
const keptYears = 3

/** The journal of deletions, newest first. */
export async function listDeletions(
  { prisma }: Database,
  { limit, after }: PageRequest,
): Promise<readonly Deletion[]> {
  if (after !== undefined && !isUuid(after)) return []
  return prisma.deletion.findMany({
    where: after === undefined ? {} : { id: { lt: after } },
    orderBy: { id: 'desc' },
    take: limit,
  })
}

/**
 * Deletes the lines of the journal that have been kept for long enough.
 * @returns how many
 */
export function sweepDeletions({ prisma }: Pick<Database, 'prisma'>): Promise<number> {
  return prisma.$executeRaw`
    DELETE FROM deletions WHERE deleted_at < now() - ${keptYears}::int * interval '1 year'`
}
