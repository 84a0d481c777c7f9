import { randomBytes } from 'node:crypto'
import type { Prisma } from '../../prisma/client/client.ts'
import type { SiteFields } from './check-site.ts'
import { hostOf } from './redirect-url.ts'
import { hashSecret } from './site-secret.ts'

/** A site as an operator sees it. */
export interface SiteRecord extends SiteFields {
  readonly id: string
  readonly createdAt: Date
  /** 1, or 2 during a rotation. */
  readonly liveSecrets: number
}

/** What a query must include to make a record. */
export const recordIncludes = {
  redirectUrls: { orderBy: { url: 'asc' } },
  secrets: { select: { hash: true } },
} as const satisfies Prisma.SiteInclude

/** A row, as Prisma gives it with `recordIncludes`. */
export type SiteRow = Prisma.SiteGetPayload<{ include: typeof recordIncludes }>

/** The record in a row. */
export function recordOf(row: SiteRow): SiteRecord {
  return {
    id: row.id,
    name: row.name,
    redirectUrls: row.redirectUrls.map(({ url }) => url),
    providers: row.providers,
    requireSecret: row.requireSecret,
    limitFactor: row.limitFactor,
    disabled: row.disabledAt !== null,
    createdAt: row.createdAt,
    liveSecrets: row.secrets.length,
  }
}

/** Writes a new site; everything about it has been checked. */
export async function insertSite(
  transaction: Prisma.TransactionClient,
  id: string,
  site: SiteFields,
  secret: string,
): Promise<SiteRecord> {
  const row = await transaction.site.create({
    data: {
      id,
      name: site.name,
      providers: [...site.providers],
      requireSecret: site.requireSecret,
      limitFactor: site.limitFactor,
      disabledAt: site.disabled ? new Date() : null,
      redirectUrls: { createMany: { data: site.redirectUrls.map(urlRow) } },
      secrets: { create: { hash: hashSecret(secret) } },
    },
    include: recordIncludes,
  })
  return recordOf(row)
}

/** Writes what is given of a site that exists; everything about it has been checked. */
export async function changeSite(
  transaction: Prisma.TransactionClient,
  before: SiteRecord,
  { name, redirectUrls, providers, requireSecret, limitFactor, disabled }: Partial<SiteFields>,
): Promise<SiteRecord> {
  const row = await transaction.site.update({
    where: { id: before.id },
    data: {
      ...(name !== undefined && { name }),
      ...(providers !== undefined && { providers: [...providers] }),
      ...(requireSecret !== undefined && { requireSecret }),
      ...(limitFactor !== undefined && { limitFactor }),
      // Disabling twice keeps the time of the first.
      ...(disabled !== undefined &&
        disabled !== before.disabled && { disabledAt: disabled ? new Date() : null }),
      ...(redirectUrls !== undefined && {
        redirectUrls: {
          deleteMany: { url: { notIn: [...redirectUrls] } },
          createMany: { data: redirectUrls.filter((url) => !before.redirectUrls.includes(url)).map(urlRow) },
        },
      }),
    },
    include: recordIncludes,
  })
  return recordOf(row)
}

/** A new id: short, and free of what HTTP Basic and URLs would encode. */
export function newSiteId(): string {
  return `site_${randomBytes(9).toString('base64url')}`
}

function urlRow(url: string): { url: string; host: string } {
  return { url, host: hostOf(url) ?? '' }
}
