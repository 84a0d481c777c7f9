import { Problem } from '../problems/problem.ts'
import { problemType } from '../problems/table.ts'
import type { RecentLogin, RecentLoginsFilter } from './query.ts'
import type { SiteLoginsQuery } from './schemas.ts'

const usualLimit = 50

/**
 * What a query asks for.
 * @throws {Problem} invalid-parameter: a time that is none
 */
export function filterOf(query: SiteLoginsQuery): RecentLoginsFilter {
  const { request_id: requestId, outcome, limit } = query
  const since = timeOf('since', query.since)
  const until = timeOf('until', query.until)
  return {
    limit: limit === undefined ? usualLimit : Number(limit),
    ...(requestId !== undefined && { requestId }),
    ...(outcome !== undefined && { outcome }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  }
}

/** RFC 3339 allows what no calendar has (a leap second): Ajv takes it, Date does not. */
function timeOf(parameter: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const time = Date.parse(value)
  if (Number.isNaN(time)) throw new Problem('invalid-parameter', { values: { parameter, rule: 'format' } })
  return time
}

/** A login as JSON. */
export function shownLogin({ id, provider, startedAt, ms, outcome, problem, steps, requests }: RecentLogin) {
  return {
    id: id ?? null,
    provider,
    started_at: iso(startedAt),
    outcome,
    problem: urn(problem),
    duration_ms: ms,
    steps: steps.map(([step, at]) => ({ step, at: iso(at) })),
    requests: requests.map((one) => ({
      request: one.request,
      request_id: one.requestId,
      at: iso(one.at),
      duration_ms: one.ms ?? null,
      problem: urn(one.problem),
    })),
  }
}

function iso(time: number): string {
  return new Date(time).toISOString()
}

function urn(problem: string | undefined): string | null {
  return problem === undefined ? null : problemType(problem)
}
