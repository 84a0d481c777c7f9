import type { Static } from 'typebox'
import { Type } from 'typebox'
import type { SiteRecord } from './site-record.ts'

/**
 * A site as JSON, in the file of `site apply` and in the answers of commands. What `list` prints can be applied:
 * so the two facts that nobody sets are accepted, and ignored.
 */
export const SiteEntry = Type.Object(
  {
    id: Type.Optional(Type.String({ description: 'By default the site is known by its name' })),
    name: Type.String(),
    redirect_urls: Type.Array(Type.String()),
    providers: Type.Optional(Type.Array(Type.String(), { description: 'By default every known one' })),
    require_secret: Type.Optional(Type.Boolean()),
    limit_factor: Type.Optional(
      Type.Integer({ description: 'The limits of the site are times this, 1 to 1000' }),
    ),
    disabled: Type.Optional(Type.Boolean()),
    created_at: Type.Optional(Type.String({ description: 'Ignored' })),
    live_secrets: Type.Optional(Type.Integer({ description: 'Ignored' })),
  },
  { additionalProperties: false },
)
export type SiteEntry = Static<typeof SiteEntry>

/** The file of `site apply`, and the answer of `site list`. */
export const SitesDocument = Type.Object({ sites: Type.Array(SiteEntry) }, { additionalProperties: false })
export type SitesDocument = Static<typeof SitesDocument>

/** A site's record as JSON. */
export function siteEntry(record: SiteRecord): SiteEntry & { readonly id: string } {
  return {
    id: record.id,
    name: record.name,
    redirect_urls: [...record.redirectUrls],
    providers: [...record.providers],
    require_secret: record.requireSecret,
    limit_factor: record.limitFactor,
    disabled: record.disabled,
    created_at: record.createdAt.toISOString(),
    live_secrets: record.liveSecrets,
  }
}
