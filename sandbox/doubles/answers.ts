import type { Answer } from './double.ts'

/** A JSON answer; fields that are `undefined` are left out. */
export function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', ...headers },
    body: toJson(body),
  }
}

/** JSON in which a bigint is a bare number of any length, as a provider written in another language sends it. */
function toJson(value: unknown): string {
  const marked = JSON.stringify(value, (_key, field: unknown) =>
    typeof field === 'bigint' ? `\u0000${field}\u0000` : field,
  )
  return marked.replaceAll(/"\\u0000(-?\d+)\\u0000"/g, '$1')
}
