import type { Static } from 'typebox'
import { Type } from 'typebox'
import type { ProblemName } from './table.ts'
import { problemNames } from './table.ts'

/** The `type` of a problem: a URN that no deployment changes. */
export const problemType = (name: ProblemName) => `urn:auth-movies:problem:${name}` as const

/** RFC 9457, one flat shape for every failure; `error` and `error_description` (RFC 6749 §5.2) at OAuth endpoints. */
export const ProblemSchema = Type.Object(
  {
    type: Type.Unsafe<ReturnType<typeof problemType>>({
      type: 'string',
      enum: problemNames.map(problemType),
      description: 'Stable, the same in every deployment: switch on it. Later versions may add values',
    }),
    title: Type.String({
      description: 'Short name of the problem, in Russian or English by Accept-Language',
    }),
    status: Type.Integer({ minimum: 400, maximum: 599, description: 'The HTTP status' }),
    detail: Type.String({
      description: 'For developers: what happened and what to do, in Russian or English',
    }),
    user_message: Type.String({
      description: 'For visitors: one plain sentence that a site may show, in Russian or English',
    }),
    docs: Type.String({ format: 'uri', description: 'A page with cause, remedy and example' }),
    request_id: Type.String({ description: 'Name it when you ask the operator' }),
    error: Type.Optional(Type.String({ description: 'OAuth error code (RFC 6749 §5.2)' })),
    error_description: Type.Optional(Type.String({ description: 'In English, ASCII (RFC 6749 §5.2)' })),
  },
  { $id: 'Problem', description: 'A failure (RFC 9457)' },
)
export type ProblemBody = Static<typeof ProblemSchema>
