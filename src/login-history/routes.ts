import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { jsonResponse, oneOf, problemResponses } from '../http/openapi.ts'
import type { RateLimits } from '../http/rate-limit.ts'
import { Problem } from '../problems/problem.ts'
import { problemType } from '../problems/table.ts'
import { requireSite } from '../sites/authenticate.ts'
import type { Sites } from '../sites/lookup.ts'
import { proofs, steps } from './entry.ts'
import type { RecentLogin, RecentLoginsFilter } from './query.ts'
import { outcomes } from './query.ts'
import type { LoginHistory } from './store.ts'

/** What the route needs. */
export interface SiteLoginsOptions {
  readonly sites: Sites
  readonly limits: RateLimits
  readonly history: LoginHistory
}

/** Shows a site how far each of its logins got. */
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
          200: jsonResponse('The logins', SiteLogins),
          ...problemResponses(
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
      const filter = filterOf(request.query)
      const site = await requireSite(request.headers.authorization, request.ip, options)
      request.site = site.id
      const logins = await options.history.recent(site.id, filter)
      return { logins: logins.map(loginToJson) }
    },
  )
}

/** All members are strings, as in every query: validation does not convert `limit` to a number. */
export const SiteLoginsQuery = Type.Object({
  request_id: Type.Optional(
    Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$', description: 'Of any request of the login' }),
  ),
  outcome: Type.Optional(oneOf(outcomes)),
  since: Type.Optional(Type.String({ format: 'date-time', description: 'Started then or later' })),
  until: Type.Optional(
    Type.String({
      format: 'date-time',
      description: 'Started before: for the next page, the last started_at',
    }),
  ),
  limit: Type.Optional(
    Type.String({ pattern: '^([1-9]\\d?|1\\d\\d|200)$', description: '1 to 200; 50 without it' }),
  ),
})

export type SiteLoginsQuery = Static<typeof SiteLoginsQuery>

const time = (description: string) => Type.String({ format: 'date-time', description })
const problem = Type.Union([Type.String({ pattern: '^urn:auth-movies:problem:[a-z-]+$' }), Type.Null()], {
  description: 'The type of the problem; null where there is none',
})

export const loginExample = {
  id: '5d41402abc4b2a76b971',
  provider: 'one',
  started_at: '2026-03-01T09:30:00.000Z',
  outcome: 'failed',
  problem: 'urn:auth-movies:problem:provider-timeout',
  duration_ms: 17420,
  steps: [
    { step: 'started', at: '2026-03-01T09:30:00.004Z' },
    { step: 'sent_to_provider', at: '2026-03-01T09:30:00.005Z' },
    { step: 'came_back', at: '2026-03-01T09:30:12.210Z' },
    { step: 'claimed', at: '2026-03-01T09:30:12.415Z' },
  ],
  requests: [
    {
      request: 'start',
      request_id: '01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a11',
      at: '2026-03-01T09:30:00.000Z',
      duration_ms: 5,
      problem: null,
      proof: 'secret',
    },
    {
      request: 'callback',
      request_id: '01936f0e-ab04-7c4e-9d52-0c3c5f1e2a12',
      at: '2026-03-01T09:30:12.207Z',
      duration_ms: 3,
      problem: null,
    },
    {
      request: 'finish',
      request_id: '01936f0e-abcd-7c4e-9d52-0c3c5f1e2a13',
      at: '2026-03-01T09:30:12.412Z',
      duration_ms: 5008,
      problem: 'urn:auth-movies:problem:provider-timeout',
      proof: 'secret',
    },
  ],
}

/** The site's logins of the last 24 hours. */
export const SiteLogins = Type.Object(
  {
    logins: Type.Array(
      Type.Object({
        id: Type.Union([Type.String(), Type.Null()], {
          description: 'Names the login when you ask the operator; null where its start was refused',
        }),
        provider: Type.String(),
        started_at: time('When it was started'),
        outcome: oneOf(outcomes, {
          description: 'refused: by the person; pending: not finished, now or ever',
        }),
        problem,
        duration_ms: Type.Integer({ minimum: 0, description: 'From the start to the deciding answer' }),
        steps: Type.Array(
          Type.Object({
            step: oneOf(steps),
            at: time('When it was done'),
          }),
          { description: 'As far as the login got, in order' },
        ),
        requests: Type.Array(
          Type.Object({
            request: oneOf(['start', 'callback', 'finish']),
            request_id: Type.String(),
            at: time('When it came'),
            duration_ms: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
              description: 'null where only its beginning is remembered',
            }),
            problem,
            proof: Type.Optional(
              oneOf(proofs, {
                description:
                  'What your server sent: its secret, or else a code_challenge or code_verifier; absent for callbacks, which browsers send, and for requests that failed before',
              }),
            ),
          }),
          { description: 'Oldest first' },
        ),
      }),
      { description: 'Newest start first' },
    ),
  },
  {
    $id: 'SiteLogins',
    examples: [
      {
        logins: [loginExample],
      },
    ],
  },
)

/** Entries per list where the request names no limit. */
export const usualLimit = 50

/**
 * The filter that a query asks for.
 * @throws {Problem} invalid-parameter where a time does not exist
 */
export function filterOf(query: SiteLoginsQuery): RecentLoginsFilter {
  const { request_id: requestId, outcome, limit = usualLimit } = query
  const since = timeOf('since', query.since)
  const until = timeOf('until', query.until)
  return {
    limit: Number(limit),
    ...(requestId !== undefined && { requestId }),
    ...(outcome !== undefined && { outcome }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  }
}

/** RFC 3339 allows a leap second, which Ajv takes and Date does not. */
function timeOf(parameter: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const time = Date.parse(value)
  if (Number.isNaN(time)) throw new Problem('invalid-parameter', { values: { parameter, rule: 'format' } })
  return time
}

/** A login as JSON. */
export function loginToJson({ id, provider, startedAt, ms, outcome, problem, steps, requests }: RecentLogin) {
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
      ...(one.proof !== undefined && { proof: one.proof }),
    })),
  }
}

function iso(time: number): string {
  return new Date(time).toISOString()
}

function urn(problem: string | undefined): string | null {
  return problem === undefined ? null : problemType(problem)
}
