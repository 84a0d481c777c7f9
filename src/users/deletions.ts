import type { Deletion } from '../../prisma/client/client.ts'
import type { Database } from '../storage/postgres.ts'
import { isUuid } from '../storage/postgres.ts'
import type { PageRequest } from './manage-users.ts'

/**
 * Why personal data are deleted: the cases of 152-FZ (articles 14, 20, 21), a closed list, so that the journal holds
 * no text in which somebody could be named.
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

/** Years for which a line of the journal is kept: as Roskomnadzor's order 179 of 28.10.2022 demands. */
const keptYears = 3

/** The journal, newest first. */
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
 * Deletes the lines that have been kept for long enough.
 * @returns how many
 */
export function sweepDeletions({ prisma }: Pick<Database, 'prisma'>): Promise<number> {
  return prisma.$executeRaw`
    DELETE FROM deletions WHERE deleted_at < now() - ${keptYears}::int * interval '1 year'`
}
