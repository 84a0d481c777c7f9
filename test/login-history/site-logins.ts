import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Answer } from '../support/login-flow.ts'
import { basic, get } from '../support/login-flow.ts'
import type { TestService } from '../support/service.ts'

const Logins = Type.Array(
  Type.Object({
    id: Type.Union([Type.String(), Type.Null()]),
    provider: Type.String(),
    started_at: Type.String(),
    outcome: Type.String(),
    problem: Type.Union([Type.String(), Type.Null()]),
    duration_ms: Type.Number(),
    steps: Type.Array(Type.Object({ step: Type.String(), at: Type.String() })),
    requests: Type.Array(
      Type.Object({
        request: Type.String(),
        request_id: Type.String(),
        at: Type.String(),
        duration_ms: Type.Union([Type.Number(), Type.Null()]),
        problem: Type.Union([Type.String(), Type.Null()]),
        proof: Type.Optional(Type.String()),
      }),
    ),
  }),
)

/** The logins that a site is shown. */
export async function loginsOf(service: TestService, query = '', site = service.site) {
  const answer = await get(service, `/api/v1/site/logins/${query}`, basic(site))
  t.equal(answer.status, 200, answer.text)
  return Value.Parse(Logins, answer.json.logins)
}

/** The login of a request, found by the request id of its response. */
export async function loginOf(service: TestService, answer: Answer, site = service.site) {
  const id = answer.headers.get('x-request-id') ?? ''
  const [login, ...more] = await loginsOf(service, `?request_id=${id}`, site)
  t.equal(more.length, 0)
  return login
}

/** All seven steps, in order. */
export const wholeLogin = [
  'started',
  'sent_to_provider',
  'came_back',
  'claimed',
  'exchanged',
  'profile',
  'session',
]

/** The names of a login's steps. */
export const stepsOf = (login: Awaited<ReturnType<typeof loginOf>>) => login?.steps.map(({ step }) => step)

/** The type of a problem, as it is shown. */
export const urn = (problem: string) => `urn:auth-movies:problem:${problem}`
