import { v7 as uuidv7 } from 'uuid'
import type { Deletion, Prisma } from '../../prisma/client/client.ts'
import type { Database } from '../storage/postgres.ts'
import { isUuid } from '../storage/postgres.ts'
import type { DeletionReason } from './deletions.ts'

const everything = {
  identities: { orderBy: { createdAt: 'asc' } },
  sessions: { orderBy: { id: 'asc' }, include: { site: { select: { name: true } } } },
} as const satisfies Prisma.UserInclude

/** All rows about one person. */
export type PersonalData = Prisma.UserGetPayload<{ include: typeof everything }>

/**
 * Everything that is held on a person (152-FZ, article 14): the answer to their own question.
 * @returns undefined where there is no person of this id
 */
export async function readPersonalData({ prisma }: Database, id: string): Promise<PersonalData | undefined> {
  if (!isUuid(id)) return undefined
  return (await prisma.user.findUnique({ where: { id }, include: everything })) ?? undefined
}

/** Why a person is deleted. */
export interface DeletionCause {
  readonly reason: DeletionReason
  /** The operator's own number of the request. */
  readonly reference?: string
}

/**
 * Deletes everything that is held on a person and writes the journal's line, in one transaction. A login that goes
 * on meanwhile comes before it, and its session goes too, or after it, and makes a new person.
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
  })
}
