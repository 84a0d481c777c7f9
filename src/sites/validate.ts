import { highestFactor } from '../http/limit-bucket.ts'
import type { UrlRules } from './redirect-url.ts'
import { checkRedirectUrl } from './redirect-url.ts'
import type { SiteFields } from './site.ts'
import { SiteError, siteId } from './site.ts'

/** What a deployment allows. */
export interface SiteRules {
  /** Whether plain http to this machine may be registered (development only). */
  readonly loopback: boolean
  /** The names of all providers that the service knows; the default of a new site. */
  readonly providers: readonly string[]
}

/** What a process of this mode allows; `providers` are all that the service knows. */
export function siteRules(
  mode: 'strict' | 'development',
  providers: readonly { readonly name: string }[],
): SiteRules {
  return { loopback: mode === 'development', providers: providers.map(({ name }) => name) }
}

const maxUrls = 100
const maxNameLength = 100

/**
 * Refuses fields that may not be stored.
 * @throws {SiteError} invalid, with a sentence on the first fault
 */
export function checkFields(fields: Partial<SiteFields>, rules: SiteRules): void {
  if (fields.name !== undefined) checkName(fields.name)
  const urlRules = { loopback: rules.loopback, native: fields.native ?? false }
  if (fields.redirectUrls !== undefined) checkUrls(fields.redirectUrls, urlRules)
  if (fields.postLogoutRedirectUrls !== undefined) checkLogoutUrls(fields.postLogoutRedirectUrls, urlRules)
  if (fields.providers !== undefined) checkProviders(fields.providers, rules)
  if (fields.limitFactor !== undefined) checkFactor(fields.limitFactor)
}

/**
 * Refuses changes that may not be stored. Which URLs a site may have depends on whether it is native, so that a change of
 * either is checked together with what stays.
 * @throws {SiteError} invalid
 */
export function checkChanges(before: SiteFields, changes: Partial<SiteFields>, rules: SiteRules): void {
  const { native, redirectUrls, postLogoutRedirectUrls } = { ...before, ...changes }
  const stays = native === before.native ? {} : { redirectUrls, postLogoutRedirectUrls }
  checkFields({ ...changes, native, ...stays }, rules)
}

/** @throws {SiteError} invalid */
export function checkId(id: string): void {
  if (!siteId.test(id))
    throw invalid(
      `The site's id "${printable(id)}" must be 1 to 64 letters, digits, "_" or "-", the first not "-".`,
    )
}

function checkName(name: string): void {
  if (name.trim() === '') throw invalid("The site's name is empty.")
  if (name !== name.trim()) throw invalid("The site's name must not begin or end with a space.")
  if (name.length > maxNameLength)
    throw invalid(`The site's name is longer than ${maxNameLength} characters.`)
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(name) || !name.isWellFormed())
    throw invalid("The site's name holds a control character.")
}

function checkUrls(urls: readonly string[], rules: UrlRules): void {
  if (urls.length === 0) throw invalid('A site needs at least one redirect URL.')
  if (urls.length > maxUrls) throw invalid(`A site may have at most ${maxUrls} redirect URLs.`)
  const duplicate = firstDuplicate(urls)
  if (duplicate !== undefined) throw invalid(`The redirect URL ${printable(duplicate)} is given twice.`)
  for (const url of urls) {
    const flaw = checkRedirectUrl(url, rules)
    if (flaw !== undefined) throw invalid(`${flaw} Given was: ${printable(url)}`)
  }
}

function checkLogoutUrls(urls: readonly string[], rules: UrlRules): void {
  if (urls.length > maxUrls) throw invalid(`A site may have at most ${maxUrls} URLs after a logout.`)
  const duplicate = firstDuplicate(urls)
  if (duplicate !== undefined) throw invalid(`The URL after a logout ${printable(duplicate)} is given twice.`)
  for (const url of urls) {
    const flaw = checkRedirectUrl(url, rules)?.replace('redirect URL', 'URL after a logout')
    if (flaw !== undefined) throw invalid(`${flaw} Given was: ${printable(url)}`)
  }
}

function checkProviders(providers: readonly string[], rules: SiteRules): void {
  if (providers.length === 0)
    throw invalid('A site needs at least one provider (to stop all logins, disable the site).')
  const duplicate = firstDuplicate(providers)
  if (duplicate !== undefined) throw invalid(`The provider ${printable(duplicate)} is given twice.`)
  for (const provider of providers)
    if (!rules.providers.includes(provider))
      throw invalid(`There is no provider "${printable(provider)}": known are ${rules.providers.join(', ')}.`)
}

function checkFactor(factor: number): void {
  if (!Number.isInteger(factor) || factor < 1 || factor > highestFactor)
    throw invalid(`The factor of the limits must be a whole number from 1 to ${highestFactor}.`)
}

function firstDuplicate(values: readonly string[]): string | undefined {
  return values.find((value, index) => values.indexOf(value) !== index)
}

/** A value that was given, as one line for a terminal: cut at 200 characters, control characters escaped. */
export function printable(value: string): string {
  const short = value.length > 200 ? `${value.slice(0, 200)}…` : value
  return short.replace(/[^\x20-\x7e\u00a0-\u{10ffff}]/gu, (character) =>
    JSON.stringify(character).slice(1, -1),
  )
}

/** The error of fields that may not be stored, in one sentence. */
export function invalid(sentence: string): SiteError {
  return new SiteError('invalid', sentence)
}
