import type { ProviderFailureKind } from './provider.ts'

/** A JSON object as a provider sent it: every member still has to prove its type. */
export type JsonObject = Readonly<Record<string, unknown>>

// RFC 8259 §8.1: JSON is UTF-8. Broken bytes are refused: replaced ones could make two subjects one.
const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads a JSON object by its content, whatever its Content-Type said; a byte order mark is tolerated.
 * Whole numbers beyond 2^53 become strings of their own digits: as numbers, two people would become one.
 * @returns undefined for everything that is not an object: HTML, an empty body, an array, null
 */
export function parseJsonObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes), keepDigits)
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Whether a value is an object in the sense of JSON. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The reviver's third argument holds the number as it was written (ECMAScript 2026, in Node since 22). */
function keepDigits(_key: string, value: unknown, ...[context]: unknown[]): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || !isJsonObject(context)) return value
  const { source } = context
  return typeof source === 'string' && /^-?\d+$/.test(source) ? source : value
}

/** What a provider's `error` means to us, by its exact text. */
export type ErrorKinds = Readonly<Record<string, ProviderFailureKind>>

/**
 * RFC 6749 §5.2, §4.1.2.1; what a plugin names goes before. Everything that only a change of our own settings
 * can mend is `misconfigured`: operators are alerted by it, so nothing that a caller can provoke belongs here
 * (`invalid_request`: a junk code may be answered by it).
 */
const standard: ErrorKinds = {
  invalid_grant: 'invalid_grant',
  invalid_client: 'misconfigured',
  unauthorized_client: 'misconfigured',
  unsupported_grant_type: 'misconfigured',
  invalid_scope: 'misconfigured',
  server_error: 'unavailable',
  temporarily_unavailable: 'unavailable',
}

/** Whether an answer is a refusal, whatever its status: some providers refuse with a 200. */
export function isErrorResponse(answer: JsonObject): boolean {
  return (typeof answer.error === 'string' && answer.error !== '') || isJsonObject(answer.error)
}

/** The kind of a token endpoint's refusal; 401 says that our credentials were not taken (RFC 6749 §5.2). */
export function errorResponseKind(answer: JsonObject, status: number, own: ErrorKinds): ProviderFailureKind {
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
export function describeErrorResponse(answer: JsonObject, secrets: readonly (string | undefined)[]): string {
  const words = [answer.error, answer.error_description].filter((word) => typeof word === 'string')
  return wordsForLog(words.join(', '), secrets)
}

/**
 * A provider's own words as they may stand in a log: on one line, without characters that nobody sees or that change how
 * the line is read (control characters, U+202E, U+2028), without email addresses, and at most 200 characters.
 * @param secrets what must not stand there, as it is or percent-encoded
 */
export function wordsForLog(words: string, secrets: readonly (string | undefined)[] = []): string {
  let text = words
  for (const secret of secrets)
    if (secret !== undefined && secret !== '')
      for (const form of [secret, encodeURIComponent(secret)]) text = text.replaceAll(form, '[removed]')
  return text
    .replace(/\p{Cf}+/gu, '')
    .replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]+/gu, ' ')
    .slice(0, 2_000)
    .replace(emails, '[email]')
    .slice(0, 200)
    .toWellFormed()
}

/** An address as the person wrote it, or percent-encoded; rather a word too many than an address. */
const emails = /(?:"[^"@]{1,256}"|[^\s@<>()"',;:]{1,256})(?:@|＠|%40)[^\s@<>()"',;]+/giu

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
