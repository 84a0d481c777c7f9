import { Problem } from '../problems/problem.ts'

/** The parameters of a request that a browser brings, by GET or by POST. */
export interface RequestParameters {
  /** The value of a parameter; undefined where it is absent or empty, which is the same (RFC 6749 §3.1). */
  get(name: string): string | undefined
  /** The same, at most so long. @throws {Problem} invalid-parameter */
  short(name: string, longest: number): string | undefined
  /** @throws {Problem} repeated-parameter where one of these came more than once (RFC 6749 §3.1) */
  refuseRepeated(names: readonly string[]): void
  /** All of them as a query, without these. */
  toQuery(without: readonly string[]): string
}

/**
 * JSON and multipart can bring texts that are no Unicode, which cannot be sent on in a URL: they become U+FFFD, as such bytes
 * of a query do (readQuery).
 * @param sent the query or the form body: texts, and lists of them where a name came more than once
 */
export function readParameters(sent: unknown): RequestParameters {
  const entries: [string, unknown][] = Object.entries(Object(sent))
  const values = new Map(
    entries.map(([name, value]) => [
      name,
      [value].flat().flatMap((one) => (typeof one === 'string' && one !== '' ? [one.toWellFormed()] : [])),
    ]),
  )
  const get = (name: string) => values.get(name)?.[0]
  return {
    get,
    short(name, longest) {
      const value = get(name)
      if (value === undefined || value.length <= longest) return value
      throw new Problem('invalid-parameter', { values: { parameter: name, rule: 'too-long' } })
    },
    refuseRepeated(names) {
      const parameter = names.find((name) => (values.get(name)?.length ?? 0) > 1)
      if (parameter !== undefined) throw new Problem('repeated-parameter', { values: { parameter } })
    },
    toQuery(without) {
      const kept = [...values].filter(([name]) => !without.includes(name))
      return new URLSearchParams(
        kept.flatMap(([name, all]) => all.map((value): [string, string] => [name, value])),
      ).toString()
    },
  }
}
