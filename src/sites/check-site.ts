import { highestFactor } from '../http/limit-bucket.ts'
import { checkRedirectUrl } from './redirect-url.ts'
import { siteId } from './site.ts'
import { SiteError } from './site-error.ts'

/** What an operator may set. */
export interface SiteFields {
  readonly name: string
  readonly redirectUrls: readonly string[]
  readonly providers: readonly string[]
  readonly requireSecret: boolean
  /** Times which its limits of requests are taken: 1 to 1,000, whole. */
  readonly limitFactor: number
  readonly disabled: boolean
}

/** What a deployment allows. */
export interface SiteRules {
  /** Plain http to this machine may be registered (development only). */
  readonly loopback: boolean
  /** The names of all providers that the service knows; the default of a new site. */
  readonly providers: readonly string[]
}

const mostUrls = 100
const longestName = 100

/**
 * Refuses what may not be stored, before anything is.
 * @throws {SiteError} invalid
 */
export function checkFields(fields: Partial<SiteFields>, rules: SiteRules): void {
  if (fields.name !== undefined) checkName(fields.name)
  if (fields.redirectUrls !== undefined) checkUrls(fields.redirectUrls, rules)
  if (fields.providers !== undefined) checkProviders(fields.providers, rules)
  if (fields.limitFactor !== undefined) checkFactor(fields.limitFactor)
}

/** @throws {SiteError} invalid */
export function checkId(id: string): void {
  if (!siteId.test(id))
    throw invalid(
      `The site's id "${shown(id)}" must be 1 to 64 letters, digits, "_" or "-", the first not "-".`,
    )
}

function checkName(name: string): void {
  if (name.trim() === '') throw invalid("The site's name is empty.")
  if (name !== name.trim()) throw invalid("The site's name must not begin or end with a space.")
  if (name.length > longestName) throw invalid(`The site's name is longer than ${longestName} characters.`)
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(name) || !name.isWellFormed())
    throw invalid("The site's name holds a control character.")
}

function checkUrls(urls: readonly string[], rules: SiteRules): void {
  if (urls.length === 0) throw invalid('A site needs at least one redirect URL.')
  if (urls.length > mostUrls) throw invalid(`A site may have at most ${mostUrls} redirect URLs.`)
  const twice = firstTwice(urls)
  if (twice !== undefined) throw invalid(`The redirect URL ${shown(twice)} is given twice.`)
  for (const url of urls) {
    const flaw = checkRedirectUrl(url, rules)
    if (flaw !== undefined) throw invalid(`${flaw} Given was: ${shown(url)}`)
  }
}

function checkProviders(providers: readonly string[], rules: SiteRules): void {
  if (providers.length === 0)
    throw invalid('A site needs at least one provider (to stop all logins, disable the site).')
  const twice = firstTwice(providers)
  if (twice !== undefined) throw invalid(`The provider ${shown(twice)} is given twice.`)
  for (const provider of providers)
    if (!rules.providers.includes(provider))
      throw invalid(`There is no provider "${shown(provider)}": known are ${rules.providers.join(', ')}.`)
}

function checkFactor(factor: number): void {
  if (!Number.isInteger(factor) || factor < 1 || factor > highestFactor)
    throw invalid(`The factor of the limits must be a whole number from 1 to ${highestFactor}.`)
}

function firstTwice(values: readonly string[]): string | undefined {
  return values.find((value, index) => values.indexOf(value) !== index)
}

/** One line on a terminal, whatever was given. */
export function shown(value: string): string {
  const short = value.length > 200 ? `${value.slice(0, 200)}…` : value
  return short.replace(/[^\x20-\x7e\u00a0-\u{10ffff}]/gu, (character) =>
    JSON.stringify(character).slice(1, -1),
  )
}

function invalid(sentence: string): SiteError {
  return new SiteError('invalid', sentence)
}
