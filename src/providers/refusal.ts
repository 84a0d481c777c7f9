import type { JsonObject } from './json.ts'
import { isJsonObject } from './json.ts'
import type { ProviderFailureKind } from './provider.ts'

/** What a provider's `error` means to us, by its exact text. */
export type Refusals = Readonly<Record<string, ProviderFailureKind>>

/**
 * RFC 6749 §5.2, §4.1.2.1; what a plugin names goes before. Everything that only a change of our own settings
 * can mend is `misconfigured`: operators are alerted by it, so nothing that a caller can provoke belongs here
 * (`invalid_request`: a junk code may be answered by it).
 */
const standard: Refusals = {
  invalid_grant: 'invalid_grant',
  invalid_client: 'misconfigured',
  unauthorized_client: 'misconfigured',
  unsupported_grant_type: 'misconfigured',
  invalid_scope: 'misconfigured',
  server_error: 'unavailable',
  temporarily_unavailable: 'unavailable',
}

/** Whether an answer is a refusal, whatever its status: some providers refuse with a 200. */
export function isRefusal(answer: JsonObject): boolean {
  return (typeof answer.error === 'string' && answer.error !== '') || isJsonObject(answer.error)
}

/** The kind of a token endpoint's refusal; 401 says that our credentials were not taken (RFC 6749 §5.2). */
export function refusalKind(answer: JsonObject, status: number, own: Refusals): ProviderFailureKind {
  const error = typeof answer.error === 'string' ? answer.error : ''
  for (const table of [own, standard]) {
    const kind = Object.hasOwn(table, error) ? table[error] : undefined
    if (kind !== undefined) return kind
  }
  return status === 401 ? 'misconfigured' : 'invalid_response'
}

/**
 * What a provider's refusal says, for the log.
 * @param secrets what we sent (code, verifier, token, client secret), should it be echoed
 */
export function describeRefusal(answer: JsonObject, secrets: readonly (string | undefined)[]): string {
  const words = [answer.error, answer.error_description].filter((word) => typeof word === 'string')
  return wordsForLog(words.join(', '), secrets)
}

/** Characters of a provider's words that are looked at: far more than a log line keeps. */
const longestRead = 2_000

/**
 * Characters by which a secret is recognised: a code of Yandex may have seven. What is shorter is looked for nowhere, as it
 * would be found inside common words.
 */
const recognised = 6

/**
 * A provider's own words as they may stand in a log: on one line, without characters that nobody sees or that change how
 * the line is read (control characters, U+202E, U+2028), without email addresses, and at most 200 characters. Takes any
 * text in time that its first 2,000 characters bound, and throws nothing.
 * @param secrets what must not stand there, nor its beginning of six characters or more: as it is or percent-encoded
 */
export function wordsForLog(words: string, secrets: readonly (string | undefined)[] = []): string {
  const known = secrets.filter((secret) => secret !== undefined)
  return withoutSecrets(words.slice(0, longestRead).toWellFormed(), known)
    .replace(/\p{Cf}+/gu, '')
    .replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S}]+/gu, ' ')
    .replace(emails, '[email]')
    .slice(0, 200)
    .toWellFormed()
}

/** One pass, so that a secret that looks like our own mark for it is not replaced inside that mark. */
function withoutSecrets(text: string, secrets: readonly string[]): string {
  const forms = [...new Set(secrets.flatMap(encodings))].filter((form) => form.length >= recognised)
  const byBeginning = Map.groupBy(forms, (form) => form.slice(0, recognised))
  let kept = ''
  let at = 0
  while (at < text.length) {
    const found = byBeginning.get(text.slice(at, at + recognised)) ?? []
    const length = found.reduce((longest, form) => Math.max(longest, agreement(text, at, form)), 0)
    kept += length === 0 ? text.charAt(at) : '[removed]'
    at += Math.max(1, length)
  }
  return kept
}

/** How many characters a text has in common with a secret, from a place on: a provider may cut what it repeats. */
function agreement(text: string, at: number, secret: string): number {
  let length = 0
  while (length < secret.length && text[at + length] === secret[length]) length++
  return length
}

/** A secret in the ways in which it may have been sent and may come back, hexadecimal digits in either case. */
function encodings(secret: string): string[] {
  const plain = secret.slice(0, longestRead).toWellFormed()
  const encoded = [encodeURIComponent(plain), formEncode(plain)]
  const lower = encoded.map((form) => form.replace(/%../g, (byte) => byte.toLowerCase()))
  return [plain, ...encoded, ...lower]
}

/** `application/x-www-form-urlencoded` of one value. */
export function formEncode(value: string): string {
  return new URLSearchParams({ '': value }).toString().slice(1)
}

/**
 * An address as the person wrote it, with a blank around its @ too, or encoded; rather a word too many than an address.
 * It is looked for from the beginning of each word alone, which keeps the time linear.
 */
const emails =
  /(?:"[^"@]{1,256}"|(?<![^\s@<>()"',;:])[^\s@<>()"',;:]+) ?(?:[@＠﹫]|%(?:25)*40|&#(?:64|x40);) ?[^\s@<>()"',;]+/giu

/**
 * Retry-After in seconds, 1 to 60, or undefined where there is none that can be read (RFC 9110 §10.2.3: a
 * number of seconds, or a date).
 */
export function retryAfterOf(header: string | string[] | undefined): number | undefined {
  const value = (Array.isArray(header) ? header[0] : header)?.trim()
  if (value === undefined || value === '') return undefined
  const date = /^[A-Za-z]{3,9}, /.test(value) ? Date.parse(value) : Number.NaN
  const seconds = /^\d+$/.test(value) ? Number(value) : (date - Date.now()) / 1000
  return Number.isNaN(seconds) ? undefined : Math.min(60, Math.max(1, Math.ceil(seconds)))
}
