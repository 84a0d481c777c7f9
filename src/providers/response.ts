import type { ProviderFailureKind } from './provider.ts'

/** A JSON object as a provider sent it. The type of every member must still be checked. */
export type JsonObject = Readonly<Record<string, unknown>>

// RFC 8259 §8.1: JSON is UTF-8. Invalid bytes are an error: replacing them could make two subjects equal.
const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Parses a JSON object without regard to its Content-Type; a byte order mark is allowed.
 * Whole numbers beyond 2^53 become strings of their digits: rounded, the ids of two people could become equal.
 * @returns undefined for anything but an object: HTML, an empty body, an array, null
 */
export function parseJsonObject(bytes: Uint8Array): JsonObject | undefined {
  const value = parseJson(bytes)
  return isJsonObject(value) ? value : undefined
}

/** Parses any JSON as `parseJsonObject` does. @returns undefined for what is no JSON */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    const text = decoder.decode(bytes)
    // With a reviver, JSON.parse takes many times as long; only a number of sixteen digits can need it.
    return manyDigits.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether a value is a JSON object. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What a number that is no safe integer, but written as one, has at least. */
const manyDigits = /\d{16}/

/** A reviver for JSON.parse. Its third argument holds the number as it was written (ECMAScript 2026, in Node since 22). */
function keepDigits(_key: string, value: unknown, ...[context]: unknown[]): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || !isJsonObject(context)) return value
  const { source } = context
  return typeof source === 'string' && /^-?\d+$/.test(source) ? source : value
}

/**
 * What a provider's error responses mean: by the exact text of `error`, or by whatever a function finds in the response; where
 * that gives nothing, RFC 6749 decides.
 */
export type ErrorKinds =
  | Readonly<Record<string, ProviderFailureKind>>
  | ((response: JsonObject, status: number) => ProviderFailureKind | undefined)

/**
 * The errors of RFC 6749 §5.2 and §4.1.2.1; a plugin's own table takes precedence. `misconfigured` is what only a change
 * of this service's settings can resolve. Operators are alerted by it, so it must not include what a caller can provoke:
 * that is why `invalid_request`, which some providers send for a junk code, is not in this table.
 */
const standard: Readonly<Record<string, ProviderFailureKind>> = {
  invalid_grant: 'invalid_grant',
  invalid_client: 'misconfigured',
  unauthorized_client: 'misconfigured',
  unsupported_grant_type: 'misconfigured',
  invalid_scope: 'misconfigured',
  server_error: 'unavailable',
  temporarily_unavailable: 'unavailable',
}

/** Whether a response is an error response. The status does not tell: some providers send errors with a 200. */
export function isErrorResponse(response: JsonObject): boolean {
  return (typeof response.error === 'string' && response.error !== '') || isJsonObject(response.error)
}

/**
 * The kind of failure of a token endpoint's error response. Without a known `error`, 401 means that the client
 * authentication failed (RFC 6749 §5.2).
 */
export function errorResponseKind(
  response: JsonObject,
  status: number,
  own: ErrorKinds,
): ProviderFailureKind {
  const error = typeof response.error === 'string' ? response.error : ''
  const find = (table: Readonly<Record<string, ProviderFailureKind>>) =>
    Object.hasOwn(table, error) ? table[error] : undefined
  return (
    (typeof own === 'function' ? own(response, status) : find(own)) ??
    find(standard) ??
    (status === 401 ? 'misconfigured' : 'invalid_response')
  )
}

/**
 * `error` and `error_description` of an error response, for the log.
 * @param secrets what the request contained (code, verifier, token, client secret), in case the provider echoes it
 */
export function describeErrorResponse(
  response: JsonObject,
  secrets: readonly (string | undefined)[],
): string {
  const words = [response.error, response.error_description].filter((word) => typeof word === 'string')
  return wordsForLog(words.join(', '), secrets)
}

/** Characters of a provider's text that are examined: far more than a log line keeps. */
const longestRead = 2_000

/**
 * The first characters by which a secret is recognised: a code of Yandex may have seven. Shorter secrets are not looked for,
 * because they would be found inside common words.
 */
const recognised = 6

/**
 * Makes text from a provider safe for the log: one line, without characters that are invisible or change how the line is
 * read (control characters, U+202E, U+2028), without email addresses, at most 200 characters. Only the first 2,000
 * characters are examined, which bounds the time for any text; it throws nothing.
 * @param secrets removed from the text, as they are or percent-encoded, also when the provider cut them to six characters
 *   or more
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

/** Removes secrets in one pass, so that a secret which resembles `[removed]` is not found inside that mark. */
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

/** How many characters the text at a position has in common with a secret: a provider may cut what it repeats. */
function agreement(text: string, at: number, secret: string): number {
  let length = 0
  while (length < secret.length && text[at + length] === secret[length]) length++
  return length
}

/** The encodings in which a secret may have been sent and may come back, hexadecimal digits in either case. */
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
 * An email address, plain or encoded, also with a space around its @. It is better to remove a word too many than to log an
 * address. It is searched for at the beginning of words only, which keeps the time linear.
 */
const emails =
  /(?:"[^"@]{1,256}"|(?<![^\s@<>()"',;:])[^\s@<>()"',;:]+) ?(?:[@＠﹫]|%(?:25)*40|&#(?:64|x40);) ?[^\s@<>()"',;]+/giu

/**
 * The header Retry-After (RFC 9110 §10.2.3: a number of seconds, or a date) as seconds from 1 to 60.
 * @returns undefined if the header is missing or cannot be parsed
 */
export function retryAfterOf(header: string | string[] | undefined): number | undefined {
  const value = (Array.isArray(header) ? header[0] : header)?.trim()
  if (value === undefined || value === '') return undefined
  const date = /^[A-Za-z]{3,9}, /.test(value) ? Date.parse(value) : Number.NaN
  const seconds = /^\d+$/.test(value) ? Number(value) : (date - Date.now()) / 1000
  return Number.isNaN(seconds) ? undefined : Math.min(60, Math.max(1, Math.ceil(seconds)))
}
