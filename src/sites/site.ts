import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { oneOf } from '../http/openapi.ts'
import type { IdTokenAlg } from '../keys/material.ts'
import { idTokenAlgs, isIdTokenAlg } from '../keys/material.ts'
import { OperatorError } from '../operator-error.ts'

/** What an operator may set of a client site. */
export interface SiteFields {
  readonly name: string
  /** Raw strings, compared as such. */
  readonly redirectUrls: readonly string[]
  /** The names of the providers that this site may use; never "all". */
  readonly providers: readonly string[]
  readonly requireSecret: boolean
  /** Multiplies every limit of requests of this site (src/http/rate-limit.ts): a whole number from 1 to 1,000. */
  readonly limitFactor: number
  readonly disabled: boolean
  /** To which a logout may send the browser: raw strings, compared as such (OpenID Connect RP-Initiated Logout 1.0 §3). */
  readonly postLogoutRedirectUrls: readonly string[]
  /** An application on people's own devices (RFC 8252): it has PKCE in place of a secret, which it could not keep. */
  readonly native: boolean
  readonly idTokenAlg: IdTokenAlg
}

/** A site as the logins see it. */
export interface Site extends SiteFields {
  /** Public: the user name of HTTP Basic and the tokens' `client_id`. */
  readonly id: string
  /** SHA-256 of each live secret: two at most. */
  readonly secretHashes: readonly Buffer[]
}

/**
 * A new site. What is left out gets its default: every known provider, no secret required, factor 1, enabled, no URL after a
 * logout, not native, ID tokens by RS256.
 */
export type NewSite = Pick<SiteFields, 'name' | 'redirectUrls'> & Partial<SiteFields>

/** A site as an operator sees it. */
export interface SiteRecord extends SiteFields {
  readonly id: string
  readonly createdAt: Date
  /** 1, or 2 during a rotation. */
  readonly liveSecrets: number
}

/** What a site's id may look like: unchanged by HTTP Basic and by URLs, and never taken for an option. */
export const siteId = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$/

/** The stored algorithm of a site's ID tokens; that of every client where another version stored one that this does not know. */
export function idTokenAlgOf(stored: string): IdTokenAlg {
  return isIdTokenAlg(stored) ? stored : 'RS256'
}

/** A new id: short, and free of what HTTP Basic and URLs would encode. */
export function newSiteId(): string {
  return `site_${randomBytes(9).toString('base64url')}`
}

/** A new secret: 256 random bits, base64url (43 characters of [A-Za-z0-9_-]). Shown once, never stored. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** What is stored of a secret. One round of SHA-256 is enough, because 256 random bits cannot be guessed. */
export function hashSecret(secret: string): Buffer<ArrayBuffer> {
  return createHash('sha256').update(secret).digest()
}

/** Whether this is one of the site's live secrets; takes as long for a wrong one as for a right one. */
export function secretMatches(site: Site, secret: string): boolean {
  const given = hashSecret(secret)
  return site.secretHashes.map((hash) => timingSafeEqual(hash, given)).includes(true)
}

/** Why a site cannot be changed as asked. */
export type SiteErrorKind = 'invalid' | 'conflict' | 'not-found'

/** A change of a site that was refused; nothing has changed. The message is one sentence. */
export class SiteError extends OperatorError {
  override readonly name = 'SiteError'
  readonly kind: SiteErrorKind

  constructor(kind: SiteErrorKind, sentence: string) {
    super(sentence)
    this.kind = kind
  }
}

/**
 * A site as JSON, in the document of `site apply` and in the output of commands. What `site list` prints can be
 * applied again, so `created_at` and `live_secrets` are accepted and ignored.
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
    post_logout_redirect_urls: Type.Optional(Type.Array(Type.String())),
    native: Type.Optional(Type.Boolean()),
    id_token_alg: Type.Optional(oneOf(idTokenAlgs)),
    created_at: Type.Optional(Type.String({ description: 'Ignored' })),
    live_secrets: Type.Optional(Type.Integer({ description: 'Ignored' })),
  },
  { additionalProperties: false },
)
export type SiteEntry = Static<typeof SiteEntry>

/** The fields that the JSON of a site sets: what it leaves out is absent here as well. */
export function fieldsFromJson(json: Partial<SiteEntry>): Partial<SiteFields> {
  return {
    ...(json.name !== undefined && { name: json.name }),
    ...(json.redirect_urls !== undefined && { redirectUrls: json.redirect_urls }),
    ...(json.providers !== undefined && { providers: json.providers }),
    ...(json.require_secret !== undefined && { requireSecret: json.require_secret }),
    ...(json.limit_factor !== undefined && { limitFactor: json.limit_factor }),
    ...(json.disabled !== undefined && { disabled: json.disabled }),
    ...(json.post_logout_redirect_urls !== undefined && {
      postLogoutRedirectUrls: json.post_logout_redirect_urls,
    }),
    ...(json.native !== undefined && { native: json.native }),
    ...(json.id_token_alg !== undefined && { idTokenAlg: json.id_token_alg }),
  }
}

/** The document of `site apply`, and the output of `site list`. */
export const SitesDocument = Type.Object({ sites: Type.Array(SiteEntry) }, { additionalProperties: false })
export type SitesDocument = Static<typeof SitesDocument>

/** A site's record as JSON, for commands and for the admin API. */
export function siteToJson(record: SiteRecord) {
  return {
    id: record.id,
    name: record.name,
    redirect_urls: [...record.redirectUrls],
    providers: [...record.providers],
    require_secret: record.requireSecret,
    limit_factor: record.limitFactor,
    disabled: record.disabled,
    post_logout_redirect_urls: [...record.postLogoutRedirectUrls],
    native: record.native,
    id_token_alg: record.idTokenAlg,
    created_at: record.createdAt.toISOString(),
    live_secrets: record.liveSecrets,
  }
}
