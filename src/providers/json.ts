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
