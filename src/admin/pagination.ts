import { Type } from 'typebox'
import { SiteLoginsQuery, usualLimit } from '../login-history/routes.ts'
import type { PageRequest } from '../storage/postgres.ts'

/** No control characters and no lone surrogates, written so that the regular expressions of every language take it. */
const printable = '^[^\\u0000-\\u001f\\u007f-\\u009f\\ud800-\\udfff]+$'

/** Printable text: PostgreSQL takes no NUL, and nothing that is stored has a control character. */
export const searchText = (maxLength: number, description: string) =>
  Type.String({ minLength: 1, maxLength, pattern: printable, description })

/** Which part of a list a query asks for, with the same limit as the history of logins. All values are strings. */
export const pageQuery = {
  limit: SiteLoginsQuery.properties.limit,
  after: Type.Optional(Type.String({ format: 'uuid', description: '`next` of the page before' })),
}

/** `next` in a response with a list. */
export const Next = Type.Union([Type.String({ format: 'uuid' }), Type.Null()], {
  description: 'For `after`, to get the next page; null where this one is the last',
})

/** The page that a query or a body asks for. */
export function pageOf({
  limit = usualLimit,
  after,
}: {
  readonly limit?: string | number | undefined
  readonly after?: string | undefined
}): PageRequest {
  return { limit: Number(limit), ...(after !== undefined && { after }) }
}

/**
 * Reads one entry more than was asked for, which shows whether there is a further page.
 * @param read reads the entries of a page, newest first
 */
export async function readPage<Entry extends { readonly id: string }>(
  page: PageRequest,
  read: (page: PageRequest) => Promise<readonly Entry[]>,
): Promise<{ readonly entries: readonly Entry[]; readonly next: string | null }> {
  const found = await read({ ...page, limit: page.limit + 1 })
  const entries = found.slice(0, page.limit)
  return { entries, next: found.length > page.limit ? (entries.at(-1)?.id ?? null) : null }
}
