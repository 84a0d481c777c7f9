import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { failures, ref } from '../http/openapi.ts'
import { Problem } from '../http/problem.ts'
import type { RateLimits } from '../http/rate-limit.ts'
import { askingSite } from '../sites/authenticate.ts'
import type { Sites } from '../sites/site.ts'
import type { LoginHistory } from './history.ts'
import type { RecentLogin } from './recent-logins.ts'
import { SiteLogins, SiteLoginsQuery } from './site-logins-schemas.ts'

/** What the route stands on. */
export interface SiteLoginsOptions {
  readonly sites: Sites
  readonly limits: RateLimits
  readonly history: LoginHistory
}

const usualLimit = 50

/** Where did this login die? For the site whose login it was. */
export const siteLoginsRoute: FastifyPluginAsyncTypebox<SiteLoginsOptions> = async (app, options) => {
  app.addSchema(SiteLogins)
  app.get(
    '/api/v1/site/logins/',
    {
      schema: {
        operationId: 'listSiteLogins',
        tags: ['Sites'],
        summary: 'The logins of your site in the last 24 hours, step by step',
        security: [{ site: [] }],
        querystring: SiteLoginsQuery,
        response: {
          200: { description: 'The logins', content: { 'application/json': { schema: ref(SiteLogins) } } },
          ...failures(
            'invalid-parameter',
            'repeated-parameter',
            'secret-required',
            'wrong-credentials',
            'rate-limited',
          ),
        },
      },
    },
    async (request) => {
      const { request_id: requestId, outcome, limit } = request.query
      const since = timeOf('since', request.query.since)
      const until = timeOf('until', request.query.until)
      const site = await askingSite(request.headers.authorization, request.ip, options)
      const logins = await options.history.recent(site.id, {
        limit: limit === undefined ? usualLimit : Number(limit),
        ...(requestId !== undefined && { requestId }),
        ...(outcome !== undefined && { outcome }),
        ...(since !== undefined && { since }),
        ...(until !== undefined && { until }),
      })
      return { logins: logins.map(shown) }
    },
  )
}

/** RFC 3339 allows what no calendar has (a leap second): Ajv takes it, Date does not. */
function timeOf(parameter: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const time = Date.parse(value)
  if (Number.isNaN(time)) throw new Problem('invalid-parameter', { values: { parameter, rule: 'format' } })
  return time
}

function shown({ id, provider, startedAt, ms, outcome, problem, steps, requests }: RecentLogin) {
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
  return problem === undefined ? null : `urn:auth-movies:problem:${problem}`
}
