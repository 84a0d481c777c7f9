import type { SiteFields } from './check-site.ts'

interface Replaced<Value> {
  readonly from: Value
  readonly to: Value
}

interface ListChange {
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

/** What changes of a site, as JSON; empty where nothing does. */
export interface SiteChanges {
  readonly name?: Replaced<string>
  readonly redirect_urls?: ListChange
  readonly providers?: ListChange
  readonly require_secret?: Replaced<boolean>
  readonly limit_factor?: Replaced<number>
  readonly disabled?: Replaced<boolean>
}

/** How a site will differ from what it was. Lists are sets: their order says nothing. */
export function changesBetween(before: SiteFields, after: Partial<SiteFields>): SiteChanges {
  const name = replaced(before.name, after.name)
  const redirectUrls = listChange(before.redirectUrls, after.redirectUrls)
  const providers = listChange(before.providers, after.providers)
  const requireSecret = replaced(before.requireSecret, after.requireSecret)
  const limitFactor = replaced(before.limitFactor, after.limitFactor)
  const disabled = replaced(before.disabled, after.disabled)
  return {
    ...(name && { name }),
    ...(redirectUrls && { redirect_urls: redirectUrls }),
    ...(providers && { providers }),
    ...(requireSecret && { require_secret: requireSecret }),
    ...(limitFactor && { limit_factor: limitFactor }),
    ...(disabled && { disabled }),
  }
}

function replaced<Value>(from: Value, to: Value | undefined): Replaced<Value> | undefined {
  return to === undefined || to === from ? undefined : { from, to }
}

function listChange(from: readonly string[], to: readonly string[] | undefined): ListChange | undefined {
  if (to === undefined) return undefined
  const added = to.filter((value) => !from.includes(value))
  const removed = from.filter((value) => !to.includes(value))
  return added.length + removed.length === 0 ? undefined : { added, removed }
}
